//! Whatever the bytes: no reader panics, hangs, or tells two things of the same text. From the corpus of the wire crate, and what is near to it.

use std::hint::black_box;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use proptest::prelude::*;
use tower_openrouter::{
    Answer, ChatBody, ChatRequest,
    response::{Usage, UsageExt as _},
};

use near::try_reader;

#[path = "../wire/tests/near.rs"]
mod near;

/// The kept texts.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/wire/tests/corpus");

/// A request is strict JSON, and passes unchanged.
#[test]
fn any_request_is_strict_json() {
    try_reader("request", |text| {
        let bare = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let strict = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(bare);
        match ChatRequest::from_json(text.clone()) {
            Ok(request) => {
                prop_assert!(strict.is_ok(), "{:?}", strict);
                drop(format!("{request:?}"));
            }
            Err(error) => drop(error.to_string()),
        }
        Ok(())
    });
}

/// What a caller reads of a body in pieces of this length.
fn read(text: &Bytes, length: usize, body: impl FnOnce(Vec<Bytes>) -> ChatBody) -> Result<String, (String, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let pieces = text.chunks(length).map(Bytes::copy_from_slice).collect();
    let answer = Answer::new(http::Response::new(body(pieces)));
    runtime.block_on(answer.text()).map_err(|error| {
        let shown = error.partial_text().unwrap_or_default().to_owned();
        (shown, error.kind().to_string())
    })
}

fn frames(pieces: Vec<Bytes>) -> impl http_body::Body<Data = Bytes, Error = std::io::Error> + Send + 'static {
    StreamBody::new(stream::iter(pieces.into_iter().map(|piece| Ok(Frame::data(piece)))))
}

/// The answer is the same however the bytes are cut, and complete only if something said so.
#[test]
fn any_stream_is_read_the_same_however_it_comes() {
    try_reader("stream", |text| {
        let stream = |pieces| ChatBody::from_event_stream(frames(pieces));
        let whole = read(text, text.len().max(1), stream);
        prop_assert_eq!(&read(text, 1, stream), &whole);
        prop_assert_eq!(&read(text, 29, stream), &whole);
        let said = String::from_utf8_lossy(text).to_ascii_lowercase();
        let ends = ["done", "finish_reason", "event: end", "event:end", "complete"];
        prop_assert!(
            whole.is_err() || ends.iter().any(|end| said.contains(end)),
            "{:?}",
            whole
        );
        Ok(())
    });
}

#[test]
fn any_plain_answer_is_read_the_same_however_it_comes() {
    for reader in ["plain", "error"] {
        try_reader(reader, |text| {
            let plain = |pieces| ChatBody::from_plain(frames(pieces));
            let whole = read(text, text.len().max(1), plain);
            prop_assert_eq!(&read(text, 7, plain), &whole);
            Ok(())
        });
    }
}

/// What is settled is never below nothing.
#[test]
fn any_usage_is_settled() {
    try_reader("usage", |text| {
        if let Ok(usage) = serde_json::from_slice::<Usage>(text) {
            let layers = usage.for_layers();
            let charged = layers.and_then(|usage| usage.charged);
            prop_assert!(charged.is_none_or(|charged| !charged.is_negative()), "{:?}", charged);
            black_box((usage.charged().is_ok(), usage.total_cost().is_ok()));
        }
        Ok(())
    });
}
