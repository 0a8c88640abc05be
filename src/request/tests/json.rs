//! Requests that came as JSON: bytes kept, errors that say what to do.

use bytes::Bytes;

use super::{body, request};
use crate::request::ChatRequest;
use openrouter_wire::request::RequestError;

const SAMPLE: &str = r#"{"model":"openai/gpt-4o-mini","models":["google/gemini-2.5-flash"],"max_tokens":64,
 "messages":[{"role":"user","content":"Name one prime above 20."}],
 "provider":{"max_price":{"prompt":1,"completion":3}},"session_id":"demo-1"}"#;

#[test]
fn a_body_goes_through_untouched() {
    let bytes = Bytes::from_static(SAMPLE.as_bytes());
    let sample = ChatRequest::from_json(bytes.clone()).unwrap();
    assert_eq!(sample.to_bytes().as_ptr(), bytes.as_ptr());
    assert_eq!(sample.document().segments().count(), 1);
    assert_eq!(sample.len(), SAMPLE.len());
    assert_eq!(sample.read_model(), Some("openai/gpt-4o-mini"));
    assert_eq!(sample.read_models().unwrap(), ["google/gemini-2.5-flash"]);
    assert_eq!(sample.read_max_tokens(), Some(64));
    assert!(!sample.is_streaming());
    assert_eq!(sample.read_session_id().as_deref(), Some("demo-1"));
    let price = sample.read_provider().unwrap().unwrap().max_price.unwrap();
    assert_eq!(price.completion.unwrap().as_str(), "3");
}

#[test]
fn unknown_fields_survive_a_change() {
    let mut changed = request(
        "{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"odd\":1}],  \"brand_new\":{\"a\":1e400},\"model\":\"a/b\"}",
    );
    changed.set_model("c/d");
    assert_eq!(
        body(&changed),
        "{\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"odd\":1}],  \"brand_new\":{\"a\":1e400},\"model\":\"c/d\"}"
    );
}

#[test]
fn null_is_absent() {
    let empty = request(r#"{"prompt":"x","model":null,"max_tokens":null,"stream":null,"models":null,"messages":null}"#);
    assert_eq!(
        (empty.read_model(), empty.read_max_tokens(), empty.is_streaming()),
        (None, None, false)
    );
    assert_eq!(
        request(r#"{"prompt":"x","max_completion_tokens":null,"max_tokens":9}"#).read_max_tokens(),
        Some(9)
    );
    assert_eq!(
        request(r#"{"prompt":"x","max_completion_tokens":8,"max_tokens":null}"#).read_max_tokens(),
        Some(8)
    );
}

#[test]
fn errors_say_what_to_do() {
    let error = |body: &str| body.parse::<ChatRequest>().unwrap_err();
    let with = |field: &str| error(&format!("{{\"messages\":[{{}}],{field}}}"));
    for (found, field, start) in [
        (
            with("\"model\":5"),
            "model",
            "`model` is a number, expected a string: send a slug such as",
        ),
        (
            with("\"stream\":\"yes\""),
            "stream",
            "`stream` is a string, expected a boolean: send true or false",
        ),
        (
            with("\"max_tokens\":0"),
            "max_tokens",
            "`max_tokens` is zero, expected a whole number above 0",
        ),
        (
            with("\"max_tokens\":-1"),
            "max_tokens",
            "`max_tokens` is a negative, fractional or huge number",
        ),
        (
            with("\"max_completion_tokens\":1.5"),
            "max_completion_tokens",
            "`max_completion_tokens` is a negative, fractional",
        ),
        (with("\"max_tokens\":\"64\""), "max_tokens", "`max_tokens` is a string"),
        (
            with("\"models\":\"a\""),
            "models",
            "`models` is a string, expected an array of strings",
        ),
        (
            with("\"models\":[1]"),
            "models",
            "`models` is an array with other things in it",
        ),
        (
            error("{}"),
            "messages",
            "`messages` is missing: send at least one message",
        ),
        (error("{\"messages\":[ ]}"), "messages", "`messages` is an empty array"),
        (
            error("{\"messages\":\"secret\"}"),
            "messages",
            "`messages` is a string, expected an array",
        ),
        (
            error("{\"prompt\":[1]}"),
            "prompt",
            "`prompt` is an array, expected a string",
        ),
    ] {
        assert_eq!(found.field(), Some(field));
        assert!(found.to_string().starts_with(start), "{found}");
        assert!(!found.to_string().contains("secret"));
    }
    let broken = error("{\"messages\": secret");
    assert!(matches!(broken, RequestError::Json(_)));
    assert_eq!(
        broken.to_string(),
        "the request body cannot be read: not JSON at byte 13: expected a value, found a stray byte"
    );
}

#[test]
fn debug_does_not_print_the_content() {
    let told = format!(
        "{:?}",
        request(r#"{"messages":[{"role":"user","content":"secret"}],"user":"hidden"}"#)
    );
    assert!(!told.contains("secret") && !told.contains("hidden"), "{told}");
    assert!(
        told.contains("message_bytes: 36") && told.contains("\"user\""),
        "{told}"
    );
}

#[test]
fn serde_keeps_the_text() {
    let text = r#"[{"x": { "messages" : [ {} ] , "z":1e400} }]"#;
    #[derive(serde::Deserialize, serde::Serialize)]
    struct Outer {
        x: ChatRequest,
    }
    let outer: Vec<Outer> = serde_json::from_str(text).unwrap();
    assert_eq!(body(&outer[0].x), r#"{ "messages" : [ {} ] , "z":1e400}"#);
    assert_eq!(
        serde_json::to_string(&outer).unwrap(),
        r#"[{"x":{ "messages" : [ {} ] , "z":1e400}}]"#
    );
    let error = serde_json::from_str::<ChatRequest>(r#"{"messages":[{}],"model":1}"#).unwrap_err();
    assert!(error.to_string().contains("`model` is a number"), "{error}");
}
