//! What the items of an answer show, however a server writes them.

use super::{EventProbe, Step};
use crate::{Api, ApiAnswer, error::UpstreamError, messages::MessageDocument, responses::ResponseDocument};

#[test]
fn the_text_of_an_item_is_read_wherever_it_stands() {
    let plain = r#"[{"type":"text","text":"Hello world"}]"#;
    let message = |content: &str| format!(r#"{{"type":"message","content":{content},"stop_reason":"end_turn"}}"#);
    let own = message(plain);
    let expected = EventProbe::read(Api::Messages, own.as_bytes()).unwrap().content;
    assert!(expected.text > 0);
    for content in [
        r#""Hello world""#,
        r#"["Hello world"]"#,
        r#"{"type":"text","text":"Hello world"}"#,
        r#"[{"text":"Hello world"}]"#,
        r#"{"content":{"text":"Hello world"}}"#,
    ] {
        let body = message(content);
        let piece = EventProbe::read(Api::Messages, body.as_bytes()).unwrap();
        assert_eq!((piece.step, piece.content), (Step::Document, expected), "{content}");
        assert!(piece.has_items(), "{content}");
        assert_eq!(piece.text().as_deref(), Some("Hello world"), "{content}");
        let typed = MessageDocument::from_json(body.as_bytes()).unwrap();
        assert_eq!(typed.text().as_deref(), Some("Hello world"), "{content}");
    }
    for output in [
        r#""Hello world""#,
        r#"[{"type":"message","content":"Hello world"}]"#,
        r#"{"type":"message","content":[{"type":"input_text","text":"Hello world"}]}"#,
        r#"[{"content":{"text":"Hello world"}}]"#,
        r#"[],"output_text":"Hello world""#,
        r#"[{"type":"message","content":[{"type":"output_text","text":"Hello world"}]}],"output_text":"Hello world""#,
    ] {
        let body = format!(r#"{{"object":"response","status":"completed","output":{output}}}"#);
        let piece = EventProbe::read(Api::Responses, body.as_bytes()).unwrap();
        assert_eq!((piece.step, piece.content), (Step::Document, expected), "{output}");
        assert_eq!(piece.text().as_deref(), Some("Hello world"), "{output}");
        let typed = ResponseDocument::from_json(body.as_bytes()).unwrap();
        assert_eq!(typed.text().as_deref(), Some("Hello world"), "{output}");
    }
    // Thought is none, in whatever item it stands.
    let body =
        r#"{"object":"response","output":[{"type":"message","content":[{"type":"reasoning_text","text":"Hm"}]}]}"#;
    let piece = EventProbe::read(Api::Responses, body.as_bytes()).unwrap();
    assert_eq!((piece.content.text, piece.text()), (0, None));
    assert!(piece.content.reasoning > 0);
    for content in ["[]", "null", r#""""#, "[null]", "7"] {
        let body = message(content);
        let piece = EventProbe::read(Api::Messages, body.as_bytes()).unwrap();
        assert!(piece.content.is_nothing() && !piece.has_items(), "{content}");
    }
}

#[test]
fn an_end_in_a_failure_is_a_failure_in_its_own_word() {
    for (api, body, word) in [
        (
            Api::Messages,
            r#"{"type":"message_delta","delta":{"stop_reason":"error"}}"#,
            None,
        ),
        (
            Api::Messages,
            r#"{"type":"message_delta","delta":{"stop_reason":"abort"}}"#,
            Some("abort"),
        ),
        (
            Api::Messages,
            r#"{"type":"message","content":[{"type":"text","text":"An error occurred."}],"stop_reason":"abort"}"#,
            Some("abort"),
        ),
        (
            Api::Responses,
            r#"{"object":"response","status":"error","output":[]}"#,
            None,
        ),
        (
            Api::Responses,
            r#"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"timeout"}}}"#,
            Some("timeout"),
        ),
    ] {
        let piece = EventProbe::read(api, body.as_bytes()).unwrap();
        assert!(piece.is_failure(), "{body}");
        let expected = UpstreamError {
            native_finish_reason: word.map(str::to_owned),
            ..UpstreamError::default()
        };
        assert_eq!(piece.upstream_error(), Some(expected), "{body}");
    }
    for (api, body) in [
        (
            Api::Messages,
            r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"}}"#,
        ),
        (
            Api::Messages,
            r#"{"type":"message_delta","delta":{"stop_reason":"pause_turn"}}"#,
        ),
        (
            Api::Messages,
            r#"{"type":"message_delta","delta":{"stop_reason":null}}"#,
        ),
        (
            Api::Responses,
            r#"{"object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}"#,
        ),
    ] {
        let piece = EventProbe::read(api, body.as_bytes()).unwrap();
        assert!(!piece.is_failure() && piece.upstream_error().is_none(), "{body}");
    }
}
