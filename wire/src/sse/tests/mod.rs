//! The standard, rule by rule.

mod standard;

use bytes::Bytes;

use super::{SseDecoder, SseError, SseEvent, SseItem};

fn event(data: &'static str) -> SseItem {
    typed(data, None, None)
}

fn typed(data: &'static str, event: Option<&'static str>, id: Option<&'static str>) -> SseItem {
    let [event, id] = [event, id].map(|field| field.map(|value| Bytes::from_static(value.as_bytes())));
    SseItem::Event(SseEvent {
        data: Bytes::from_static(data.as_bytes()),
        event,
        id,
    })
}

fn drain(decoder: &mut SseDecoder, chunk: &[u8], items: &mut Vec<SseItem>) -> Result<(), SseError> {
    let mut input = Bytes::copy_from_slice(chunk);
    while let Some(item) = decoder.decode(&mut input)? {
        items.push(item);
    }
    assert!(input.is_empty(), "None means used up");
    Ok(())
}

/// Decodes the stream whole, cut in two at every byte, and byte by byte, with empty chunks between;
/// all must agree.
fn decode(stream: &[u8]) -> (Vec<SseItem>, Result<(), SseError>) {
    let with_chunks = |chunks: &[&[u8]]| {
        let mut decoder = SseDecoder::new();
        let mut items = Vec::new();
        for chunk in chunks {
            drain(&mut decoder, chunk, &mut items).unwrap();
        }
        (items, decoder.finish())
    };
    let whole = with_chunks(&[stream]);
    for cut in 0..=stream.len() {
        let (front, back) = stream.split_at(cut);
        assert_eq!(with_chunks(&[front, &[], back]), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(with_chunks(&bytes), whole, "byte by byte");
    whole
}

fn stray(line: &str) -> SseItem {
    SseItem::Unframed(Bytes::copy_from_slice(line.as_bytes()))
}

/// What lacks its blank line can be had at the end, and the decoder is empty then.
#[test]
fn an_unfinished_event_is_flushed_once() {
    for (stream, items) in [
        ("data: a", vec![event("a")]),
        ("data: a\n", vec![event("a")]),
        ("data: a\r\ndata: b", vec![event("a\nb")]),
        ("data: [DONE]\n", vec![SseItem::Done]),
        ("data: {}\ndata: [DONE]", vec![event("{}"), SseItem::Done]),
        ("data: a\nno", vec![stray("no"), event("a")]),
        ("event: x\n", vec![]),
        ("data: a\n\n", vec![]),
    ] {
        let mut decoder = SseDecoder::new();
        let mut seen = Vec::new();
        drain(&mut decoder, stream.as_bytes(), &mut seen).unwrap();
        assert_eq!(decoder.flush(), items, "{stream:?}");
        assert_eq!((decoder.flush(), decoder.finish()), (vec![], Ok(())), "{stream:?}");
    }
}

#[test]
fn the_standard_rule_by_rule() {
    use SseItem::{Comment, Done};

    #[rustfmt::skip]
    let table: &[(&str, &[u8], &[SseItem])] = &[
        ("an event ends at a blank line", b"data: a\n\ndata: b\n\n", &[event("a"), event("b")]),
        ("lines end in LF", b"data: a\n\n", &[event("a")]),
        ("lines end in CR LF", b"data: a\r\n\r\n", &[event("a")]),
        ("lines end in CR", b"data: a\r\r", &[event("a")]),
        ("line ends may be mixed", b"data: a\r\ndata: b\rdata: c\n\r\n", &[event("a\nb\nc")]),
        ("LF CR is two line ends", b"data: a\n\rdata: b\n\n", &[event("a"), event("b")]),
        ("a byte order mark is dropped", b"\xEF\xBB\xBFdata: a\n\n", &[event("a")]),
        ("a byte order mark before a comment", b"\xEF\xBB\xBF:\n\n", &[Comment]),
        ("a byte order mark before a blank line", b"\xEF\xBB\xBF\ndata: a\n\n", &[event("a")]),
        ("only one byte order mark is dropped", b"\xEF\xBB\xBF\xEF\xBB\xBFdata: a\n\ndata: b\n\n", &[stray("\u{feff}data: a"), event("b")]),
        ("no byte order mark within", b"data: a\n\n\xEF\xBB\xBFdata: b\n\n", &[event("a"), stray("\u{feff}data: b")]),
        ("half a byte order mark is a name", b"\xEF\xBBdata: a\n\ndata: b\n\n", &[SseItem::Unframed(Bytes::from_static(b"\xEF\xBBdata: a")), event("b")]),
        ("no space after the colon", b"data:a\n\n", &[event("a")]),
        ("one space is dropped, no more", b"data:  a \n\n", &[event(" a ")]),
        ("a tab is not a space", b"data:\ta\n\n", &[event("\ta")]),
        ("the first colon divides", b"data: a: b\n\n", &[event("a: b")]),
        ("lines of data are joined", b"data: a\ndata\ndata: b\n\n", &[event("a\n\nb")]),
        ("a name without colon", b"data\n\n", &[event("")]),
        ("two names without colon", b"data\ndata\n\n", &[event("\n")]),
        ("an empty value is data", b"data:\n\n", &[event("")]),
        ("names are case-sensitive", b"Data: a\ndata: b\n\n", &[stray("Data: a"), event("b")]),
        ("names are whole", b"dat: a\ndatas: b\ndata : c\n data: d\ndata: e\n\n", &[stray("dat: a"), stray("datas: b"), stray("data : c"), stray(" data: d"), event("e")]),
        ("unknown fields are items of their own", b"foo: a\ndata: b\n:\nbar\n\n", &[stray("foo: a"), Comment, stray("bar"), event("b")]),
        ("a document without its field", b"data: a\n{\"error\":1}\n\n", &[stray("{\"error\":1}"), event("a")]),
        ("white space is no field", b"  \ndata: a\n\t\n\n", &[event("a")]),
        ("events parted by one line end", b"data: {\"a\":1}\ndata: {}\r\ndata: [DONE]\n\n", &[event("{\"a\":1}"), event("{}"), Done]),
        ("one document on several lines", b"data: {\"a\":\ndata: {}\ndata: ,\"b\":[{}\ndata: ,{}]}\n\n", &[event("{\"a\":\n{}\n,\"b\":[{}\n,{}]}")]),
        ("retry is ignored", b"retry: 10\ndata: a\n\nretry: ten\n\n", &[event("a")]),
        ("a type", b"event: delta\ndata: a\n\n", &[typed("a", Some("delta"), None)]),
        ("the last type counts", b"event: x\ndata: a\nevent: y\n\n", &[typed("a", Some("y"), None)]),
        ("an empty type is none", b"event: x\nevent\ndata: a\n\n", &[event("a")]),
        ("a type is for one event", b"event: x\ndata: a\n\ndata: b\n\n", &[typed("a", Some("x"), None), event("b")]),
        ("a type without data is dropped", b"event: x\n\ndata: a\n\n", &[event("a")]),
        ("an id", b"id: 1\ndata: a\n\ndata: b\n\n", &[typed("a", None, Some("1")), event("b")]),
        ("an empty id", b"id\ndata: a\n\n", &[typed("a", None, Some(""))]),
        ("an id with NUL is ignored", b"id: 1\nid: \0\ndata: a\n\n", &[typed("a", None, Some("1"))]),
        ("an id without data is dropped", b"id: 1\n\ndata: a\n\n", &[event("a")]),
        ("comments", b": OPENROUTER PROCESSING\n\n:\n:\n\n", &[Comment, Comment, Comment]),
        ("a comment within an event", b"data: a\n: b\ndata: c\n\n", &[Comment, event("a\nc")]),
        ("blank lines alone", b"\n\n\r\n\r\r\n", &[]),
        ("the end of OpenAI's dialect", b"data: a\n\ndata: [DONE]\n\n", &[event("a"), Done]),
        ("the end without space", b"data:[DONE]\r\n\r\n", &[Done]),
        ("the end with blanks or quotes", b"data: [DONE] \n\ndata:  [done]\n\ndata: \"[DONE]\"\n\n", &[Done, Done, Done]),
        ("what only resembles the end", b"data: [DONE\n\ndata: DONE\n\n", &[event("[DONE"), event("DONE")]),
        ("events after the end", b"data: [DONE]\n\ndata: a\n\n", &[Done, event("a")]),
        ("characters of several bytes", "data: aé漢🦀\n\n".as_bytes(), &[event("aé漢🦀")]),
        ("the standard's stocks", b"data: YHOO\ndata: +2\ndata: 10\n\n", &[event("YHOO\n+2\n10")]),
        ("the standard's spaces", b"data:test\n\ndata: test\n\n", &[event("test"), event("test")]),
    ];
    for (rule, stream, items) in table {
        assert_eq!(decode(stream), (items.to_vec(), Ok(())), "{rule}");
    }
}

#[test]
fn data_need_not_be_utf8() {
    let (items, end) = decode(b"data: \xFF\xFE\n\n");
    let data = Bytes::from_static(b"\xFF\xFE");
    assert_eq!(
        items,
        [SseItem::Event(SseEvent {
            data,
            event: None,
            id: None
        })]
    );
    assert_eq!(end, Ok(()));
}

#[test]
fn an_unfinished_event_is_reported_and_not_returned() {
    for (stream, bytes) in [
        ("data: a", 7),
        ("data: a\n", 8),
        ("data: a\r\n", 8),
        ("data: [DONE]", 12),
        ("event: x\nid: 1\n", 15),
        ("retry: 1\n", 9),
        ("data: a\n\ndata: b", 7),
        ("data: a\n: comment", 17),
        (": comm", 6),
        ("\u{FEFF}d", 4),
    ] {
        let (items, end) = decode(stream.as_bytes());
        assert_eq!(end, Err(SseError::Truncated { bytes }), "{stream:?}");
        assert!(items.iter().all(|item| *item == event("a")), "{stream:?}");
    }
}

#[test]
fn an_end_between_events_is_clean() {
    for stream in [
        "",
        "\u{FEFF}",
        "\n",
        ": comment\n",
        ": comment\r",
        "data: a\n\n",
        "data: a\r\n\r",
        "data: a\n\n:\n",
    ] {
        assert_eq!(decode(stream.as_bytes()).1, Ok(()), "{stream:?}");
    }
}

#[test]
fn a_line_feed_after_a_carriage_return_at_a_chunks_end_is_no_second_line_end() {
    let mut decoder = SseDecoder::new();
    let mut items = Vec::new();
    drain(&mut decoder, b"data: a\r", &mut items).unwrap();
    drain(&mut decoder, b"\ndata: b\r", &mut items).unwrap();
    assert_eq!(items, []);
    drain(&mut decoder, b"\r", &mut items).unwrap();
    assert_eq!(items, [event("a\nb")], "given at the CR, without waiting for a LF");
    drain(&mut decoder, b"\n", &mut items).unwrap();
    assert_eq!(decoder.finish(), Ok(()));
}

#[test]
fn the_limit_counts_a_whole_event() {
    // 8 + 8 + 1 bytes with their line ends.
    let stream = b"data: a\r\ndata: b\r\n\r\n";
    let mut items = Vec::new();
    assert_eq!(drain(&mut SseDecoder::with_limit(17), stream, &mut items), Ok(()));
    assert_eq!(items, [event("a\nb")]);
    let error = SseError::EventTooLarge { limit: 16 };
    assert_eq!(drain(&mut SseDecoder::with_limit(16), stream, &mut items), Err(error));
}

#[test]
fn the_limit_holds_for_a_line_without_end() {
    for start in ["data: ", ": ", "junk", "\u{FEFF}"] {
        let mut decoder = SseDecoder::with_limit(1000);
        let mut items = Vec::new();
        let mut sent = start.len();
        drain(&mut decoder, start.as_bytes(), &mut items).unwrap();
        while sent < 2000 && drain(&mut decoder, b"0123456789", &mut items).is_ok() {
            sent += 10;
        }
        assert!((991..=1000).contains(&sent), "{start:?}: {sent}");
        let held = format!("{decoder:?}");
        assert!(held.contains("line_bytes: 0"), "what was held is dropped: {held}");
    }
}

#[test]
fn the_limit_holds_for_an_event_without_end() {
    for line in ["data\n", "data:\r\n", "id: 1\n", "junk\n"] {
        let mut decoder = SseDecoder::with_limit(1000);
        let mut items = Vec::new();
        let lines = (0..2000)
            .take_while(|_| drain(&mut decoder, line.as_bytes(), &mut items).is_ok())
            .count();
        assert_eq!(lines, 1000 / line.replace("\r\n", "\n").len(), "{line:?}");
    }
}

#[test]
fn comments_may_continue_without_end() {
    let mut decoder = SseDecoder::with_limit(20);
    let mut items = Vec::new();
    drain(&mut decoder, b"data: 0123456789\n", &mut items).unwrap();
    for _ in 0..1000 {
        drain(&mut decoder, b": still working\n", &mut items).unwrap();
    }
    drain(&mut decoder, b"\n", &mut items).unwrap();
    assert_eq!(items.len(), 1001);
    assert_eq!(items.last(), Some(&event("0123456789")));
}

#[test]
fn after_an_error_there_is_only_the_error() {
    let error = Err(SseError::EventTooLarge { limit: 10 });
    let mut decoder = SseDecoder::with_limit(10);
    let mut input = Bytes::from_static(b"data: a\n\ndata: 0123456789\n\ndata: b\n\n");
    assert_eq!(decoder.decode(&mut input), Ok(Some(event("a"))));
    assert_eq!(decoder.decode(&mut input), error.map(|()| None));
    assert!(input.is_empty());
    for _ in 0..2 {
        let mut input = Bytes::from_static(b"data: b\n\n");
        assert_eq!(decoder.decode(&mut input), error.map(|()| None));
        assert!(input.is_empty());
    }
    assert_eq!(decoder.decode(&mut Bytes::new()), error.map(|()| None));
    assert_eq!(decoder.finish(), error);
}

#[test]
fn a_field_within_one_chunk_is_a_slice_of_it() {
    let chunk = Bytes::from(b"event: delta\nid: 7\ndata: whole\n\ndata: also\n".to_vec());
    let range = chunk.as_ptr_range();
    let mut decoder = SseDecoder::new();

    let mut input = chunk.clone();
    let Ok(Some(SseItem::Event(whole))) = decoder.decode(&mut input) else {
        panic!("an event")
    };
    for field in [&whole.data, &whole.event.unwrap(), &whole.id.unwrap()] {
        assert!(range.contains(&field.as_ptr()));
    }

    // The blank line may come later: the line itself was whole.
    assert_eq!(decoder.decode(&mut input), Ok(None));
    let Ok(Some(SseItem::Event(also))) = decoder.decode(&mut Bytes::from_static(b"\n")) else {
        panic!("an event")
    };
    assert!(range.contains(&also.data.as_ptr()));
}

#[test]
fn debug_shows_no_content() {
    let mut decoder = SseDecoder::new();
    drain(&mut decoder, b"data: secret\ndata: sec", &mut Vec::new()).unwrap();
    let text = format!("{decoder:?}");
    assert!(
        !text.contains("sec") && text.contains("event_bytes: 13") && text.contains("line_bytes: 9"),
        "{text}"
    );
}
