//! Edits of a request leave every other byte as it was.

use super::{body, request};
use crate::request::ChatRequest;
use openrouter_wire::chat::Message;

#[test]
fn a_clone_keeps_what_it_had() {
    let original = request(r#"{"model":"a/b","messages":[{"role":"user","content":"x"}]}"#);
    let mut other = original.clone();
    other.set_model("c/\"d\"");
    other.set_stream(true);
    assert_eq!((original.read_model(), original.is_streaming()), (Some("a/b"), false));
    assert_eq!((other.read_model(), other.is_streaming()), (Some("c/\"d\""), true));
    assert_eq!(
        body(&other),
        r#"{"model":"c/\"d\"","messages":[{"role":"user","content":"x"}],"stream":true}"#
    );
    assert_eq!(
        body(&original),
        r#"{"model":"a/b","messages":[{"role":"user","content":"x"}]}"#
    );
}

#[test]
fn the_limit_goes_where_the_caller_had_it() {
    let set = |before: &str| {
        let mut request = request(&format!("{{\"messages\":[{{}}]{before}}}"));
        request.set_max_tokens(7);
        assert_eq!(request.read_max_tokens(), Some(7));
        body(&request)
    };
    assert_eq!(set(""), r#"{"messages":[{}],"max_tokens":7}"#);
    assert_eq!(set(r#","max_tokens":9"#), r#"{"messages":[{}],"max_tokens":7}"#);
    assert_eq!(
        set(r#","max_completion_tokens":9"#),
        r#"{"messages":[{}],"max_completion_tokens":7}"#
    );
    assert_eq!(
        set(r#","max_tokens":9,"max_completion_tokens":9"#),
        r#"{"messages":[{}],"max_tokens":7,"max_completion_tokens":7}"#
    );
}

#[test]
fn a_second_limit_cannot_slip_past() {
    let mut doubled = request(r#"{"max_tokens":5,"messages":[{}],"model":"a/a","max_tokens":9,"model":"b/b"}"#);
    assert_eq!(
        (doubled.read_max_tokens(), doubled.read_model()),
        (Some(9), Some("b/b"))
    );
    doubled.set_max_tokens(7);
    doubled.set_model("c/c");
    assert_eq!(body(&doubled), r#"{"messages":[{}],"max_tokens":7,"model":"c/c"}"#);
}

#[test]
fn a_stream_that_is_already_right_is_left_alone() {
    let text = r#"{"stream":true,"messages":[{}]}"#;
    let mut same = request(text);
    same.set_stream(true);
    assert_eq!(same.document().segments().count(), 1);
    same.set_stream(false);
    assert_eq!(body(&same), r#"{"stream":false,"messages":[{}]}"#);
    let mut null = request(r#"{"stream":null,"messages":[{}]}"#);
    null.set_stream(false);
    assert_eq!(body(&null), r#"{"stream":false,"messages":[{}]}"#);
}

#[test]
fn messages_are_added_without_touching_the_others() {
    let mut request = request("{\"messages\": [ {\"role\": \"user\",  \"content\":\"x\"} ] }");
    request.push_message(&Message::assistant("y"));
    request.push_front(&Message::system("s"));
    let expected = "{\"messages\": [{\"role\":\"system\",\"content\":\"s\"},{\"role\": \"user\",  \"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"y\"}] }";
    assert_eq!(body(&request), expected);
    request.set_messages(&[Message::user("z")]);
    assert_eq!(
        body(&request),
        "{\"messages\": [{\"role\":\"user\",\"content\":\"z\"}] }"
    );
}

#[test]
fn models_go_when_there_are_none() {
    let mut request = ChatRequest::user("x").models(["a/b"]);
    assert_eq!(request.read_raw("models"), Some(&b"[\"a/b\"]"[..]));
    request.set_models::<&str>([]);
    assert_eq!(request.read_raw("models"), None);
    assert!(!request.remove("models"));
    assert!(request.remove("messages"));
    assert_eq!(body(&request), "{}");
}

#[test]
fn removing_forgets_what_was_at_hand() {
    let mut request =
        request(r#"{"model":"a/b","stream":true,"max_completion_tokens":3,"max_tokens":4,"messages":[{}]}"#);
    request.remove("model");
    request.remove("stream");
    request.remove("max_completion_tokens");
    assert_eq!(
        (request.read_model(), request.is_streaming(), request.read_max_tokens()),
        (None, false, Some(4))
    );
}

#[test]
fn several_messages_are_added_as_one_by_one() {
    for before in [
        r#"{"messages":[{"role":"user","content":"x"}]}"#,
        r#"{"messages": [ {"role":"user","content":"x"} ],"model":"a/b"}"#,
    ] {
        let messages = [Message::user("a"), Message::assistant("b")];
        let (mut one_by_one, mut at_once) = (request(before), request(before));
        for message in &messages {
            one_by_one.push_message(message);
        }
        at_once.push_messages(&messages);
        assert_eq!(body(&at_once), body(&one_by_one));
        at_once.push_messages(&[]);
        assert_eq!(body(&at_once), body(&one_by_one));
    }
}
