//! Whatever the bytes: no reader panics, hangs, or tells two things of the same text. From a kept corpus, and what is near to it. What reads each API
//! in its own way is in `any_bytes/`.

mod embeddings;
mod events;

use std::{fs, hint::black_box};

use bytes::Bytes;
use openrouter_wire::{
    Api,
    chat::{ChatChunk, ChatResponse, ChunkProbe, as_chunk},
    document::Document,
    error::UpstreamError,
    json::{Cursor, strict},
    loose::{documents, event_data, first_document, repaired, summary},
    sse::{SseDecoder, SseItem},
    usage::{Usage, UsageCounts, usage_counts},
};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::{CORPUS, near::try_reader};

/// All folders of the corpus; those without an API in their name are of chat.
const FOLDERS: [&str; 16] = [
    "embeddings-error",
    "embeddings-plain",
    "embeddings-request",
    "error",
    "messages-error",
    "messages-plain",
    "messages-request",
    "messages-stream",
    "plain",
    "request",
    "responses-error",
    "responses-plain",
    "responses-request",
    "responses-stream",
    "stream",
    "usage",
];

const STREAMS: [&str; 3] = ["stream", "responses-stream", "messages-stream"];

/// Errors, and answers that some readers could take for one.
const ERRORS: [&str; 8] = [
    "error",
    "plain",
    "responses-error",
    "responses-plain",
    "messages-error",
    "messages-plain",
    "embeddings-error",
    "embeddings-plain",
];

#[test]
fn no_folder_of_the_corpus_is_left_out() {
    let folders = fs::read_dir(CORPUS).unwrap();
    let mut folders: Vec<String> = folders
        .map(|folder| folder.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert_eq!(folders, FOLDERS);
}

/// What `serde_json` makes of it once it is strict; `None` if it is nested deeper than `serde_json` reads.
fn read(text: &[u8]) -> Option<Result<Value, serde_json::Error>> {
    let read = serde_json::from_slice(&strict(text));
    let is_deep = |error: &serde_json::Error| error.to_string().starts_with("recursion limit");
    (!read.as_ref().is_err_and(is_deep)).then_some(read)
}

/// The strict cursor takes what `serde_json` takes, the lenient one more, and all of that can be made strict.
#[test]
fn any_text_has_one_grammar() {
    try_reader(&FOLDERS, |text| {
        let whole = |mut cursor: Cursor<'_>| cursor.skip().and_then(|()| cursor.end()).is_ok();
        let (strictly, leniently) = (whole(Cursor::new(text)), whole(Cursor::lenient(text)));
        prop_assert!(!strictly || leniently);
        let known = serde_json::from_slice::<Value>(text);
        prop_assert!(known.is_err() || strictly);
        if leniently && std::str::from_utf8(text).is_ok() {
            let read = read(text);
            prop_assert!(read.as_ref().is_none_or(Result::is_ok), "{:?}", read);
        }
        Ok(())
    });
}

/// What is not changed goes out as it came, and a change is all that changes.
#[test]
fn any_document_keeps_its_bytes() {
    try_reader(&FOLDERS, |text| {
        let bare = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let known = serde_json::from_slice::<Map<String, Value>>(bare);
        let Ok(mut document) = Document::parse(text.clone()) else {
            prop_assert!(known.is_err(), "{:?}", known);
            return Ok(());
        };
        prop_assert_eq!(&document.to_bytes()[..], bare);
        document.set("model", Bytes::from_static(b"\"a/b\""));
        let sent = document.to_bytes();
        prop_assert_eq!(sent.len(), document.len());
        if let (Some(Ok(mut before)), Some(after)) = (read(bare), read(&sent)) {
            before["model"] = "a/b".into();
            prop_assert_eq!(after.unwrap(), before);
        }
        Ok(())
    });
}

/// The probe and the typed views read the same texts.
#[test]
fn any_document_gets_one_verdict() {
    try_reader(&["plain", "error"], |text| {
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
    try_reader(&STREAMS, |text| {
        let whole = items(std::iter::once(text.clone()));
        for length in [1, 3, 17] {
            prop_assert_eq!(&items(text.chunks(length).map(Bytes::copy_from_slice)), &whole);
        }
        Ok(())
    });
}

/// What is written otherwise than the standard has it is made an object, or left.
#[test]
fn any_loose_text_is_repaired_or_left() {
    try_reader(&FOLDERS, |text| {
        if let Some(repaired) = repaired(text).filter(|repaired| repaired.first() == Some(&b'{')) {
            prop_assert!(ChunkProbe::read(&repaired).is_ok());
        }
        for found in documents(text).into_iter().flatten() {
            prop_assert!(text.windows(found.len().max(1)).any(|window| window == found));
        }
        let words = summary(text);
        prop_assert!(words.len() <= 203, "{}", words.len());
        black_box((Api::ALL.map(|api| first_document(api, text)), event_data(text)));
        prop_assert!(!as_chunk(text).contains(&b'\n'));
        Ok(())
    });
}

/// The words of an error are bounded, and every reader of it agrees that there is one.
#[test]
fn any_error_is_read() {
    try_reader(&ERRORS, |text| {
        let (told, failed) = (UpstreamError::parse(text), UpstreamError::parse_failed(text));
        prop_assert!(told.is_none() || failed.is_some(), "{:?}", told);
        let of_part = UpstreamError::parse_part(text);
        for error in told.into_iter().chain(failed).chain(of_part) {
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

#[test]
fn any_usage_is_read() {
    try_reader(&["usage"], |text| {
        if let Ok(usage) = serde_json::from_slice::<Usage>(text) {
            // The short way and the typed view say the same.
            let counts = usage_counts(text).map(UsageCounts::into_owned);
            prop_assert_eq!(counts, Some(usage.counts().into_owned()));
            black_box((usage.cached_tokens(), usage.reasoning_tokens()));
        }
        Ok(())
    });
}
