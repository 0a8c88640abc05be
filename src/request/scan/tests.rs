use proptest::prelude::*;

use super::error::Expected;
use super::strings::plain_bytes;
use super::{Cursor, Found, JsonError, MAX_DEPTH};

fn whole(text: &[u8]) -> Result<(), JsonError> {
    let mut cursor = Cursor::new(text);
    cursor.skip()?;
    cursor.end()
}

#[test]
fn accepts_the_grammar() {
    for text in [
        "null",
        " true ",
        "-0.5e+10",
        "0",
        r#""a\n\u00e9\"""#,
        "[]",
        "[ ]",
        "{}",
        r#"{"a":[1,{"b":{}}],"c":[[],[]]}"#,
        "[1,2,3]\n",
    ] {
        assert_eq!(whole(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn refuses_what_is_not_json() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1,]",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        "01",
        "1.",
        "1e",
        "-",
        "+1",
        "tru",
        "nul",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "[1}",
        r#"{"a":1]"#,
        "1 2",
        "'a'",
        "{a:1}",
        "[1 2]",
        "\u{feff}1",
    ] {
        assert!(whole(text.as_bytes()).is_err(), "{text:?}");
    }
    let long = format!("\"{}\u{1}\"", "x".repeat(100));
    assert_eq!(whole(long.as_bytes()).unwrap_err().at(), 101);
}

#[test]
fn stops_at_the_depth_where_serde_json_stops() {
    for (depth, accepted) in [
        (MAX_DEPTH as usize, true),
        (MAX_DEPTH as usize + 1, false),
        (100_000, false),
    ] {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(whole(text.as_bytes()).is_ok(), accepted, "{depth}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).is_ok(),
            accepted,
            "{depth}"
        );
    }
}

#[test]
fn errors_tell_the_place_and_the_kind_but_not_the_text() {
    let error = whole(br#"{"secret" "x"}"#).unwrap_err();
    assert_eq!(error.at(), 10);
    assert_eq!(error.found(), Found::String);
    assert_eq!(
        error.to_string(),
        "not JSON at byte 10: expected a colon, found a string"
    );
    assert!(whole(br#"{"a":"#).unwrap_err().is_cut_short());
}

#[test]
fn unescapes_pairs_and_halves() {
    let mut cursor = Cursor::new(br#""\ud83d\ude00 \ud83d x \ude00 \/\t""#);
    let text = cursor.string().unwrap();
    assert_eq!(text.to_str(), "\u{1f600} \u{fffd} x \u{fffd} /\t");
    assert!(text.plain().is_none());
}

proptest! {
    /// Short strings and long ones take different ways through the scanner.
    #[test]
    fn strings_end_where_serde_json_ends_them(inside in "([a-zé雨 ]{0,50}[\\\\n\"\u{1}\u{1f}\u{7f}/u0-9a]{0,2}){0,3}") {
        let text = format!("\"{inside}\" ");
        let mut cursor = Cursor::new(text.as_bytes());
        let ours = cursor.string().map(|string| string.to_str().into_owned()).and_then(|string| cursor.end().map(|()| string));
        let theirs = serde_json::from_str::<String>(&text);
        prop_assert_eq!(ours.ok(), theirs.ok());
    }

    #[test]
    fn eight_bytes_are_read_as_one_by_one(bytes in any::<[u8; 8]>(), at in 0_usize..8, mark in prop::sample::select(vec![b'"', b'\\', 0, 0x1f, 0x20, 0x7f, 0x80, 0xff])) {
        let mut bytes = bytes;
        bytes[at] = mark;
        let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
        prop_assert_eq!(plain_bytes(bytes), bytes.iter().position(special).unwrap_or(8));
    }
}

#[test]
fn an_error_keeps_its_place_and_kinds_in_one_word() {
    assert_eq!(size_of::<Result<(), JsonError>>(), 8);
    let far = JsonError::new(1 << 40, Expected::Utf8, Found::End);
    assert_eq!((far.at(), far.found()), (1 << 40, Found::End));
    assert!(far.to_string().starts_with("the text is not UTF-8"));
    let first = JsonError::new(0, Expected::Value, Found::Null);
    assert_eq!((first.at(), first.found()), (0, Found::Null));
}
