//! Whatever the bytes: no reader panics, hangs, or tells two things of the same text. From a kept corpus, and what is near to it.
//!
//! A run is short. With `TOWER_OPENROUTER_PROPERTY_SECONDS` set, each reader is tried for that long with other seeds; put the bytes of a failure into
//! the folder of its reader in `tests/corpus`.

use std::{fs, hint::black_box, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::Instant;

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngSeed, TestCaseError, TestRunner},
};

use tower_openrouter::{
    Answer, ChatBody, ChatRequest,
    response::{ChatChunk, ChatResponse, ChunkProbe, UpstreamError, Usage},
    sse::{SseDecoder, SseItem},
};

/// How many texts a reader is given if no time is set.
const TEXTS: u32 = 160;
/// The longest text.
const LONGEST: usize = 4096;

/// The kept texts for one reader.
fn corpus(reader: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/tests/corpus/{reader}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "a corpus of nothing proves nothing");
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

/// One thing that is done to a text.
#[derive(Debug, Clone)]
enum Edit {
    Cut(Index),
    Remove(Index, Index),
    Repeat(Index, Index),
    Insert(Index, Vec<u8>),
    Flip(Index, u8),
    Join(Index, Vec<u8>),
}

const TOKENS: [&str; 30] = [
    "data: ",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "[DONE]",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\ud83d",
    "\\u0000",
    "null",
    "NaN",
    "1e999",
    "\u{feff}",
    ": x\n",
    "event: error\n",
    "\"error\":",
    "\"choices\":",
    "\"delta\":",
    "\"message\":",
    "\"usage\":",
    "\"finish_reason\":\"stop\"",
    "<html>",
    "\0",
];

fn edit(texts: Vec<Vec<u8>>) -> impl Strategy<Value = Edit> {
    let token = || select(TOKENS.to_vec()).prop_map(|token| token.as_bytes().to_vec());
    let index = any::<Index>;
    prop_oneof![
        1 => index().prop_map(Edit::Cut),
        1 => (index(), index()).prop_map(|(from, to)| Edit::Remove(from, to)),
        1 => (index(), index()).prop_map(|(from, to)| Edit::Repeat(from, to)),
        3 => (index(), token()).prop_map(|(at, token)| Edit::Insert(at, token)),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Edit::Flip(at, byte)),
        1 => (index(), select(texts)).prop_map(|(at, text)| Edit::Join(at, text)),
    ]
}

fn edited(mut text: Vec<u8>, edits: Vec<Edit>) -> Bytes {
    for edit in edits {
        let end = text.len() + 1;
        let range = |from: Index, to: Index| {
            let (from, to) = (from.index(end), to.index(end));
            from.min(to)..from.max(to)
        };
        match edit {
            Edit::Cut(at) => text.truncate(at.index(end)),
            Edit::Remove(from, to) => drop(text.drain(range(from, to))),
            Edit::Repeat(from, to) => {
                let piece = text[range(from, to)].to_vec();
                text.extend(piece);
            }
            Edit::Insert(at, token) => drop(text.splice(at.index(end)..at.index(end), token)),
            Edit::Flip(at, byte) if !text.is_empty() => {
                let at = at.index(text.len());
                text[at] ^= byte;
            }
            Edit::Flip(..) => {}
            Edit::Join(at, other) => {
                text.truncate(at.index(end));
                text.extend(other);
            }
        }
    }
    text.truncate(LONGEST);
    text.into()
}

/// Tries a reader on its corpus as it is, and on texts near to it.
fn try_reader(reader: &str, test: impl Fn(&Bytes) -> Result<(), TestCaseError>) {
    let texts = corpus(reader);
    for text in &texts {
        let text = Bytes::from(text.clone());
        assert!(test(&text).is_ok(), "{reader}: {:?}", String::from_utf8_lossy(&text));
    }
    let seconds = std::env::var("TOWER_OPENROUTER_PROPERTY_SECONDS").ok();
    let time = seconds.map_or(Duration::ZERO, |seconds| Duration::from_secs(seconds.parse().unwrap()));
    let begun = Instant::now();
    for seed in 0xB17E5_u64.. {
        let config = Config {
            cases: TEXTS,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(seed),
            ..Config::default()
        };
        let near =
            (select(texts.clone()), vec(edit(texts.clone()), 1..5)).prop_map(|(text, edits)| edited(text, edits));
        let result = TestRunner::new(config).run(&near, |text| test(&text));
        assert!(result.is_ok(), "{reader}, seed {seed:#x}: {}", result.unwrap_err());
        if begun.elapsed() >= time {
            return;
        }
    }
}

/// The probe and the typed views read the same texts.
#[test]
fn one_verdict_on_any_document() {
    for reader in ["plain", "error"] {
        try_reader(reader, |text| {
            let probe = ChunkProbe::read(text);
            let typed = (ChatResponse::from_json(text), ChatChunk::from_json(text));
            prop_assert_eq!(probe.is_ok(), typed.0.is_ok(), "{:?}", typed.0);
            prop_assert_eq!(probe.is_ok(), typed.1.is_ok(), "{:?}", typed.1);
            if let (Ok(probe), Ok(response)) = (probe, typed.0) {
                // What came is never absent in the typed view.
                if let Some(said) = probe.text().filter(|_| probe.choices() == 1) {
                    prop_assert_eq!(response.text(), Some(&*said));
                }
            }
            Ok(())
        });
    }
}

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

fn items(pieces: impl Iterator<Item = Bytes>) -> Vec<SseItem> {
    let mut decoder = SseDecoder::with_limit(1 << 20);
    let mut items = Vec::new();
    for mut piece in pieces {
        while let Ok(Some(item)) = decoder.decode(&mut piece) {
            items.push(item);
        }
    }
    items.extend(decoder.flush());
    items
}

/// Events are the same however the bytes are cut.
#[test]
fn any_events_are_the_same_however_they_come() {
    try_reader("stream", |text| {
        let whole = items(std::iter::once(text.clone()));
        for length in [1, 3, 17] {
            prop_assert_eq!(&items(text.chunks(length).map(Bytes::copy_from_slice)), &whole);
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

/// The words of an error are bounded, and every reader of it agrees that there is one.
#[test]
fn any_error_is_read() {
    for reader in ["error", "plain"] {
        try_reader(reader, |text| {
            let (told, failed) = (UpstreamError::parse(text), UpstreamError::parse_failed(text));
            prop_assert!(told.is_none() || failed.is_some(), "{:?}", told);
            for error in told.into_iter().chain(failed) {
                drop((
                    error.to_string(),
                    error.retry_after(),
                    error.status(),
                    error.affordable_tokens(),
                ));
            }
            Ok(())
        });
    }
}

#[test]
fn any_usage_is_read() {
    try_reader("usage", |text| {
        if let Ok(usage) = serde_json::from_slice::<Usage>(text) {
            let layers = usage.for_layers();
            let charged = layers.and_then(|usage| usage.charged);
            prop_assert!(charged.is_none_or(|charged| !charged.is_negative()), "{:?}", charged);
            black_box((usage.charged().is_ok(), usage.total_cost().is_ok()));
            black_box((usage.cached_tokens(), usage.reasoning_tokens()));
        }
        Ok(())
    });
}
