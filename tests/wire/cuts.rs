//! Good streams, cut, split and written in other ways.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{Config, RngSeed},
};
use tower_openrouter::{Answer, Api, ChatBody};

use super::recorded::{DONE, bill, good_answer, hello, part, say, stop};
use crate::any_bytes::near::kept;

/// Streams that end with a whole `Hello world`.
fn streams() -> Vec<String> {
    let thought = part(r#"{"reasoning":"hm"}"#, "null");
    let role = part(r#"{"role":"assistant","content":""}"#, "null");
    let usage = |text: String| {
        text.replace(
            "}\n\n",
            ",\"usage\":{\"prompt_tokens\":15,\"completion_tokens\":2}}\n\n",
        )
    };
    vec![
        [": hi\n\n", &role, &thought, &hello(), DONE].concat(),
        hello(),
        [say("Hello"), say(" world"), DONE.to_owned()].concat(),
        [
            usage(say("Hello")),
            usage(say(" world")),
            usage(stop()),
            bill(),
            DONE.to_owned(),
        ]
        .concat(),
        [
            part(r#"{"content":"Hello"}"#, "\"stop\""),
            part(r#"{"content":" world"}"#, "\"stop\""),
            DONE.to_owned(),
        ]
        .concat(),
        [say("Hello"), say(" world"), stop(), stop()].concat(),
    ]
}

#[derive(Clone, Copy, Debug)]
enum End {
    Closed,
    Broken,
}

fn wire(pieces: Vec<Bytes>, end: End) -> impl Body<Data = Bytes, Error = std::io::Error> + Send + 'static {
    let broken = matches!(end, End::Broken).then(|| Err(std::io::Error::other("reset")));
    let frames = stream::iter(pieces)
        .map(|piece| Ok(Frame::data(piece)))
        .chain(stream::iter(broken));
    StreamBody::new(frames)
}

/// The text, if the answer is complete.
async fn read(pieces: Vec<Bytes>, end: End) -> Option<String> {
    let body = ChatBody::from_event_stream(wire(pieces, end));
    Answer::new(http::Response::new(body)).text().await.ok()
}

/// The same of a plain answer of this API.
async fn read_plain(api: Api, bytes: Bytes, end: End) -> Option<String> {
    let body = ChatBody::from_plain_of(api, wire(vec![bytes], end));
    Answer::new(http::Response::new(body)).text().await.ok()
}

/// Never complete with less than all of it, at whichever byte it breaks, and however.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_cut_is_never_complete() {
    for text in streams() {
        let bytes = Bytes::from(text.clone());
        for cut in 0..=bytes.len() {
            for end in [End::Closed, End::Broken] {
                // A stream whose finish stands on each chunk proves its end by `[DONE]` or by its framing; here the framing is the body's own end.
                let is_proof = text.matches("\"stop\"").count() > 1 && matches!(end, End::Closed);
                if let Some(said) = read(vec![bytes.slice(..cut)], end).await
                    && !(is_proof && said == "Hello")
                {
                    assert_eq!(said, "Hello world", "{end:?} at {cut} of {text}");
                }
            }
        }
    }
}

/// The same stream as other servers write it.
fn variants(text: &str) -> [String; 17] {
    [
        text.to_owned(),
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        text.replace("\n\n", "\n: between\n\n"),
        text.replace("data: ", ": before\ndata:"),
        text.replace("data: ", "id: 7\nretry: 10\ndata: "),
        text.replace("\n\n", "\n\n\n\n"),
        format!("\u{feff}\n{text}"),
        text.replace("data: {", "data: {\"new\":[null,{}],"),
        // In other case.
        text.replace("data: ", "DATA: "),
        text.replace("data: ", "Data:"),
        text.replace("data: ", "event: message\ndata: "),
        text.replace("data: ", "EVENT: message\nDATA: "),
        text.replace("data: ", "Event: message\nData: "),
        text.replace("\"stop\"", "\"STOP\""),
        text.replace("\"stop\"", "\"Stop\""),
        text.replace("[DONE]", "[done]"),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_good_stream_is_the_same_however_it_comes() {
    for (number, text) in streams().into_iter().enumerate() {
        for variant in variants(&text) {
            let bytes = Bytes::from(variant.clone());
            for length in [1, 2, 13] {
                let pieces = bytes.chunks(length).map(Bytes::copy_from_slice).collect();
                assert_eq!(
                    read(pieces, End::Closed).await.as_deref(),
                    Some("Hello world"),
                    "by {length}: {variant:?}"
                );
            }
            // The first has every kind of line, the third one no finish.
            let last = if matches!(number, 0 | 2) { bytes.len() } else { 0 };
            for cut in 0..=last {
                let pieces = vec![bytes.slice(..cut), Bytes::new(), bytes.slice(cut..)];
                assert_eq!(
                    read(pieces, End::Closed).await.as_deref(),
                    Some("Hello world"),
                    "{cut} {variant:?}"
                );
            }
        }
    }
}

/// Of a document all is there or nothing: what is before its last bracket is never taken for it.
#[tokio::test(start_paused = true)]
async fn a_part_of_a_plain_answer_is_never_complete() {
    let chat = Bytes::from(good_answer(""));
    let mut answers = vec![(Api::Chat, "good".to_owned(), chat)];
    for (api, folder) in [
        (Api::Responses, "responses-plain"),
        (Api::Messages, "messages-plain"),
        (Api::Embeddings, "embeddings-plain"),
    ] {
        answers.extend(kept(folder).into_iter().map(|(name, text)| (api, name, text)));
    }
    for (api, name, text) in answers {
        let whole = text.trim_ascii_end().len();
        let said = read_plain(api, text.clone(), End::Closed).await;
        assert!(said.is_some(), "{api}/{name}");
        for cut in 0..whole {
            let part = text.slice(..cut);
            assert_eq!(read_plain(api, part, End::Closed).await, None, "{api}/{name} at {cut}");
        }
        // A document that was whole when the connection broke is whole.
        for cut in (0..=whole).rev().step_by(5) {
            let expected = said.clone().filter(|_| cut == whole);
            let part = text.slice(..cut);
            assert_eq!(
                read_plain(api, part, End::Broken).await,
                expected,
                "{api}/{name} at {cut}"
            );
        }
    }
}

/// After the finish the wait for usage is bounded, and gives signs of life.
#[tokio::test(start_paused = true)]
async fn a_stream_that_stays_open_ends_ten_seconds_behind_its_finish() {
    let begun = tokio::time::Instant::now();
    let pieces = stream::iter([Bytes::from([say("Hello world"), stop()].concat())]);
    let frames = pieces
        .map(|piece| Ok::<_, std::io::Error>(Frame::data(piece)))
        .chain(stream::pending());
    let mut answer = Answer::new(http::Response::new(ChatBody::from_event_stream(StreamBody::new(
        frames,
    ))));
    let mut signs = 0;
    while let Some(frame) = answer.next_frame().await {
        signs += usize::from(frame.unwrap().bytes().is_empty());
    }
    assert_eq!((begun.elapsed(), signs), (Duration::from_secs(10), 9));
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, rng_seed: RngSeed::Fixed(0x11FE), ..Config::default() })]

    /// Whatever comes: nothing panics, and nothing is complete that did not say so.
    #[test]
    fn any_bytes_are_survived(pieces in vec(piece(), 0..9), length in 1_usize..40, is_broken in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let bytes = Bytes::from(pieces.concat());
        let end = if is_broken { End::Broken } else { End::Closed };
        let said = runtime.block_on(read(bytes.chunks(length).map(Bytes::copy_from_slice).collect(), end));
        let text = String::from_utf8_lossy(&bytes);
        if said.is_some() {
            prop_assert!(text.contains("[DONE]") || text.contains("\"stop\""), "{}", text);
        }
        let plain = ChatBody::from_plain(http_body_util::Full::new(bytes.clone()));
        let answer = runtime.block_on(Answer::new(http::Response::new(plain)).text());
        // A chunk by itself is an answer if it has its finish.
        let is_told = text.contains("message") || text.contains("\"stop\"");
        prop_assert!(answer.is_err() || is_told, "{}", text);
    }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        say("Hello"),
        stop(),
        bill(),
        DONE.to_owned(),
        "data: ".to_owned(),
        "\n".to_owned(),
        "\r\n\n".to_owned(),
        "data: null\n\n".to_owned(),
        "{\"error\":{\"message\":\"busy\"}}\n".to_owned(),
        "{\"choices\":[{\"message\":{\"content\":\"a\"}}]}".to_owned(),
        "data: [{},".to_owned(),
        "event: error\n".to_owned(),
    ];
    prop_oneof![
        3 => select(known.map(String::into_bytes).to_vec()),
        1 => vec(any::<u8>(), 0..12),
    ]
}
