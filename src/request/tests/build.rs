//! Requests that are built: each setter writes its field.

use serde_json::{Value, json};

use super::body;
use crate::request::ChatRequest;
use openrouter_wire::request::RequestError;
use openrouter_wire::{
    Modalities,
    chat::{
        CacheControl, Effort, Message, Part, Plugin, ProviderPreferences, Reasoning, ResponseFormat, ServiceTier,
        SortKey, Tool, ToolChoice, Verbosity,
    },
};

#[test]
fn every_setter_writes_its_field() {
    let request = ChatRequest::user("Hi")
        .system("Be brief.")
        .message(Message::assistant("Yes"))
        .model("a/b")
        .models(["c/d", "e/f"])
        .stream(true)
        .max_tokens(64)
        .temperature(0.7)
        .top_p(0.9)
        .top_k(40)
        .min_p(0.05)
        .frequency_penalty(-0.5)
        .presence_penalty(0.5)
        .repetition_penalty(1.1)
        .seed(-7)
        .stop(["END"])
        .logit_bias([(50256, -100.0)])
        .logprobs(true)
        .top_logprobs(3)
        .tools([
            Tool::function("f", "does", json!({"type": "object"})).strict(true),
            Tool::server("openrouter:web_search").extra("max_results", 3),
        ])
        .tool_choice(ToolChoice::function("f"))
        .parallel_tool_calls(false)
        .response_format(ResponseFormat::json_schema("s", json!({"type": "object"})))
        .provider(
            ProviderPreferences::new()
                .order(["x"])
                .sort(SortKey::Price)
                .max_price("1", "3.50")
                .unwrap(),
        )
        .reasoning(Reasoning::effort(Effort::Low).hidden())
        .plugins([Plugin::new("web").enabled(false)])
        .end_user("u1")
        .session_id("s1")
        .metadata("k1", "v1")
        .metadata("k2", "v2")
        .service_tier(ServiceTier::Flex)
        .prompt_cache_key("pk")
        .cache_control(CacheControl::one_hour())
        .verbosity(Verbosity::High)
        .modalities(Modalities::TEXT | Modalities::IMAGE)
        .prediction("guess")
        .web_search_options(json!({"search_context_size": "low"}))
        .trace("trace_id", "t")
        .trace("own", 1)
        .extra("brand_new", json!({"a": 1}))
        .try_extra("newer", &["x"])
        .unwrap();
    let expected = json!({
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}],
        "model": "a/b", "models": ["c/d", "e/f"], "stream": true, "max_tokens": 64, "temperature": 0.7, "top_p": 0.9, "top_k": 40, "min_p": 0.05,
        "frequency_penalty": -0.5, "presence_penalty": 0.5, "repetition_penalty": 1.1, "seed": -7, "stop": ["END"],
        "logit_bias": {"50256": -100.0}, "logprobs": true, "top_logprobs": 3,
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "does", "parameters": {"type": "object"}, "strict": true}},
            {"type": "openrouter:web_search", "max_results": 3},
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": {"type": "object"}}},
        "provider": {"order": ["x"], "sort": "price", "max_price": {"prompt": 1, "completion": 3.5}},
        "reasoning": {"effort": "low", "exclude": true}, "plugins": [{"id": "web", "enabled": false}],
        "user": "u1", "session_id": "s1", "metadata": {"k1": "v1", "k2": "v2"}, "service_tier": "flex", "prompt_cache_key": "pk",
        "cache_control": {"type": "ephemeral", "ttl": "1h"}, "verbosity": "high", "modalities": ["text", "image"],
        "prediction": {"type": "content", "content": "guess"}, "web_search_options": {"search_context_size": "low"},
        "trace": {"trace_id": "t", "own": 1}, "brand_new": {"a": 1}, "newer": ["x"],
    });
    assert_eq!(serde_json::from_slice::<Value>(&request.to_bytes()).unwrap(), expected);
    // Money keeps its digits, and what was built is what a body would be read as.
    assert!(body(&request).contains("\"completion\":3.50"));
    assert_eq!(ChatRequest::from_json(request.to_bytes()).unwrap(), request);
    assert_eq!(request.read_tools().unwrap().len(), 2);
    assert_eq!(request.read_tool_choice().unwrap(), Some(ToolChoice::function("f")));
    assert_eq!(request.read_reasoning().unwrap().unwrap().effort, Some(Effort::Low));
    assert_eq!(request.read_service_tier(), Some(ServiceTier::Flex));
    assert_eq!(request.read_metadata().unwrap().len(), 2);
    assert_eq!(request.read_end_user().as_deref(), Some("u1"));
    assert_eq!(request.read_plugins().unwrap(), [Plugin::new("web").enabled(false)]);
    assert!(matches!(
        request.read_response_format().unwrap(),
        Some(ResponseFormat::JsonSchema { .. })
    ));
}

#[test]
fn equal_requests_are_equal_bytes_whatever_order_they_are_written_in() {
    let one = ChatRequest::user("x")
        .temperature(0.5)
        .model("a/b")
        .extra("z", 1)
        .extra("a", 2)
        .seed(1);
    let two = ChatRequest::user("x")
        .seed(1)
        .extra("a", 2)
        .extra("z", 1)
        .model("a/b")
        .temperature(0.5);
    assert_eq!(body(&one), body(&two));
    assert_eq!(
        body(&one),
        r#"{"model":"a/b","temperature":0.5,"seed":1,"a":2,"z":1,"messages":[{"role":"user","content":"x"}]}"#
    );
}

#[test]
fn an_extra_of_a_known_name_is_known() {
    let request = ChatRequest::user("x")
        .extra("model", "a/b")
        .extra("stream", true)
        .extra("max_tokens", 5);
    assert_eq!(
        (request.read_model(), request.is_streaming(), request.read_max_tokens()),
        (Some("a/b"), true, Some(5))
    );
    let odd = std::collections::BTreeMap::from([(vec![1], 1)]);
    assert_eq!(
        ChatRequest::user("x").try_extra("odd", &odd),
        Err(RequestError::Encode {
            field: "odd".to_owned()
        })
    );
}

#[test]
fn parts_have_their_wire_names() {
    let request = ChatRequest::user([
        Part::text("t"),
        Part::cached_text("c", CacheControl::ephemeral()),
        Part::image_url("i"),
        Part::audio("d", "wav"),
        Part::video_url("v"),
        Part::file("f.pdf", "data:x"),
    ]);
    let expected = json!([
        {"type": "text", "text": "t"},
        {"type": "text", "text": "c", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "i"}},
        {"type": "input_audio", "input_audio": {"data": "d", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "v"}},
        {"type": "file", "file": {"filename": "f.pdf", "file_data": "data:x"}},
    ]);
    let sent: Value = serde_json::from_slice(request.read_raw("messages").unwrap()).unwrap();
    assert_eq!(sent[0]["content"], expected);
    assert_eq!(request.messages().unwrap()[0].text(), "tc");
}

#[test]
fn setters_of_rarer_fields_write_theirs() {
    let request = ChatRequest::user("Hi")
        .top_a(0.2)
        .reasoning_effort(Effort::High)
        .stream_options(json!({"include_usage": true}))
        .stop_server_tools_when([json!({"type": "step_count_is", "step_count": 5})])
        .deferred_tools(json!({"protocol": "v1"}))
        .image_config(json!({"aspect_ratio": "1:1"}))
        .prompt_cache_options(json!({"ttl": "1h"}))
        .debug(json!({"echo_upstream_body": true}));
    let expected = json!({
        "messages": [{"role": "user", "content": "Hi"}], "top_a": 0.2, "reasoning_effort": "high",
        "stream_options": {"include_usage": true}, "stop_server_tools_when": [{"type": "step_count_is", "step_count": 5}],
        "deferred_tools": {"protocol": "v1"}, "image_config": {"aspect_ratio": "1:1"}, "prompt_cache_options": {"ttl": "1h"},
        "debug": {"echo_upstream_body": true},
    });
    assert_eq!(serde_json::from_slice::<Value>(&request.to_bytes()).unwrap(), expected);
    let newer = ChatRequest::user("Hi").max_completion_tokens(9);
    assert_eq!(
        (newer.read_max_tokens(), newer.document().has("max_tokens")),
        (Some(9), false)
    );
}
