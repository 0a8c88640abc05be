//! Requests of all APIs: what is refused, what is edited, and that all else stays.

use bytes::Bytes;
use tower_llm_layers::{Budgeted, LlmRequest};

use super::{Api, ApiRequest, MessagesRequest, ResponsesRequest};
use crate::{WireRequest, dialect::Dialect};

fn sent(request: &impl WireRequest, dialect: Dialect) -> String {
    let parts: Vec<Bytes> = request.segments(dialect).into_iter().collect();
    String::from_utf8(parts.concat()).unwrap()
}

#[test]
fn a_bad_request_is_refused_with_the_name_of_its_field() {
    for (api, body, field) in [
        (Api::Responses, r#"{}"#, "input"),
        (Api::Responses, r#"{"input":[]}"#, "input"),
        (Api::Responses, r#"{"input":7}"#, "input"),
        (Api::Responses, r#"{"input":"x","stream":"yes"}"#, "stream"),
        (
            Api::Responses,
            r#"{"input":"x","max_output_tokens":0}"#,
            "max_output_tokens",
        ),
        (
            Api::Responses,
            r#"{"input":"x","max_output_tokens":"9"}"#,
            "max_output_tokens",
        ),
        (Api::Responses, r#"{"input":"x","model":{}}"#, "model"),
        (Api::Responses, r#"{"input":"x","models":[1]}"#, "models"),
        (Api::Responses, r#"{"input":"x","store":"yes"}"#, "store"),
        (
            Api::Responses,
            r#"{"input":"x","previous_response_id":1}"#,
            "previous_response_id",
        ),
        (Api::Responses, r#"{"input":"x","instructions":[]}"#, "instructions"),
        (Api::Messages, r#"{"max_tokens":1}"#, "messages"),
        (Api::Messages, r#"{"messages":[],"max_tokens":1}"#, "messages"),
        (Api::Messages, r#"{"messages":"x","max_tokens":1}"#, "messages"),
        (Api::Messages, r#"{"messages":[{}],"max_tokens":-1}"#, "max_tokens"),
        (Api::Messages, r#"{"messages":[{}],"max_tokens":1.5}"#, "max_tokens"),
        (
            Api::Messages,
            r#"{"messages":[{}],"max_tokens":1,"system":{}}"#,
            "system",
        ),
        (
            Api::Messages,
            r#"{"messages":[{}],"max_tokens":1,"stream":1}"#,
            "stream",
        ),
        (Api::Chat, r#"{}"#, "messages"),
        (Api::Embeddings, r#"{}"#, "input"),
        (Api::Embeddings, r#"{"input":null}"#, "input"),
        (Api::Embeddings, r#"{"messages":null}"#, "input"),
        (Api::Embeddings, r#"{"messages":[]}"#, "messages"),
        (Api::Embeddings, r#"{"messages":"x"}"#, "messages"),
        (Api::Embeddings, r#"{"input":[],"messages":[{}]}"#, "input"),
    ] {
        let error = ApiRequest::from_json(api, body).unwrap_err();
        assert_eq!(error.field(), Some(field), "{api}: {body}");
        assert!(error.to_string().contains(field), "{error}");
    }
    for api in Api::ALL {
        for body in ["", "[]", "7", "{\"input\":", "\"x\""] {
            let error = ApiRequest::from_json(api, body).unwrap_err();
            assert_eq!(error.field(), None, "{api}: {body}");
        }
    }
}

#[test]
fn edits_replace_one_member_and_leave_all_other_bytes() {
    let body = r#"{ "new" : [1.0, "\u00e9"],"model":"a/b", "input": [ {"type":"odd"} ],"max_output_tokens":5 , "stream":true}"#;
    let mut request: ResponsesRequest = body.parse().unwrap();
    assert_eq!(sent(&request, Dialect::OpenRouter), body);
    assert!(request.is_streaming());
    LlmRequest::set_model(&mut request, "c/d");
    assert!(Budgeted::set_max_tokens(&mut request, 3));
    let edited = body.replace("a/b", "c/d").replace("\":5", "\":3");
    assert_eq!(sent(&request, Dialect::OpenRouter), edited);
    assert_eq!(
        (request.read_model(), request.read_max_tokens()),
        (Some("c/d"), Some(3))
    );

    let body = r#"{"model":"a/b","max_tokens":5,"messages":[{"role":"user","content":"x","new":{}}],"metadata":{"user_id":"u"}}"#;
    let mut request: MessagesRequest = body.parse().unwrap();
    assert!(Budgeted::set_max_tokens(&mut request, 3));
    assert_eq!(sent(&request, Dialect::OpenRouter), body.replace("\":5", "\":3"));
    let stream = request.as_stream().unwrap();
    assert!(stream.is_streaming() && stream.as_stream().is_none() && !request.is_streaming());
}

#[test]
fn a_direct_upstream_gets_no_field_that_only_the_router_reads() {
    let body = r#"{"model":"m","models":["a/b"],"input":"x","provider":{},"new":1}"#;
    let request: ResponsesRequest = body.parse().unwrap();
    assert_eq!(sent(&request, Dialect::OpenAi), r#"{"model":"m","input":"x","new":1}"#);
    // `fallbacks` is Anthropic's own as well.
    let body = r#"{"model":"m","fallbacks":[{"model":"n"}],"user":"u","messages":[{}],"max_tokens":9,"speed":"fast"}"#;
    let request: MessagesRequest = body.parse().unwrap();
    assert_eq!(
        sent(&request, Dialect::Anthropic),
        r#"{"model":"m","fallbacks":[{"model":"n"}],"messages":[{}],"max_tokens":9,"speed":"fast"}"#
    );
}

/// What they cost is reserved, and none of ours goes along with them: an upstream takes one of both lists.
#[test]
fn the_fallbacks_of_a_message_are_models_that_the_upstream_may_try() {
    let body = r#"{"model":"m","fallbacks":[{"model":"n"},{"model":"o"}],"messages":[{}],"max_tokens":9}"#;
    let mut request: MessagesRequest = body.parse().unwrap();
    assert_eq!(request.alternatives(), ["n", "o"]);
    assert!(!request.set_alternatives(&["p"]));
    assert_eq!(sent(&request, Dialect::OpenRouter), body);
}

#[test]
fn the_router_takes_no_reference_to_a_response_that_it_does_not_keep() {
    for (fields, field) in [
        (r#""store":true"#, Some("store")),
        (r#""previous_response_id":"resp_1""#, Some("previous_response_id")),
        (r#""conversation":{"id":"c"}"#, Some("conversation")),
        (r#""store":false,"previous_response_id":null"#, None),
    ] {
        let request: ResponsesRequest = format!(r#"{{"input":"x",{fields}}}"#).parse().unwrap();
        let request = ApiRequest::from(request);
        let error = request.check_for(Dialect::OpenRouter).err();
        assert_eq!(error.as_ref().and_then(|error| error.field()), field, "{fields}");
        assert_eq!(request.check_for(Dialect::OpenAi), Ok(()), "{fields}");
    }
}

#[test]
fn only_anthropic_itself_needs_a_limit_of_the_answer() {
    for (fields, field) in [
        ("", Some("max_tokens")),
        (r#","max_tokens":null"#, Some("max_tokens")),
        (r#","max_tokens":0"#, None),
        (r#","max_tokens":9"#, None),
    ] {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}]{fields}}}"#);
        let request = ApiRequest::from_json(Api::Messages, body.clone()).unwrap();
        let error = request.check_for(Dialect::Anthropic).err();
        assert_eq!(error.as_ref().and_then(|error| error.field()), field, "{fields}");
        for dialect in [Dialect::OpenRouter, Dialect::OpenAi] {
            assert_eq!(request.check_for(dialect), Ok(()), "{fields}");
            assert_eq!(sent(&request, dialect), body);
        }
    }
}

#[test]
fn messages_stand_for_the_input_of_embeddings_where_a_server_takes_them() {
    let image = "A".repeat(100_000);
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"text","text":"What?"}},{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{image}"}}}}]}}]}}"#
    );
    let request = ApiRequest::from_json(Api::Embeddings, body.clone()).unwrap();
    assert_eq!(sent(&request, Dialect::OpenAi), body);
    assert_eq!(request.check_for(Dialect::OpenAi), Ok(()));
    // OpenRouter reads `input` alone: another upstream may still answer.
    let error = request.check_for(Dialect::OpenRouter).unwrap_err();
    assert_eq!(error.field(), Some("input"));
    let needs = request.needs();
    assert!(
        needs.prompt_tokens > 0 && needs.prompt_tokens < 100,
        "{}",
        needs.prompt_tokens
    );
    assert_eq!(needs.images, 1);
    assert!(
        needs.output.is_empty(),
        "vectors are no output that a model is chosen by"
    );
    let text = r#"{"model":"m","messages":[{"role":"user","content":"why is the sky blue?"}]}"#;
    let text = ApiRequest::from_json(Api::Embeddings, text).unwrap();
    assert!(text.needs().prompt_tokens > 5 && text.needs().most_prompt_tokens > 20);
    let input = ApiRequest::from_json(Api::Embeddings, r#"{"model":"m","input":"x"}"#).unwrap();
    assert_eq!(input.check_for(Dialect::OpenRouter), Ok(()));
}

#[test]
fn what_was_sent_is_read_back_and_what_was_built_is_sent() {
    let built = ResponsesRequest::text("Hi")
        .model("a/b")
        .max_output_tokens(9)
        .stream(true);
    assert_eq!(
        sent(&built, Dialect::OpenRouter),
        r#"{"model":"a/b","stream":true,"max_output_tokens":9,"input":"Hi"}"#
    );
    let built = MessagesRequest::user("Hi", 9).model("a/b").system("Be brief.");
    let request = ApiRequest::from_json(Api::Messages, built.to_bytes()).unwrap();
    assert_eq!(request.as_messages(), Some(&built));
    assert_eq!(request.clone().into_http().uri(), "/messages");
    assert_eq!(request.needs().api, Some("messages"));
    assert!(!format!("{request:?}").contains("brief"));
}

#[test]
fn each_setter_writes_its_own_field() {
    let schema = serde_json::json!({"type": "object"});
    let message = MessagesRequest::user("Hi", 9)
        .top_p(0.5)
        .top_k(40)
        .output_config(serde_json::json!({"effort": "low"}))
        .json_schema(schema.clone());
    let wrote: serde_json::Value = serde_json::from_slice(&message.to_bytes()).unwrap();
    assert_eq!(
        wrote,
        serde_json::json!({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "top_p": 0.5, "top_k": 40,
            "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": schema}}})
    );
    let response = ResponsesRequest::text("Hi")
        .store(false)
        .truncation("auto")
        .include(["reasoning.encrypted_content"])
        .safety_identifier("u-7");
    let wrote: serde_json::Value = serde_json::from_slice(&response.to_bytes()).unwrap();
    assert_eq!(
        wrote,
        serde_json::json!({"input": "Hi", "store": false, "truncation": "auto", "include": ["reasoning.encrypted_content"],
            "safety_identifier": "u-7"})
    );
}

#[test]
fn what_a_setter_writes_is_read_as_what_a_client_sends() {
    let plain = MessagesRequest::user("Hi", 9);
    assert!(!plain.facts().structured_outputs);
    let schema = serde_json::json!({"type": "object"});
    assert!(plain.json_schema(schema).facts().structured_outputs);
    for (request, field) in [
        (ResponsesRequest::text("Hi").store(true), Some("store")),
        (
            ResponsesRequest::text("Hi").previous_response_id("resp_1"),
            Some("previous_response_id"),
        ),
        (ResponsesRequest::text("Hi").store(false), None),
    ] {
        let error = request.check_for(Dialect::OpenRouter).err();
        assert_eq!(error.as_ref().and_then(|error| error.field()), field);
        assert_eq!(request.check_for(Dialect::OpenAi), Ok(()));
    }
}
