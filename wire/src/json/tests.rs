//! The cursor over JSON: what it reads, what it refuses, and where.

use proptest::prelude::*;

use super::error::Expected;
use super::strings::plain_bytes;
use super::{Cursor, Found, JsonError, MAX_DEPTH, lenient_value, strict};

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
fn reads_512_levels_and_no_more() {
    for depth in [
        1, 126, 127, 128, 129, 130, 255, 256, 257, 258, 384, 386, 512, 514, 100_000,
    ] {
        for (open, close, levels) in [("[", "]", 1), ("{\"a\":", "}", 1), ("[1,{\"a\":2,\"b\":", "},3]", 2)] {
            let text = |close: &str| format!("{}0{}", open.repeat(depth / levels), close.repeat(depth / levels));
            let read = whole(text(close).as_bytes());
            assert_eq!(read.is_ok(), depth <= MAX_DEPTH as usize, "{depth} of {open}");
            if depth <= MAX_DEPTH as usize {
                // What closes is what was opened, at each level.
                let mut wrong = text(close).into_bytes();
                let middle = wrong.len() - close.len() * (depth / levels / 2) - 1;
                wrong[middle] = if wrong[middle] == b']' { b'}' } else { b']' };
                assert!(whole(&wrong).is_err(), "{depth} of {open}");
            }
        }
    }
    // Walked and stepped over, it is the same depth.
    let text = format!(
        "{{\"a\":{}{}}}",
        "[".repeat(MAX_DEPTH as usize),
        "]".repeat(MAX_DEPTH as usize)
    );
    let walked = Cursor::new(text.as_bytes()).object(|_, value| value.skip());
    assert_eq!(walked.map_err(|error| error.at()), Err(5 + MAX_DEPTH as usize - 1));
}

#[test]
fn numbers_that_are_not_finite_are_read_in_answers_alone() {
    for text in [
        "NaN",
        "-NaN",
        "Infinity",
        "-Infinity",
        "[NaN,{\"a\":-Infinity}, Infinity ]",
    ] {
        assert!(whole(text.as_bytes()).is_err(), "{text}");
        let mut cursor = Cursor::lenient(text.as_bytes());
        assert_eq!(cursor.skip().and_then(|()| cursor.end()), Ok(()), "{text}");
    }
    for text in [
        "nan",
        "Nan",
        "Inf",
        "+Infinity",
        "-",
        "- NaN",
        "NaNN",
        "Infinit",
        "{NaN:1}",
    ] {
        let mut cursor = Cursor::lenient(text.as_bytes());
        assert!(cursor.skip().and_then(|()| cursor.end()).is_err(), "{text}");
    }
    assert_eq!(Cursor::lenient(b" NaN").peek(), Ok(Found::Number));
}

#[test]
fn strict_text_is_what_every_parser_reads() {
    for (text, expected) in [
        ("[NaN,-Infinity, Infinity,-NaN]", "[null,null, null,null]"),
        ("[1e999,-1E+999,1e5,1e-999]", "[null,null,1e5,1e-999]"),
        (r#"{"\ud83d":"a\ud83d"}"#, r#"{"\ufffd":"a\ufffd"}"#),
        (r#""\ude00b\ud83d\ud83d\ude00""#, r#""\ufffdb\ufffd\ud83d\ude00""#),
        (r#""NaN \\ud83d \n 1e999""#, r#""NaN \\ud83d \n 1e999""#),
        (r#"[true,false,null,"",{},-0.5e3]"#, r#"[true,false,null,"",{},-0.5e3]"#),
    ] {
        assert_eq!(String::from_utf8_lossy(&strict(text.as_bytes())), expected, "{text}");
        assert!(
            serde_json::from_str::<serde_json::Value>(expected).is_ok(),
            "{expected}"
        );
    }
    let long = format!("[{}]", "9".repeat(400));
    assert_eq!(&*strict(long.as_bytes()), b"[null]");
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
    /// What the lenient cursor accepts is read as a tree, and is strict JSON after `strict`. Any bytes are survived.
    #[test]
    fn one_verdict_for_all_readers(json in r#"([\[\]{},: ]|"a"|"\\\\ud83d"|"\\\\ude00x"|NaN|-Infinity|1e999|-?[0-9]{1,3}|true|null){0,24}"#, bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        strict(&bytes);
        lenient_value(&bytes);
        let mut cursor = Cursor::lenient(json.as_bytes());
        let accepted = cursor.skip().and_then(|()| cursor.end()).is_ok();
        prop_assert_eq!(lenient_value(json.as_bytes()).is_some(), accepted, "{}", json);
        if accepted {
            let strict = strict(json.as_bytes());
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&strict).is_ok(), "{}", json);
        }
    }

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
