//! The SSE decoder against a naive one, over any stream and any way to cut it.

use bytes::Bytes;
use openrouter_wire::sse::{SseDecoder, SseError, SseEvent, SseItem};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed};

/// Everything a decoder says about one stream.
type Told = (Vec<SseItem>, Result<(), SseError>);

/// The same cases in every run, and no files of failures.
fn config(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(0x5EED),
        ..Config::default()
    }
}

/// Reads the standard's grammar off the whole stream, line by line, in the plainest words.
fn naive(stream: &[u8], limit: usize) -> Told {
    let mut rest = stream;
    let mut size = 0;
    let mut items = Vec::new();
    let (mut data, mut event, mut id) = (Vec::<Vec<u8>>::new(), Vec::new(), None);
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| b"\r\n".contains(byte));
        let mut line = &rest[..end.unwrap_or(rest.len())];
        let length = line.len() + usize::from(end.is_some());
        if rest.len() == stream.len() {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        let comment = line.first() == Some(&b':');
        if length + if comment { 0 } else { size } > limit {
            return (items, Err(SseError::EventTooLarge { limit }));
        }
        let Some(end) = end else {
            let mark_alone = stream == b"\xEF\xBB\xBF";
            let cut = Err(SseError::Truncated { bytes: size + length });
            return (items, if mark_alone { Ok(()) } else { cut });
        };
        rest = &rest[end..];
        rest = rest.strip_prefix(b"\r\n").unwrap_or(&rest[1..]);

        if line.is_empty() {
            items.extend(item(&data, &event, id));
            (data, event, id, size) = (Vec::new(), Vec::new(), None, 0);
            continue;
        }
        if comment {
            items.push(SseItem::Comment);
            continue;
        }
        size += line.len() + 1;
        let (name, value) = match line.iter().position(|&byte| byte == b':') {
            None => (line, &[][..]),
            Some(colon) => (&line[..colon], &line[colon + 1..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value).to_vec();
        match name {
            b"data" => {
                let is_whole = data.join(&b'\n').trim_ascii_end().ends_with(b"}");
                if is_whole && (value.trim_ascii_start().starts_with(b"{") || is_done(&value)) {
                    items.extend(item(&data, &event, id));
                    (data, event, id) = (Vec::new(), Vec::new(), None);
                    size = line.len() + 1;
                }
                data.push(value);
            }
            b"event" => event = value,
            b"id" if value.contains(&0) => {}
            b"id" => id = Some(value),
            b"retry" => {}
            _ if line.trim_ascii().is_empty() => {}
            _ => items.push(SseItem::Unframed(Bytes::copy_from_slice(line))),
        }
    }
    (
        items,
        if size == 0 {
            Ok(())
        } else {
            Err(SseError::Truncated { bytes: size })
        },
    )
}

fn is_done(data: &[u8]) -> bool {
    let mut text = data.trim_ascii();
    for mark in [b"\"", b"'"] {
        let inside = text.strip_prefix(mark).and_then(|text| text.strip_suffix(mark));
        if let Some(inside) = inside {
            text = inside;
            break;
        }
    }
    data.len() <= 32 && text.trim_ascii().eq_ignore_ascii_case(b"[DONE]")
}

fn item(data: &[Vec<u8>], event: &[u8], id: Option<Vec<u8>>) -> Option<SseItem> {
    let joined = data.join(&b'\n');
    if is_done(&joined) {
        return Some(SseItem::Done);
    }
    (!data.is_empty()).then(|| {
        let mut found = SseEvent::new(joined.into());
        found.event = (!event.is_empty()).then(|| Bytes::copy_from_slice(event));
        found.id = id.map(Bytes::from);
        SseItem::Event(found)
    })
}

/// Gives the stream to a decoder in pieces of the given lengths, the rest as the last piece.
fn in_pieces(stream: &[u8], lengths: impl IntoIterator<Item = usize>, limit: usize) -> Told {
    let mut decoder = SseDecoder::with_limit(limit);
    let mut items = Vec::new();
    let mut rest = Bytes::copy_from_slice(stream);
    for length in lengths.into_iter().map(Some).chain([None]) {
        let mut input = rest.split_to(length.unwrap_or(rest.len()).min(rest.len()));
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Err(error)),
            }
        }
        assert!(input.is_empty());
    }
    (items, decoder.finish())
}

fn line() -> impl Strategy<Value = String> {
    let text = "[ -~é漢🦀\t\0]{0,12}";
    prop_oneof![
        6 => text.prop_map(|value| format!("data: {value}")),
        1 => text.prop_map(|value| format!("data:{value}")),
        1 => text.prop_map(|value| format!("event: {value}")),
        1 => text.prop_map(|value| format!("id: {value}")),
        1 => text.prop_map(|value| format!("retry: {value}")),
        2 => text.prop_map(|value| format!(":{value}")),
        1 => text,
        1 => select(vec!["data", "event", "id", "data:", "\u{FEFF}", "\u{FEFF}data: a"]).prop_map(String::from),
        2 => select(vec!["data: [DONE]", "data:  [DONE] ", "data: \"[DONE]\"", "data: [done]"]).prop_map(String::from),
        3 => select(vec!["data: {}", "data: {\"a\":1} ", "data:{", "{\"error\":1}", "  "]).prop_map(String::from),
        8 => Just(String::new()),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let ended = (line(), select(vec!["\n", "\n", "\r\n", "\r"])).prop_map(|(line, end)| line + end);
    let mark = select(vec!["", "\u{FEFF}"]);
    (mark, vec(ended, 0..24), line())
        .prop_map(|(mark, lines, last)| (String::from(mark) + &lines.concat() + &last).into())
}

/// Bytes with a strong liking for those that mean something.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let token: Vec<&[u8]> = vec![
        b"\n",
        b"\n\n",
        b"\r",
        b"\r\n",
        b":",
        b" ",
        b"data",
        b"data:",
        b"event:",
        b"id",
        b"\0",
        b"[DONE]",
        b"\xEF",
        b"\xBB",
        b"\xBF",
        b"\xEF\xBB\xBF",
        b"x",
        b"\xFF",
    ];
    prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(select(token), 0..60).prop_map(|tokens| tokens.concat()),
    ]
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn any_cut_of_any_stream_says_the_same(stream in stream(), pieces in vec(0..40usize, 0..40)) {
        let expected = naive(&stream, usize::MAX);
        prop_assert_eq!(&in_pieces(&stream, [], usize::MAX), &expected, "whole");
        prop_assert_eq!(&in_pieces(&stream, pieces, usize::MAX), &expected, "in pieces");
        prop_assert_eq!(&in_pieces(&stream, vec![1; stream.len()], usize::MAX), &expected, "byte by byte");
    }

    #[test]
    fn any_bytes_at_all_do_no_harm(stream in hostile(), pieces in vec(0..20usize, 0..40), limit in 0..80usize) {
        for limit in [limit, usize::MAX] {
            let expected = naive(&stream, limit);
            prop_assert_eq!(&in_pieces(&stream, [], limit), &expected, "whole");
            prop_assert_eq!(&in_pieces(&stream, pieces.clone(), limit), &expected, "in pieces");
            prop_assert_eq!(&in_pieces(&stream, vec![1; stream.len()], limit), &expected, "byte by byte");
        }
    }

    #[test]
    fn the_limit_holds_however_the_stream_is_cut(stream in stream(), pieces in vec(0..40usize, 0..40), limit in 0..60usize) {
        let expected = naive(&stream, limit);
        prop_assert_eq!(&in_pieces(&stream, [], limit), &expected, "whole");
        prop_assert_eq!(&in_pieces(&stream, pieces, limit), &expected, "in pieces");
        prop_assert_eq!(&in_pieces(&stream, vec![1; stream.len()], limit), &expected, "byte by byte");
    }

    #[test]
    fn a_cut_stream_tells_the_events_before_the_cut_and_no_more(stream in stream(), cut in any::<Index>()) {
        let cut = cut.index(stream.len() + 1);
        let (whole, _) = in_pieces(&stream, [], usize::MAX);
        let (items, _) = in_pieces(&stream[..cut], [], usize::MAX);
        prop_assert!(whole.starts_with(&items), "{items:?} of {whole:?}");
    }

    #[test]
    fn what_is_whole_in_a_chunk_is_not_copied(lines in vec("[ -~]{1,40}", 1..10), end in select(vec!["\n", "\r\n", "\r"])) {
        let stream: String = lines.iter().map(|line| format!("data: {line}{end}{end}")).collect();
        let chunk = Bytes::from(stream.into_bytes());
        let range = chunk.as_ptr_range();
        let mut decoder = SseDecoder::new();
        let mut input = chunk.clone();
        let mut events = 0;
        while let Some(item) = decoder.decode(&mut input).expect("within the limit") {
            let SseItem::Event(event) = item else { continue };
            prop_assert!(range.contains(&event.data.as_ptr()));
            events += 1;
        }
        prop_assert_eq!(events, lines.iter().filter(|line| *line != "[DONE]").count());
    }
}

/// If the work grew with the square of the length, this would take minutes.
#[test]
fn a_large_event_byte_by_byte_is_linear_work() {
    let mut stream = b"data: ".to_vec();
    stream.resize(1 << 20, b'x');
    stream.extend_from_slice(b"\n\n");
    let (items, end) = in_pieces(&stream, vec![1; stream.len()], SseDecoder::DEFAULT_LIMIT);
    assert_eq!(items.len(), 1);
    assert_eq!(end, Ok(()));
}

#[test]
fn the_types_cross_threads() {
    fn crosses<T: Send + Sync + Unpin + 'static>() {}
    crosses::<SseDecoder>();
    crosses::<SseItem>();
    crosses::<SseError>();
}
