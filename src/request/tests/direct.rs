use serde_json::Value;

use super::{body, request};
use openrouter_wire::document::openrouter_only_fields;

#[test]
fn leaves_out_what_only_openrouter_reads() {
    let fields: Vec<String> = openrouter_only_fields()
        .iter()
        .map(|field| format!("\"{field}\":1"))
        .filter(|field| !field.contains("models"))
        .collect();
    let full = request(&format!(
        "{{\"models\":[\"a\"],\"model\":\"gpt-5\",{},\"user\":\"u\",\"messages\":[{{}}],\"unknown\":1}}",
        fields.join(",")
    ));
    assert_eq!(
        body(&full.without_openrouter_fields()),
        r#"{"model":"gpt-5","user":"u","messages":[{}],"unknown":1}"#
    );
    assert!(full.document().has("provider"));
}

#[test]
fn a_request_that_has_none_stays_byte_for_byte() {
    let plain = request("{ \"model\": \"gpt-5\", \"messages\": [{}] }");
    assert_eq!(plain.without_openrouter_fields().segments().count(), 1);
}

#[test]
fn a_stream_asks_for_its_usage() {
    let options = |fields: &str| {
        let direct = request(&format!("{{\"messages\":[{{}}]{fields}}}")).without_openrouter_fields();
        let tree: Value = serde_json::from_slice(&direct.to_bytes()).unwrap();
        tree["stream_options"].to_string()
    };
    assert_eq!(options(r#","stream":true"#), r#"{"include_usage":true}"#);
    assert_eq!(
        options(r#","stream":true,"stream_options":null"#),
        r#"{"include_usage":true}"#
    );
    assert_eq!(
        options(r#","stream":true,"stream_options":{"x":1,"include_usage":false}"#),
        r#"{"include_usage":true,"x":1}"#
    );
    assert_eq!(options(r#","stream":false"#), "null");
}

#[test]
fn the_effort_goes_over() {
    let effort = |fields: &str| {
        let direct = request(&format!("{{\"messages\":[{{}}],{fields}}}")).without_openrouter_fields();
        direct
            .read_raw("reasoning_effort")
            .map(|raw| String::from_utf8(raw.to_vec()).unwrap())
    };
    assert_eq!(effort(r#""reasoning":{"effort":"low"}"#).as_deref(), Some("\"low\""));
    assert_eq!(
        effort(r#""reasoning":{"effort":"low"},"reasoning_effort":"high""#).as_deref(),
        Some("\"high\"")
    );
    assert_eq!(effort(r#""reasoning":{"effort":"max"}"#), None);
    assert_eq!(effort(r#""reasoning":{"max_tokens":5}"#), None);
}
