//! What is read of odd requests, and what is refused.

use super::request;
use crate::request::ChatRequest;
use openrouter_wire::request::RequestError;

fn asking(field: &str) -> ChatRequest {
    request(&format!("{{\"messages\":[{{}}],{field}}}"))
}

fn refused(field: &str) -> RequestError {
    format!("{{\"messages\":[{{}}],{field}}}")
        .parse::<ChatRequest>()
        .unwrap_err()
}

#[test]
fn a_whole_number_is_one_however_it_is_written() {
    for (written, read) in [
        ("100.0", 100),
        ("1e2", 100),
        ("1E+2", 100),
        ("0.1e3", 100),
        ("1.00e2", 100),
        ("10000e-2", 100),
        ("18446744073709551615", u64::MAX),
        ("1844674407370955161.5e1", u64::MAX),
    ] {
        assert_eq!(
            asking(&format!("\"max_tokens\":{written}")).read_max_tokens(),
            Some(read),
            "{written}"
        );
        let other = asking(&format!("\"max_completion_tokens\":{written}"));
        assert_eq!(other.read_max_tokens(), Some(read), "{written}");
    }
    for wrong in [
        "0",
        "0.0",
        "0e5",
        "-1",
        "-1e2",
        "100.5",
        "1e-1",
        "1e20",
        "1e400",
        "18446744073709551616",
        "1e99999999999999999999",
    ] {
        let error = refused(&format!("\"max_tokens\":{wrong}"));
        assert_eq!(error.field(), Some("max_tokens"), "{wrong}");
    }
}

#[test]
fn answers_are_reserved_for_however_their_number_is_written() {
    for (written, choices) in [
        ("5", 5),
        ("5.0", 5),
        ("0.5e1", 5),
        ("\"5\"", 5),
        ("\"5.0\"", 5),
        ("4.5", 5),
        ("1e30", u64::MAX),
        ("0", 1),
        ("-3", 1),
        ("null", 1),
        ("[5]", 1),
    ] {
        assert_eq!(
            asking(&format!("\"n\":{written}")).facts().choices,
            choices,
            "{written}"
        );
    }
    // An upstream may read either of two.
    for twice in [r#""n":8,"n":1"#, r#""n":1,"\u006e":8"#] {
        assert_eq!(asking(twice).facts().choices, 8, "{twice}");
    }
    let tools = r#""tools":[{"type":"openrouter:web_search"}],"max_tool_calls":2.0"#;
    assert_eq!(asking(tools).facts().searches, 2);
}

#[test]
fn a_byte_order_mark_is_dropped() {
    let read = request("\u{feff}{\"messages\":[{}],\"model\":\"a/b\"}");
    assert_eq!(read.read_model(), Some("a/b"));
    assert_eq!(read.to_bytes(), "{\"messages\":[{}],\"model\":\"a/b\"}");
    assert!("\u{feff}\u{feff}{\"messages\":[{}]}".parse::<ChatRequest>().is_err());
    assert!("\u{feff}".parse::<ChatRequest>().is_err());
}

#[test]
fn a_request_may_be_512_levels_deep() {
    let deep = |levels: usize| {
        let (open, close) = ("{\"a\":[".repeat(levels / 2), "]}".repeat(levels / 2));
        format!("\"new\":{open}1{close}")
    };
    let read = asking(&deep(510));
    assert!(format!("{read:?}").contains("new"));
    assert_eq!(read.facts().choices, 1);
    assert!(refused(&deep(512)).to_string().contains("512 levels"));
    let mut changed = read.clone();
    changed.set_model("a/b");
    assert_eq!(changed.len(), read.len() + ",\"model\":\"a/b\"".len());
    // What only looks deep is not.
    assert!(refused("\"new\":[[[}]]]").to_string().contains("not JSON"));
}

#[test]
fn the_number_of_members_is_bounded() {
    let with = |members: usize| format!("{{\"messages\":[{{}}]{}}}", ",\"\":0".repeat(members - 1));
    assert!(with(4_096).parse::<ChatRequest>().is_ok());
    let error = with(4_097).parse::<ChatRequest>().unwrap_err();
    assert!(error.to_string().contains("more than 4096 members"), "{error}");
    // Only those at the top level are counted.
    let inner = format!("\"new\":[{}0]", "{\"a\":1,\"a\":2},".repeat(5_000));
    assert_eq!(asking(&inner).document().keys().count(), 2);
}

#[test]
fn each_key_is_named_once_where_it_counts() {
    let mut read = request(r#"{"a":1,"messages":[{}],"b":2,"a":3,"c":4,"\u0062":5}"#);
    assert_eq!(read.document().keys().collect::<Vec<_>>(), ["messages", "a", "c", "b"]);
    read.remove("c");
    read.set_model("a/b");
    assert_eq!(
        read.document().keys().collect::<Vec<_>>(),
        ["messages", "a", "b", "model"]
    );
    let many: String = (0..4_000).map(|at| format!("\"k{at}\":0,")).collect();
    let shown = format!("{:?}", request(&format!("{{{many}\"messages\":[{{}}]}}")));
    assert!(shown.contains("k0") && shown.contains("k3999"));
}

#[test]
fn a_model_is_named_in_400_bytes_without_control_characters() {
    let long = "m".repeat(400);
    assert_eq!(asking(&format!("\"model\":\"{long}\"")).read_model(), Some(&*long));
    for (field, name, found) in [
        ("model", format!("\"{long}m\""), "`model` is a name of over 400 bytes"),
        (
            "model",
            format!("\"{}\"", "\u{1f600}".repeat(101)),
            "`model` is a name of over 400 bytes",
        ),
        (
            "model",
            r#""a/b\nx""#.to_owned(),
            "`model` is a name with control characters",
        ),
        (
            "model",
            r#""a/b\u0000""#.to_owned(),
            "`model` is a name with control characters",
        ),
        (
            "model",
            "\"a/b\u{7f}\"".to_owned(),
            "`model` is a name with control characters",
        ),
        (
            "model",
            r#""a\u0085b""#.to_owned(),
            "`model` is a name with control characters",
        ),
        (
            "models",
            format!("[\"a/b\",\"{long}m\"]"),
            "`models` is a name of over 400 bytes",
        ),
        (
            "models",
            r#"["a\tb"]"#.to_owned(),
            "`models` is a name with control characters",
        ),
    ] {
        let error = refused(&format!("\"{field}\":{name}")).to_string();
        assert!(error.starts_with(found), "{error}");
        assert!(error.contains("openai/gpt-5"), "{error}");
    }
}
