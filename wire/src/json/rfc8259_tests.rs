//! The grammar of RFC 8259, production by production: what must be read, what must be refused, and what the RFC leaves open.

use super::{Cursor, JsonError, check_utf8};

/// Reads one document as a request is read.
fn read(text: &[u8]) -> Result<(), JsonError> {
    check_utf8(text)?;
    let mut cursor = Cursor::new(text);
    cursor.skip()?;
    cursor.end()
}

fn each(texts: &[&[u8]], accepted: bool) {
    for text in texts {
        let shown = String::from_utf8_lossy(text);
        assert_eq!(read(text).is_ok(), accepted, "{shown:?}");
        // The reader of answers agrees: it only takes three more words, which are none of these.
        let mut cursor = Cursor::lenient(text);
        let lenient = cursor.skip().and_then(|()| cursor.end());
        assert_eq!(
            lenient.is_ok() && check_utf8(text).is_ok(),
            accepted,
            "{shown:?}, as an answer"
        );
        let known = serde_json::from_slice::<serde_json::Value>(text).is_ok();
        assert_eq!(known, accepted, "{shown:?}, by serde_json");
    }
}

#[test]
fn any_value_is_a_document() {
    each(
        &[
            b"null",
            b"true",
            b"false",
            b"0",
            b"\"\"",
            b"[]",
            b"{}",
            b" null",
            b"null ",
            b"\t\n\r 1 \r\n\t",
            b"[null,true,false]",
            b"{\"a\":null}",
            b"\"\x7f\"",
            "\"\u{2028}\u{2029}\"".as_bytes(),
        ],
        true,
    );
    each(
        &[
            b"",
            b" ",
            b"\n",
            b"nul",
            b"nulll",
            b"Null",
            b"TRUE",
            b"truth",
            b"fals",
            b"true false",
            b"null,",
            b",",
            b":",
            b"undefined",
            b"{}{}",
            b"[][]",
            b"1 2",
            b"\"\"\"\"",
            b"\xEF\xBB\xBFnull",
            b"null\0",
            b"\0",
        ],
        false,
    );
}

#[test]
fn white_space_is_four_characters() {
    each(&[b" [ \t1\n,\r2 ] ", b"{ \"a\" : \t1 , \n\"b\"\r: 2 }"], true);
    each(
        &[
            b"\x0b1",
            b"\x0c1",
            b"[1\x0c]",
            "\u{a0}1".as_bytes(),
            "[\u{2003}1]".as_bytes(),
            "\u{feff}1".as_bytes(),
            "\u{85}1".as_bytes(),
            b"/**/1",
            b"1//",
            b"[1,#\n2]",
        ],
        false,
    );
}

#[test]
fn an_array_has_values_between_commas() {
    each(
        &[b"[]", b"[ ]", b"[1]", b"[1,2]", b"[[],[[]]]", b"[\"\",{},[],0,null]"],
        true,
    );
    each(
        &[
            b"[",
            b"]",
            b"[1",
            b"[1,",
            b"[1,]",
            b"[,1]",
            b"[,]",
            b"[1,,2]",
            b"[1 2]",
            b"[1:2]",
            b"[1;2]",
            b"[1}",
            b"[1]]",
            b"[[]",
            b"[\"a\"",
            b"[\"a\",\n4\n,1,",
            b"[a]",
            b"[*]",
            b"[-]",
            b"[\"\": 1]",
            b"[true,fals]",
            b"[1\n,1\n,",
        ],
        false,
    );
}

#[test]
fn an_object_has_strings_for_names() {
    each(
        &[
            b"{}",
            b"{ }",
            b"{\"\":0}",
            b"{\"a\":1,\"b\":2}",
            b"{\"a\":{\"a\":{}}}",
            b"{\"a\":1,\"a\":2}",
            b"{\"\\u0000\":0}",
            b"{\"a b\\n\":[]}",
        ],
        true,
    );
    each(
        &[
            b"{",
            b"}",
            b"{\"a\"",
            b"{\"a\":",
            b"{\"a\":}",
            b"{\"a\":1",
            b"{\"a\":1,",
            b"{\"a\":1,}",
            b"{,}",
            b"{,\"a\":1}",
            b"{\"a\":1,,\"b\":2}",
            b"{\"a\" 1}",
            b"{\"a\"::1}",
            b"{\"a\",1}",
            b"{\"a\":1 \"b\":2}",
            b"{a:1}",
            b"{'a':1}",
            b"{1:1}",
            b"{null:1}",
            b"{[]:1}",
            b"{\"a\":1]",
            b"{\"a\":1}}",
            b"{\"a\":1:2}",
            b"{\"a\":\"b\",\"c\"}",
            b"{\"a\":1}#",
            b"{\"a\":/**/1}",
            b"{\"a\" \"b\"}",
        ],
        false,
    );
}

#[test]
fn a_number_is_decimal_without_ornament() {
    each(
        &[
            b"0",
            b"-0",
            b"1",
            b"-1",
            b"10",
            b"1234567890",
            b"0.0",
            b"-0.5",
            b"1.25",
            b"1e1",
            b"1E1",
            b"1e+1",
            b"1e-1",
            b"0e0",
            b"0E+00",
            b"1.5e300",
            b"123456789012345678901234567890",
            b"-123456789012345678901234567890.5",
            b"0.00000000000001",
        ],
        true,
    );
    each(
        &[
            b"-",
            b"+",
            b"+1",
            b"--1",
            b"-a",
            b"- 1",
            b"00",
            b"01",
            b"-01",
            b"012",
            b"1.",
            b".1",
            b"-.1",
            b"-1.",
            b"1..2",
            b"1.e1",
            b"1e",
            b"1e+",
            b"1e-",
            b"1E",
            b"1ee1",
            b"1e1.5",
            b"1e+-1",
            b"0x1",
            b"0x",
            b"1_000",
            b"1,000",
            b"1a",
            b"1.2.3",
            b"1+1",
            b"0e",
            b"0e+",
            b"1f",
            b"Inf",
            b"nan",
            "\u{ff11}".as_bytes(),
            "1\u{b2}".as_bytes(),
            b"[1.]",
            b"[-01]",
            b"[1e]",
        ],
        false,
    );
}

#[test]
fn a_string_escapes_what_it_must() {
    each(
        &[
            br#""\"\\\/\b\f\n\r\t""#,
            br#""\u0000""#,
            br#""\u00e9\u00E9\uFFFF\uabcd""#,
            br#""\ud83d\ude00""#,
            "\"é漢🦀\u{10ffff}\"".as_bytes(),
            b"\"\x7f\"",
            b"\"'\"",
            b"\"/\"",
            br#""\\u0041""#,
            br#""a\\""#,
        ],
        true,
    );
    each(
        &[
            b"\"",
            b"\"a",
            b"a\"",
            b"'a'",
            b"\"\\\"",
            br#""\""#,
            br#""\a""#,
            br#""\x41""#,
            br#""\'""#,
            br#""\0""#,
            br#""\u""#,
            br#""\u0""#,
            br#""\u00""#,
            br#""\u004""#,
            br#""\u004g""#,
            br#""\U0041""#,
            br#""\ ""#,
            b"\"\\\n\"",
            b"\"a\nb\"",
            b"\"a\tb\"",
            b"\"a\rb\"",
            b"\"\0\"",
            b"\"\x1f\"",
            br#""\\\""#,
            br#""\\\"#,
        ],
        false,
    );
}

#[test]
fn text_is_utf_8() {
    each(
        &[
            b"\"\xff\"",
            b"\"\xc3\"",
            b"\"\xc0\xaf\"",
            b"\"\xe0\x80\xaf\"",
            b"\"\xed\xa0\x80\"",
            b"\"\xf4\x90\x80\x80\"",
            b"\"\x80\"",
            b"[\xff]",
            b"\xff",
            b"\"\xe2\x82\"",
            b"\xff\xfe[\0]\0",
        ],
        false,
    );
}

/// Half a surrogate pair is in the grammar, and no character: it is read, since models that stream write such halves.
#[test]
fn half_a_surrogate_pair_is_read() {
    for text in [
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83d\ud83d""#,
        r#""\ude00\ud83d""#,
        r#""\ud83dx""#,
        r#""\ud83d\n""#,
        r#""\uD83D\u0041""#,
        r#"{"\udead":1}"#,
    ] {
        assert_eq!(read(text.as_bytes()), Ok(()), "{text}");
    }
    // A broken escape behind one is broken all the same.
    for text in [r#""\ud83d\u""#, r#""\ud83d\ude0""#, r#""\ud83d\x""#, r#""\ud83d"#] {
        assert!(read(text.as_bytes()).is_err(), "{text}");
    }
}

/// The RFC lets a reader bound the range of numbers: ours reads them as text.
#[test]
fn a_number_has_no_bounds() {
    for text in ["1e400", "-1e400", "1e-400", "0.4e006699999999999999999999999"] {
        assert_eq!(read(text.as_bytes()), Ok(()), "{text}");
    }
    let long = "9".repeat(10_000);
    assert_eq!(read(long.as_bytes()), Ok(()));
}
