//! Calls and pieces of reasoning in a stream: which pieces are of one entry, and what it is found by.

use serde_json::Value;

use super::super::Assembler;
use super::{Entries, Kind};
use crate::Api;

/// The name and the arguments of each call.
fn called(deltas: &[&str]) -> Vec<(String, String)> {
    let mut gathered = Assembler::default();
    for delta in deltas {
        let chunk = format!("{{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}");
        gathered.add(Api::Chat, &chunk.into(), false).unwrap();
    }
    let read: Value = serde_json::from_slice(&gathered.whole()).unwrap();
    let calls = read["choices"][0]["message"]["tool_calls"].as_array().cloned();
    let calls = calls.unwrap_or_default();
    let text = |call: &Value, name: &str| call["function"][name].as_str().unwrap_or_default().to_owned();
    calls
        .iter()
        .map(|call| (text(call, "name"), text(call, "arguments")))
        .collect()
}

#[test]
fn calls_that_share_an_id_are_distinguished() {
    let both = [("f", "{\"a\":1}"), ("g", "{\"b\":2}")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    for (what, second) in [
        ("a place of its own", r#""index":1,"#),
        ("one place", r#""index":0,"#),
        ("no place", ""),
    ] {
        let first = second.replace('1', "0");
        let whole = [
            format!(r#"{{"tool_calls":[{{{first}"id":"x","function":{{"name":"f","arguments":"{{\"a\":1}}"}}}}]}}"#),
            format!(r#"{{"tool_calls":[{{{second}"id":"x","function":{{"name":"g","arguments":"{{\"b\":2}}"}}}}]}}"#),
        ];
        assert_eq!(called(&whole.each_ref().map(String::as_str)), both, "{what}");
        // The second in pieces that repeat id and name.
        let pieces = [
            whole[0].clone(),
            format!(r#"{{"tool_calls":[{{{second}"id":"x","function":{{"name":"g","arguments":""}}}}]}}"#),
            format!(r#"{{"tool_calls":[{{{second}"id":"x","function":{{"name":"g","arguments":"{{\"b\""}}}}]}}"#),
            format!(r#"{{"tool_calls":[{{{second}"id":"x","function":{{"arguments":":2}}"}}}}]}}"#),
        ];
        assert_eq!(
            called(&pieces.each_ref().map(String::as_str)),
            both,
            "{what}, in pieces"
        );
    }
    // Two calls of one tool, with alternating pieces.
    let same = called(&[
        r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}]}"#,
        r#"{"tool_calls":[{"index":1,"id":"x","function":{"name":"f","arguments":"["}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"x","function":{"arguments":"}"}}]}"#,
        r#"{"tool_calls":[{"index":1,"id":"x","function":{"arguments":"]"}}]}"#,
    ]);
    let expected = [("f", "{}"), ("f", "[]")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(same, expected);
}

#[test]
fn a_call_whose_pieces_repeat_its_id_and_name_is_one() {
    for place in ["", r#""index":0,"#] {
        let piece = |arguments: &str| {
            format!(r#"{{"tool_calls":[{{{place}"id":"x","function":{{"name":"f","arguments":"{arguments}"}}}}]}}"#)
        };
        let pieces = ["", "{\\\"a\\\"", ":1}", ""].map(piece);
        let read = called(&pieces.each_ref().map(String::as_str));
        assert_eq!(read, [("f".to_owned(), "{\"a\":1}".to_owned())], "{place}");
    }
    // A piece without a name that is counted differently belongs to the call of its id.
    let read = called(&[
        r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}]}"#,
        r#"{"tool_calls":[{"index":1,"id":"x","function":{"arguments":"}"}}]}"#,
    ]);
    assert_eq!(read, [("f".to_owned(), "{}".to_owned())]);
    // A name that comes in two pieces, before any arguments, is one name's.
    let read = called(&[
        r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"get_"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"city","arguments":"{}"}}]}"#,
    ]);
    assert_eq!(read.len(), 1, "{read:?}");
}

/// How many bytes the names of a list's entries take.
fn names_of(kind: Kind, pieces: &[String]) -> usize {
    let mut entries = Entries::new(kind);
    for piece in pieces {
        entries.add(format!("[{piece}]").as_bytes()).unwrap();
    }
    entries.places.keys().map(String::len).sum()
}

#[test]
fn the_names_of_entries_are_as_small_as_their_pieces() {
    let long = "x".repeat(10_000);
    let first = format!(r#"{{"index":0,"id":"a","type":"{long}","function":{{"name":"f"}}}}"#);
    let mut pieces = vec![first];
    pieces.extend((0..1_000).map(|at| format!(r#"{{"index":0,"id":"a{at}","text":"t"}}"#)));
    for kind in [Kind::Calls, Kind::Details] {
        let bytes = names_of(kind, &pieces);
        assert!(bytes < 200 * pieces.len(), "{bytes}");
    }
    // A kind of an ordinary length tells details apart.
    let mut entries = Entries::new(Kind::Details);
    for kind in ["reasoning.text", "reasoning.encrypted", "reasoning.text"] {
        let detail = format!(r#"[{{"index":0,"type":"{kind}","text":"t"}}]"#);
        entries.add(detail.as_bytes()).unwrap();
    }
    assert_eq!(entries.list.len(), 2);
}
