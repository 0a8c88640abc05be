//! Whole streams, as the standard and the tests of browsers have them: the events that an `EventSource` dispatches.

use super::decode;
use crate::sse::{SseError, SseItem};

/// Type, data and last id. An id holds until the next one.
type Dispatched = (String, String, String);

fn dispatched(stream: &str) -> (Vec<Dispatched>, Result<(), SseError>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut last_id = String::new();
    let (items, end) = decode(stream.as_bytes());
    let mut events = Vec::new();
    for item in items {
        if let SseItem::Event(event) = item {
            if let Some(id) = &event.id {
                last_id = text(id);
            }
            let kind = event.event.map_or_else(|| "message".to_owned(), |name| text(&name));
            events.push((kind, text(&event.data), last_id.clone()));
        }
    }
    (events, end)
}

/// The data of each event of a stream that ends well.
fn messages(stream: &str) -> Vec<String> {
    let (events, end) = dispatched(stream);
    assert_eq!(end, Ok(()), "{stream:?}");
    events.into_iter().map(|(_, data, _)| data).collect()
}

#[test]
fn the_examples_of_the_standard() {
    let ids = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n";
    let event = |data: &str, id: &str| ("message".to_owned(), data.to_owned(), id.to_owned());
    let (first, second) = (event("first event", "1"), event("second event", ""));
    assert_eq!(dispatched(ids), (vec![first.clone(), second.clone()], Ok(())));
    // The third event lacks its blank line: a browser drops it in silence, and here that is a cut.
    let (events, end) = dispatched(&format!("{ids}data:  third event"));
    assert_eq!((events, end.is_err()), (vec![first, second], true));

    assert_eq!(messages("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
    assert_eq!(messages("data\n\ndata\ndata\n\n"), ["", "\n"]);
    let (events, end) = dispatched("data\n\ndata\ndata\n\ndata:");
    assert_eq!((events.len(), end.is_err()), (2, true));
    assert_eq!(messages("data:test\n\ndata: test\n\n"), ["test", "test"]);
    let (events, end) = dispatched("event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\ndata: 113411\n\n");
    let kinds: Vec<&str> = events.iter().map(|(kind, _, _)| kind.as_str()).collect();
    assert_eq!((kinds, end), (vec!["add", "remove", "message"], Ok(())));
}

#[test]
fn fields_of_every_spelling() {
    let stream =
        "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n";
    assert_eq!(messages(stream), ["\0\n 2\n1\n3\n\n4"]);
    let stream = "data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n";
    assert_eq!(messages(stream), ["msg\nmsg", "", "end"]);
    assert_eq!(messages("data:test\r\ndata\ndata:test\r\n\r"), ["test\n\ntest"]);
    assert_eq!(messages("data:\ttest\rdata: \ndata:test\n\n"), ["\ttest\n\ntest"]);
    assert_eq!(messages("data:\0\n\n\n\n"), ["\0"]);
    assert_eq!(
        messages("retry:3000\nretry:1000x\ndata:x\n\nretry:\ndata:y\n\n"),
        ["x", "y"]
    );
    assert_eq!(messages("data:ok\u{2026}\n\n"), ["ok\u{2026}"]);
}

#[test]
fn marks_and_comments() {
    let long = "x".repeat(1024);
    let stream = format!("data:1\r:\0\n:\r\ndata:2\n:{long}\rdata:3\n:data:fail\r:{long}\ndata:4\n\n");
    assert_eq!(messages(&stream), ["1\n2\n3\n4"]);
    // One mark is dropped; a second one belongs to the first field's name.
    assert_eq!(messages("\u{feff}data:1\n\n\u{feff}data:2\n\ndata:3\n\n"), ["1", "3"]);
    assert_eq!(messages("\u{feff}\u{feff}data:1\n\ndata:2\n\ndata:3\n\n"), ["2", "3"]);
}

#[test]
fn ids_and_types_between_events() {
    let event = |kind: &str, data: &str, id: &str| (kind.to_owned(), data.to_owned(), id.to_owned());
    let (events, end) = dispatched("id: a\ndata: 1\n\ndata: 2\n\nid\ndata: 3\n\nid: b\0c\ndata: 4\n\n");
    let expected = [("1", "a"), ("2", "a"), ("3", ""), ("4", "")].map(|(data, id)| event("message", data, id));
    assert_eq!((events, end), (expected.to_vec(), Ok(())));
    let (events, _) = dispatched("event:test\ndata:x\n\ndata:x\n\nevent:\ndata:y\n\nevent: t\n\ndata:z\n\n");
    let expected = [("test", "x"), ("message", "x"), ("message", "y"), ("message", "z")];
    assert_eq!(events, expected.map(|(kind, data)| event(kind, data, "")));
}
