//! Requests to a provider directly: what only OpenRouter reads is left out.

use serde_json::Value;
use tower_llm_layers::Budgeted;

use super::{body, request};
use crate::transport::ChatCompatibility;
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
    assert_eq!(plain.without_openrouter_fields().document().segments().count(), 1);
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
fn usage_is_added_only_if_the_request_does_not_include_it() {
    for (fields, is_added) in [
        (r#","stream":true"#, true),
        (r#","stream":true,"stream_options":null"#, true),
        (r#","stream":true,"stream_options":{"include_usage":false}"#, true),
        (r#","stream":true,"stream_options":{"include_usage":true}"#, false),
        (r#","stream":true,"usage":{"include":true}"#, false),
        (r#","stream":false"#, false),
        ("", false),
    ] {
        let request = request(&format!("{{\"messages\":[{{}}]{fields}}}"));
        assert_eq!(request.adds_usage(ChatCompatibility::default()), is_added, "{fields}");
    }
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

#[test]
fn a_provider_that_takes_no_stream_options_gets_none() {
    let words = ChatCompatibility {
        stream_options: false,
        ..ChatCompatibility::default()
    };
    for options in ["", r#","stream_options":{"include_usage":true}"#] {
        let direct = request(&format!("{{\"messages\":[{{}}],\"stream\":true{options}}}"));
        assert!(!direct.compatible_with(words).document().has("stream_options"));
    }
}

#[test]
fn no_limit_is_set_below_the_tokens_that_the_model_may_think() {
    let thinking = r#"{"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"Hi"}],"thinking":{"type":"enabled","budget_tokens":4000}}"#;
    let mut request: crate::MessagesRequest = thinking.parse().unwrap();
    assert!(!Budgeted::set_max_tokens(&mut request, 4_000));
    assert_eq!(request.read_max_tokens(), Some(9_000));
    assert!(Budgeted::set_max_tokens(&mut request, 4_001));
    assert_eq!(request.read_max_tokens(), Some(4_001));
}
