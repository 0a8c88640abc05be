//! Edits of a document change the edited place alone.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{Document, bit_of};

fn document(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn edited(text: &str, edit: impl FnOnce(&mut Document)) -> String {
    let mut document = document(text);
    edit(&mut document);
    let joined: Vec<u8> = document.segments().flatten().collect();
    assert_eq!(document.to_bytes(), joined);
    assert_eq!(document.len(), joined.len());
    String::from_utf8(joined).unwrap()
}

#[test]
fn keys_of_one_bit_are_distinguished() {
    // Each has the same bit as `stop`, or is `stop` with an escape.
    let alike: Vec<String> = (b'a'..=b'z')
        .flat_map(|first| (b'a'..=b'z').map(move |last| [first, b'x', b'x', last]))
        .filter(|key| bit_of(key) == bit_of(b"stop"))
        .map(|key| String::from_utf8_lossy(&key).into_owned())
        .collect();
    assert!(!alike.is_empty());
    for key in alike {
        let document = document(&format!("{{\"{key}\":1}}"));
        assert_eq!((document.get("stop"), document.get(&key)), (None, Some(&b"1"[..])));
    }
    let escaped = document(r#"{"st\u006fp":2}"#);
    assert_eq!(escaped.get("stop"), Some(&b"2"[..]));
}

#[test]
fn an_untouched_document_is_the_very_memory_it_came_in() {
    let original = Bytes::from_static(b" \n{ \"b\" : [1, 2] ,\t\"a\":null } \n");
    let document = Document::parse(original.clone()).unwrap();
    let segments: Vec<Bytes> = document.segments().collect();
    assert_eq!(segments.len(), 1);
    assert_eq!(segments[0].as_ptr(), original.as_ptr());
    assert_eq!(document.to_bytes().as_ptr(), original.as_ptr());
}

#[test]
fn a_change_leaves_the_rest_where_it_was() {
    let original = Bytes::from_static(b"{ \"a\" : 1 , \"b\":2,\"c\": [3] }");
    let mut document = Document::parse(original.clone()).unwrap();
    document.set("b", bytes("\"two\""));
    let segments: Vec<Bytes> = document.segments().collect();
    assert_eq!(segments, [&b"{ \"a\" : 1 , \"b\":"[..], b"\"two\"", b",\"c\": [3] }"]);
    assert_eq!(segments[0].as_ptr(), original.as_ptr());
    assert_eq!(segments[2].as_ptr(), original[17..].as_ptr());
}

#[test]
fn sets_adds_and_removes_in_place() {
    let text = "{ \"a\": 1,\n  \"b\": 2\n}\n";
    assert_eq!(edited(text, |d| d.set("a", bytes("9"))), "{ \"a\": 9,\n  \"b\": 2\n}\n");
    assert_eq!(
        edited(text, |d| d.set("z", bytes("9"))),
        "{ \"a\": 1,\n  \"b\": 2,\"z\":9\n}\n"
    );
    assert_eq!(edited(text, |d| assert!(d.remove("a"))), "{\n  \"b\": 2\n}\n");
    assert_eq!(edited(text, |d| assert!(d.remove("b"))), "{ \"a\": 1}\n");
    assert_eq!(edited(text, |d| assert!(!d.remove("z"))), text);
    let both = |d: &mut Document| {
        d.remove("a");
        d.remove("b");
    };
    assert_eq!(edited(text, both), "{}\n");
    let replaced = |d: &mut Document| {
        both(d);
        d.set("q", bytes("1"));
        d.set("p", bytes("2"));
    };
    assert_eq!(edited(text, replaced), "{\"p\":2,\"q\":1}\n");
    assert_eq!(edited("{ }", |d| d.set("q", bytes("1"))), "{\"q\":1}");
    assert_eq!(
        edited("{\"a\":1,\"b\":2,\"c\":3}", |d| assert!(d.remove("b"))),
        "{\"a\":1,\"c\":3}"
    );
}

#[test]
fn what_was_added_can_go_again() {
    let text = "{\"a\":1}";
    let back = |d: &mut Document| {
        d.set("n", bytes("1"));
        assert!(d.remove("n"));
        assert!(!d.has("n"));
    };
    assert_eq!(edited(text, back), text);
    let again = |d: &mut Document| {
        assert!(d.remove("a"));
        assert!(!d.remove("a"));
        d.set("a", bytes("2"));
    };
    assert_eq!(edited(text, again), "{\"a\":2}");
}

#[test]
fn a_double_cannot_slip_past_a_change() {
    let text = r#"{"model":"cheap","x":1,"mod\u0065l":"dear"}"#;
    assert_eq!(document(text).get("model"), Some(&b"\"dear\""[..]));
    assert_eq!(document(text).keys().collect::<Vec<_>>(), ["x", "model"]);
    assert_eq!(
        edited(text, |d| d.set("model", bytes("\"set\""))),
        r#"{"x":1,"mod\u0065l":"set"}"#
    );
    assert_eq!(edited(text, |d| assert!(d.remove("model"))), r#"{"x":1}"#);
}

#[test]
fn added_members_stand_in_one_order_whatever_they_were_set_in() {
    let names = ["zeta", "temperature", "messages", "model", "alpha"];
    let text = edited("{}", |d| {
        names.iter().for_each(|name| d.set(*name, bytes("1")));
    });
    let back = edited("{}", |d| {
        names.iter().rev().for_each(|name| d.set(*name, bytes("1")));
    });
    assert_eq!(text, back);
    assert_eq!(text, r#"{"model":1,"temperature":1,"alpha":1,"zeta":1,"messages":1}"#);
}

#[test]
fn only_an_object_is_a_document() {
    for text in ["", "[]", "1", "null", "{}x", "{\"a\":1", "{}\u{feff}"] {
        assert!(
            Document::parse(Bytes::copy_from_slice(text.as_bytes())).is_err(),
            "{text}"
        );
    }
    assert!(Document::parse(Bytes::from_static(b"{\"a\":\"\xc3\x28\"}")).is_err());
    let deep = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(Document::parse(deep(511).into()).is_ok());
    assert!(Document::parse(deep(512).into()).is_err());
}

#[test]
fn keys_that_need_escapes_are_written_with_them() {
    let text = edited("{}", |d| d.set("a\"\\\n\u{1}é", bytes("1")));
    assert_eq!(
        serde_json::from_str::<Map<String, Value>>(&text)
            .unwrap()
            .keys()
            .next()
            .unwrap(),
        "a\"\\\n\u{1}é"
    );
}

fn space() -> impl Strategy<Value = String> {
    "[ \\n\\r\\t]{0,2}"
}

/// A key as it stands between quotes; few, so that doubles are common.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a".to_owned()),
        Just("\\u0061".to_owned()),
        Just("b".to_owned()),
        Just("model".to_owned()),
        Just("m\\u006fdel".to_owned()),
        Just("é\\n".to_owned()),
        "[a-z雨 ]{0,4}",
    ]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("-0.25e-3".to_owned()),
        ".{0,40}".prop_map(|text| Value::String(text).to_string()),
        Just("\"\\ud83d\\ude00 \\/\\u00e9 }],\"".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec((space(), inner.clone(), space()), 0..4).prop_map(|items| format!(
                "[{}]",
                items
                    .iter()
                    .map(|(a, v, b)| format!("{a}{v}{b}"))
                    .collect::<Vec<_>>()
                    .join(",")
            )),
            members(inner),
        ]
    })
}

fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let member = (space(), key(), space(), space(), value, space())
        .prop_map(|(a, key, b, c, value, d)| format!("{a}\"{key}\"{b}:{c}{value}{d}"));
    (vec(member, 0..6), space()).prop_map(|(members, empty)| {
        let inside = if members.is_empty() { empty } else { members.join(",") };
        format!("{{{inside}}}")
    })
}

fn object() -> impl Strategy<Value = String> {
    (space(), members(value()), space()).prop_map(|(before, object, after)| format!("{before}{object}{after}"))
}

fn edits() -> impl Strategy<Value = Vec<(String, Option<i32>)>> {
    let name = prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("model".to_owned()),
        Just("é\n".to_owned()),
        "[a-z]{0,3}"
    ];
    vec((name, any::<Option<i32>>()), 0..8)
}

proptest! {
    #[test]
    fn goes_out_as_it_came_in(text in object()) {
        let document = Document::parse(Bytes::from(text.clone().into_bytes())).unwrap();
        let out: Vec<u8> = document.segments().flatten().collect();
        prop_assert_eq!(out, text.clone().into_bytes());
        let tree: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let mut keys: Vec<&str> = document.keys().collect();
        keys.sort_unstable();
        prop_assert_eq!(keys, tree.keys().collect::<Vec<_>>());
        for (key, value) in &tree {
            prop_assert_eq!(&serde_json::from_slice::<Value>(document.get(key).unwrap()).unwrap(), value);
        }
    }

    #[test]
    fn changes_as_a_tree_does(text in object(), edits in edits()) {
        let mut document = Document::parse(Bytes::from(text.clone().into_bytes())).unwrap();
        let mut tree: Map<String, Value> = serde_json::from_str(&text).unwrap();
        for (key, value) in edits {
            match value {
                Some(value) => {
                    document.set(key.clone(), value.to_string().into());
                    tree.insert(key.clone(), value.into());
                }
                None => prop_assert_eq!(document.remove(&key), tree.remove(&key).is_some()),
            }
            let out: Vec<u8> = document.segments().flatten().collect();
            prop_assert_eq!(document.len(), out.len());
            prop_assert_eq!(&document.to_bytes(), &out);
            prop_assert_eq!(&serde_json::from_slice::<Map<String, Value>>(&out).unwrap(), &tree);
            prop_assert_eq!(document.has(&key), tree.contains_key(&key));
            let again = Document::parse(out.into()).unwrap();
            prop_assert_eq!(document.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>());
        }
    }

    #[test]
    fn agrees_with_serde_json_on_what_is_json(text in "[\\[\\]{}\",:\\\\tru enl0-9.eE+\\-]{0,24}") {
        let ours = Document::parse(Bytes::from(text.clone().into_bytes())).is_ok();
        let raw = serde_json::from_str::<std::collections::BTreeMap<String, &serde_json::value::RawValue>>(&text).is_ok();
        prop_assert_eq!(ours, raw, "{}", text);
    }

    #[test]
    fn never_panics(bytes in vec(any::<u8>(), 0..64), text in object(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        drop(Document::parse(bytes.into()));
        let mut broken = text.into_bytes();
        let at = cut.index(broken.len());
        broken[at] = byte;
        if let Ok(mut document) = Document::parse(broken.clone().into()) {
            document.set("a", Bytes::from_static(b"1"));
            prop_assert!(Document::parse(document.to_bytes()).is_ok());
        }
        broken.truncate(at);
        drop(Document::parse(broken.into()));
    }
}
