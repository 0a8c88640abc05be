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
