//! Events and documents of each API that can be streamed, whatever the bytes.

use std::hint::black_box;

use bytes::Bytes;
use openrouter_wire::{
    Api, ApiAnswer as _,
    assemble::Assembler,
    chat::ChunkProbe,
    events::{EventProbe, Step, StreamState},
    json::strict,
    messages::MessageDocument,
    responses::ResponseDocument,
    sse::SseItem,
};
use proptest::prelude::*;

use super::{items, read};
use crate::near::{has_value, kept, try_readers};

/// Each API with texts of its own, and with those of another one.
const PIECES: [(Api, &str); 8] = [
    (Api::Chat, "plain"),
    (Api::Chat, "stream"),
    (Api::Responses, "responses-plain"),
    (Api::Responses, "responses-stream"),
    (Api::Responses, "stream"),
    (Api::Messages, "messages-plain"),
    (Api::Messages, "messages-stream"),
    (Api::Messages, "stream"),
];

/// Typed events are read or refused, and what an answer is put together from them is JSON.
#[test]
fn any_pieces_make_an_answer_that_every_parser_reads() {
    try_readers(&PIECES, |api, text| {
        let mut whole = Assembler::default();
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii_end();
            let piece = text.slice_ref(line.strip_prefix(b"data: ").unwrap_or(line));
            black_box(
                EventProbe::read(api, &piece)
                    .map(|piece| (piece.text(), piece.end(), piece.shown_tokens()))
                    .ok(),
            );
            // What cannot be read is left out.
            if std::str::from_utf8(&piece).is_ok() && ChunkProbe::read(&piece).is_ok() {
                black_box(whole.add(api, &piece, false).is_ok());
            }
        }
        black_box(whole.text());
        let whole = whole.whole();
        let is_strict = *whole == *strict(&whole);
        let read = read(&whole);
        prop_assert!(
            is_strict && read.as_ref().is_none_or(Result::is_ok),
            "{:?}: {:?}",
            read,
            whole
        );
        Ok(())
    });
}

const TYPED: [(Api, &str); 4] = [
    (Api::Responses, "responses-plain"),
    (Api::Responses, "responses-error"),
    (Api::Messages, "messages-plain"),
    (Api::Messages, "messages-error"),
];

/// Whether the typed view reads a document, and its text.
fn typed(api: Api, text: &[u8]) -> Option<Option<String>> {
    match api {
        Api::Responses => ResponseDocument::from_json(text).ok().map(|whole| whole.text()),
        Api::Messages => MessageDocument::from_json(text).ok().map(|whole| whole.text()),
        _ => unreachable!("{api} has no types of events"),
    }
}

/// The reader of events and the typed view read the same documents, and find the same text in them.
#[test]
fn any_document_of_a_typed_api_gets_one_verdict() {
    try_readers(&TYPED, |api, text| {
        // The typed view takes the mark off itself.
        if text.starts_with("\u{feff}".as_bytes()) {
            return Ok(());
        }
        let (piece, typed) = (EventProbe::read(api, text), typed(api, text));
        prop_assert_eq!(piece.is_ok(), typed.is_some(), "{:?}", piece.err());
        let Ok(piece) = piece else { return Ok(()) };
        black_box(piece.upstream_error());
        prop_assert!(piece.is_failure() || piece.upstream_error().is_none());
        if piece.step == Step::Document {
            let said = piece.text().map(std::borrow::Cow::into_owned);
            prop_assert_eq!(Some(said), typed);
        }
        Ok(())
    });
}

const STREAMS: [(Api, &str); 4] = [
    (Api::Responses, "responses-stream"),
    (Api::Responses, "messages-stream"),
    (Api::Messages, "messages-stream"),
    (Api::Messages, "responses-stream"),
];

/// Whether a text says that an answer ended, in words of this API.
fn says_end(api: Api, text: &str) -> bool {
    match api {
        Api::Responses => text.contains("complete") || text.contains("done"),
        Api::Messages => has_value(text, "stop_reason"),
        _ => unreachable!("{api} has no types of events"),
    }
}

/// The course of a stream ends at an event that says so, once, and what only repeats shows nothing.
#[test]
fn any_course_ends_only_if_an_event_says_so() {
    try_readers(&STREAMS, |api, text| {
        let mut course = StreamState::of(api).unwrap();
        let mut was_ended = false;
        for item in items(std::iter::once(text.clone())) {
            let SseItem::Event(event) = item else { continue };
            let Ok(piece) = EventProbe::read(api, &event.data) else {
                continue;
            };
            let taken = course.apply(&piece);
            prop_assert!(!was_ended || course.is_ended(), "an end was taken back");
            prop_assert!(!taken.shows || !taken.is_snapshot, "{:?}", taken);
            prop_assert!(taken.shows || taken.tokens == 0, "{:?}", taken);
            was_ended = course.is_ended();
        }
        let text = String::from_utf8_lossy(text);
        let is_whole = course.is_ended() || course.is_whole_when_done();
        prop_assert!(!is_whole || says_end(api, &text), "{}", text);
        prop_assert!(
            !course.is_whole_without_end() || text.contains("output_item.done"),
            "{}",
            text
        );
        Ok(())
    });
}

/// The texts of a folder are what its name says, and the reader of each API finds that.
#[test]
fn each_kept_stream_ends_unless_its_name_says_otherwise() {
    for (api, folder) in [(Api::Responses, "responses-stream"), (Api::Messages, "messages-stream")] {
        for (name, text) in kept(folder) {
            let mut course = StreamState::of(api).unwrap();
            let mut has_failed = false;
            for item in items(std::iter::once(text.clone())) {
                match item {
                    SseItem::Event(event) => {
                        let piece = EventProbe::read(api, &event.data).unwrap();
                        has_failed |= piece.is_failure();
                        course.apply(&piece);
                    }
                    SseItem::Done => assert!(course.is_ended() || course.is_whole_when_done(), "{folder}/{name}"),
                    _ => {}
                }
            }
            let is_whole = course.is_ended() || name == "done-in-place" || name == "document";
            let is_cut = name.starts_with("cut-");
            assert_eq!(has_failed, name.starts_with("failed-"), "{folder}/{name}");
            assert_eq!(is_whole, !is_cut && !has_failed, "{folder}/{name}");
        }
    }
}

/// Line ends of either kind part the same pieces.
#[test]
fn a_kept_stream_with_other_line_ends_makes_the_same_answer() {
    let whole = |api: Api, text: &Bytes| {
        let mut whole = Assembler::default();
        for item in items(std::iter::once(text.clone())) {
            if let SseItem::Event(event) = item {
                assert!(whole.add(api, &event.data, false).is_ok());
            }
        }
        whole.whole()
    };
    for (api, folder) in [(Api::Responses, "responses-stream"), (Api::Messages, "messages-stream")] {
        for (name, text) in kept(folder) {
            let lines = String::from_utf8(text.to_vec()).unwrap().replace("\r\n", "\n");
            for end in ["\n", "\r\n", "\r"] {
                let other = Bytes::from(lines.replace('\n', end));
                assert_eq!(whole(api, &other), whole(api, &text), "{folder}/{name} {end:?}");
            }
        }
    }
}
