//! Whatever the bytes: no reader panics, hangs, or tells two things of the same text. From the corpus of the wire crate, and what is near to it.

mod requests;

use std::hint::black_box;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use proptest::prelude::*;
use tower_openrouter::{
    Answer, Api, ChatBody,
    response::{Usage, UsageExt as _},
};

use near::{has_value, kept, try_reader, try_readers};

#[path = "../../wire/tests/near.rs"]
pub(crate) mod near;

/// The kept texts.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/wire/tests/corpus");

/// Streams, and errors that come in their place.
const STREAMS: [(Api, &str); 5] = [
    (Api::Chat, "stream"),
    (Api::Responses, "responses-stream"),
    (Api::Responses, "responses-error"),
    (Api::Messages, "messages-stream"),
    (Api::Messages, "messages-error"),
];

/// Plain answers, and errors that come in their place.
const PLAIN: [(Api, &str); 8] = [
    (Api::Chat, "plain"),
    (Api::Chat, "error"),
    (Api::Responses, "responses-plain"),
    (Api::Responses, "responses-error"),
    (Api::Messages, "messages-plain"),
    (Api::Messages, "messages-error"),
    (Api::Embeddings, "embeddings-plain"),
    (Api::Embeddings, "embeddings-error"),
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// What a caller reads of a body in pieces of this length.
fn read(text: &Bytes, length: usize, body: impl FnOnce(Vec<Bytes>) -> ChatBody) -> Result<String, (String, String)> {
    let pieces = text.chunks(length).map(Bytes::copy_from_slice).collect();
    let answer = Answer::new(http::Response::new(body(pieces)));
    runtime().block_on(answer.text()).map_err(|error| {
        let shown = error.partial_text().unwrap_or_default().to_owned();
        (shown, error.kind().to_string())
    })
}

fn frames(pieces: Vec<Bytes>) -> impl http_body::Body<Data = Bytes, Error = std::io::Error> + Send + 'static {
    StreamBody::new(stream::iter(pieces.into_iter().map(|piece| Ok(Frame::data(piece)))))
}

/// Whether a text has one of the words with which an answer of this API ends.
fn says_end(api: Api, text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match api {
        Api::Chat => has(&["done", "finish_reason", "event: end", "event:end", "complete"]),
        Api::Responses => has(&["complete", "output_item.done", "response.done", "\"done\""]),
        Api::Messages => has_value(&text, "stop_reason") && has(&["message_stop", "done", "\"message\""]),
        _ => has(&["embedding"]),
    }
}

/// The answer is the same however the bytes are cut, and complete only if something said so.
#[test]
fn any_stream_is_read_the_same_however_it_comes() {
    try_readers(&STREAMS, |api, text| {
        let stream = |pieces| ChatBody::from_event_stream_of(api, frames(pieces));
        let whole = read(text, text.len().max(1), stream);
        prop_assert_eq!(&read(text, 1, stream), &whole);
        prop_assert_eq!(&read(text, 29, stream), &whole);
        prop_assert!(whole.is_err() || says_end(api, text), "{:?}", whole);
        Ok(())
    });
}

/// The bytes of the frames of a plain answer that comes in pieces of this length, and the kind of its failure.
fn plain(api: Api, text: &Bytes, length: usize) -> (Vec<Bytes>, Option<String>) {
    let pieces = text.chunks(length).map(Bytes::copy_from_slice).collect();
    let mut answer = Answer::new(http::Response::new(ChatBody::from_plain_of(api, frames(pieces))));
    runtime().block_on(async {
        let mut read = Vec::new();
        while let Some(frame) = answer.next_frame().await {
            match frame {
                Ok(frame) => read.push(frame.bytes().clone()),
                Err(error) => return (read, Some(error.kind().to_string())),
            }
        }
        (read, None)
    })
}

#[test]
fn any_plain_answer_is_read_the_same_however_it_comes() {
    try_readers(&PLAIN, |api, text| {
        let whole = plain(api, text, text.len().max(1));
        prop_assert_eq!(&plain(api, text, 7), &whole);
        if whole.1.is_none() {
            prop_assert_eq!(whole.0.len(), 1, "{:?}", whole.0);
            prop_assert!(text.contains(&b'}'), "{:?}", whole.0);
            prop_assert!(api != Api::Embeddings || says_end(api, &whole.0[0]), "{:?}", whole.0);
        }
        Ok(())
    });
}

/// The texts of the folders are what the names of the folders say. Those of chat are odd texts.
#[test]
fn each_kept_answer_is_whole_and_each_kept_error_is_a_failure() {
    for (api, folder) in &PLAIN[2..] {
        for (name, text) in kept(folder) {
            let (_, failed) = plain(*api, &text, text.len());
            assert_eq!(
                failed.is_some(),
                folder.ends_with("error"),
                "{folder}/{name}: {failed:?}"
            );
        }
    }
    for (api, folder) in &STREAMS[1..] {
        for (name, text) in kept(folder) {
            let said = read(&text, text.len(), |pieces| {
                ChatBody::from_event_stream_of(*api, frames(pieces))
            });
            let is_bad = folder.ends_with("error") || name.starts_with("cut-") || name.starts_with("failed-");
            assert_eq!(said.is_err(), is_bad, "{folder}/{name}: {said:?}");
        }
    }
}

/// What is settled is never below nothing.
#[test]
fn any_usage_is_settled() {
    try_reader(&["usage"], |text| {
        if let Ok(usage) = serde_json::from_slice::<Usage>(text) {
            let layers = usage.for_layers();
            let charged = layers.and_then(|usage| usage.charged);
            prop_assert!(charged.is_none_or(|charged| !charged.is_negative()), "{:?}", charged);
            black_box((usage.charged().is_ok(), usage.total_cost().is_ok()));
        }
        Ok(())
    });
}
