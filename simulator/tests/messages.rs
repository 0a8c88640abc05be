//! `POST /messages`.

use crate::common::{KEY, exchange, post, request, said_by, streams};
use openrouter_simulator::{Refusal, Simulator};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/messages";

fn ask(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "max_tokens": 4096,
           "messages": [{"role": "user", "content": "Why is the sky blue?"}]})
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_plain_message_is_whole() {
    let simulator = Simulator::start().await.unwrap();
    let body = json!({"model": "anthropic/claude-sonnet-4.5", "max_tokens": 3, "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Why is the sky blue?"}]}]});
    let reply = post(&simulator, PATH, &body).await;
    let answer = reply.json();
    assert_eq!(
        (&answer["type"], &answer["role"]),
        (&json!("message"), &json!("assistant"))
    );
    assert!(answer["id"].as_str().unwrap().starts_with("msg_"));
    assert!(reply.header("x-generation-id").unwrap().starts_with("gen-"));
    assert_eq!(
        answer["content"],
        json!([{"type": "text", "text": "The sky is", "citations": null}])
    );
    assert_eq!(
        (&answer["stop_reason"], &answer["stop_sequence"]),
        (&json!("max_tokens"), &Value::Null)
    );
    let usage = &answer["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"]),
        (&json!(8), &json!(3))
    );
    assert!(reply.text().contains("\"cost\":0.000069,"), "{}", reply.text());
}

#[tokio::test]
async fn the_events_come_in_order() {
    let simulator = Simulator::start().await.unwrap();
    let reply = post(&simulator, PATH, &ask("sim/reasoning=2;words=3", true)).await;
    let events = reply.events();
    assert_eq!(
        types(&events),
        [
            "message_start",
            "ping",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    assert_eq!(reply.names(), types(&events));
    assert!(!reply.done());
    assert_eq!(events[0]["message"]["stop_reason"], Value::Null);
    assert_eq!(events[0]["message"]["usage"]["output_tokens"], 1);
    assert_eq!(events[5]["delta"]["type"], "signature_delta");
    assert_eq!((&events[2]["index"], &events[7]["index"]), (&json!(0), &json!(1)));
    assert_eq!(streams(&reply), "light passes through");
    assert_eq!(events[12]["delta"]["stop_reason"], "end_turn");
    assert_eq!(events[12]["usage"]["output_tokens"], 5);
    assert!(events[12]["usage"].get("cost").is_none());

    let other = post(&simulator, PATH, &ask("sim/words=3;usage-form=cost", true))
        .await
        .events();
    assert!(other[other.len() - 2]["usage"]["cost"].is_number());
    let zeros = post(&simulator, PATH, &ask("sim/words=3;usage-form=zeros", true))
        .await
        .events();
    assert_eq!(zeros[0]["message"]["usage"]["input_tokens"], 0);
    assert_eq!(zeros[zeros.len() - 2]["usage"]["input_tokens"], 5);
}

#[tokio::test]
async fn a_tool_call_comes_in_fragments() {
    let simulator = Simulator::start().await.unwrap();
    let mut body = ask("openai/gpt-4o-mini", true);
    body["messages"][0]["content"] = "How is the weather in Oslo?".into();
    body["tools"] = json!([{"name": "get_weather", "input_schema":
        {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}}]);
    let events = post(&simulator, PATH, &body).await.events();
    let begun = events.iter().find(|e| e["type"] == "content_block_start").unwrap();
    assert_eq!(
        (&begun["content_block"]["name"], &begun["content_block"]["input"]),
        (&json!("get_weather"), &json!({}))
    );
    let parts: Vec<&str> = events
        .iter()
        .filter_map(|e| e.pointer("/delta/partial_json")?.as_str())
        .collect();
    assert_eq!((parts[0], parts.concat().as_str()), ("", r#"{"city":"Oslo"}"#));
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "tool_use");

    body["stream"] = false.into();
    let plain = post(&simulator, PATH, &body).await.json();
    let call = &plain["content"][0];
    assert_eq!(
        (&call["type"], &call["input"]),
        (&json!("tool_use"), &json!({"city": "Oslo"}))
    );
    crate::common::push(&mut body, json!({"role": "assistant", "content": plain["content"]}));
    crate::common::push(
        &mut body,
        json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": call["id"], "content": "12 degrees"}]}),
    );
    assert_eq!(post(&simulator, PATH, &body).await.json()["stop_reason"], "end_turn");
    for (choice, reason) in [("any", "tool_use"), ("none", "end_turn")] {
        let mut body = ask("openai/gpt-4o-mini", false);
        body["tools"] = json!([{"name": "f", "input_schema": {"type": "object"}}]);
        body["tool_choice"] = json!({"type": choice});
        assert_eq!(post(&simulator, PATH, &body).await.json()["stop_reason"], reason);
    }
}

#[tokio::test]
async fn thinking_and_structured_output_as_requested() {
    let simulator = Simulator::start().await.unwrap();
    let mut body = ask("anthropic/claude-sonnet-4.5", false);
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    body["output_config"] = json!({"effort": "low", "format": {"type": "json_schema", "schema":
        {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}}});
    let answer = post(&simulator, PATH, &body).await.json();
    assert_eq!(answer["usage"]["output_tokens_details"]["thinking_tokens"], 6);
    assert_eq!(answer["content"][0]["type"], "thinking");
    assert_eq!(answer["content"][1]["text"], r#"{"city":"Oslo"}"#);
    body["thinking"] = json!({"type": "disabled"});
    body["model"] = "sim/text=none".into();
    assert_eq!(said_by(&post(&simulator, PATH, &body).await.json()), "none");
}

#[tokio::test]
async fn errors_have_the_envelope_and_type_of_messages() {
    let simulator = Simulator::start().await.unwrap();
    for refusal in Refusal::all().into_iter().filter(|refusal| !refusal.is_html()) {
        let reply = post(&simulator, PATH, &ask(&format!("sim/{refusal}"), true)).await;
        let error = reply.json();
        assert_eq!(
            (reply.status, &error["type"]),
            (refusal.status(), &json!("error")),
            "{refusal}"
        );
        assert!(!error["error"]["message"].as_str().unwrap().is_empty(), "{refusal}");
        let kind = error["error"]["type"].as_str().unwrap();
        let expected = match refusal.status() {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            408 | 504 | 524 => "timeout_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            503 | 529 => "overloaded_error",
            500 | 502 => "api_error",
            _ => "invalid_request_error",
        };
        if refusal != Refusal::TooLarge {
            assert_eq!(kind, expected, "{refusal}");
        }
    }
    let pool = post(&simulator, PATH, &ask("sim/429-upstream", false)).await;
    assert_eq!(
        (
            pool.header("retry-after"),
            &pool.json()["metadata"]["retry_after_seconds"]
        ),
        (Some("17"), &json!(17))
    );
    let full = post(&simulator, PATH, &ask("sim/429-capacity", false)).await.json();
    assert_eq!(full["error"]["availability"]["retry_after"], 40);
    let overloaded = post(&simulator, PATH, &ask("sim/words=4;error=529@2", true)).await;
    let last = overloaded.events().pop().unwrap();
    assert_eq!(
        (overloaded.names().last(), &last["error"]["type"]),
        (Some(&"error"), &json!("overloaded_error"))
    );
    let plain = post(&simulator, PATH, &ask("sim/error=529", false)).await;
    assert_eq!(
        (plain.status, &plain.json()["error"]["type"]),
        (200, &json!("overloaded_error"))
    );
}

#[tokio::test]
async fn keys_paths_and_requests() {
    let simulator = Simulator::start().await.unwrap();
    let body = ask("sim/words=2", false).to_string();
    let bearer = format!("Bearer {KEY}");
    for (headers, status) in [
        (vec![("authorization", bearer.as_str())], 200),
        (vec![("x-api-key", KEY)], 200),
        (vec![], 401),
    ] {
        let bytes = request("POST", "/v1/messages", &headers, body.as_bytes());
        assert_eq!(exchange(simulator.addr(), &bytes).await.unwrap().status, status);
    }
    let shown = simulator.report();
    assert!(!format!("{:?}", shown.attempts).contains(KEY));
    // Another path takes no such key, and counting tokens is no path.
    let bytes = request("POST", "/v1/responses", &[("x-api-key", KEY)], b"{\"input\":\"x\"}");
    assert_eq!(exchange(simulator.addr(), &bytes).await.unwrap().status, 401);
    let counted = post(&simulator, "/api/v1/messages/count_tokens", &ask("sim/ok", false)).await;
    assert_eq!(
        (counted.status, &counted.json()["error"]["type"]),
        (404, &json!("not_found_error"))
    );
    for (member, value) in [
        ("messages", json!([])),
        ("max_tokens", json!("ten")),
        ("fallbacks", json!([{"model": "a/b", "max_tokens": 3}])),
    ] {
        let mut body = ask("openai/gpt-4o-mini", false);
        body[member] = value;
        let reply = post(&simulator, PATH, &body).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["type"]),
            (400, &json!("invalid_request_error")),
            "{member}"
        );
    }
    let mut rescued = ask("sim/503", false);
    rescued["fallbacks"] = json!([{"model": "demo/model"}]);
    assert_eq!(post(&simulator, PATH, &rescued).await.json()["model"], "demo/model");
}

#[tokio::test]
async fn cached_tokens_stand_beside_the_prompt() {
    let simulator = Simulator::start().await.unwrap();
    let long = "word ".repeat(1000);
    let body = json!({"model": "anthropic/claude-sonnet-4.5", "max_tokens": 1, "messages": [{"role": "user", "content": [
        {"type": "text", "text": long, "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "Hey!"}]}]});
    let written = post(&simulator, PATH, &body).await.json()["usage"].clone();
    let read = post(&simulator, PATH, &body).await.json()["usage"].clone();
    let counts = |usage: &Value| {
        ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"]
            .map(|name| usage[name].as_u64().unwrap())
    };
    assert_eq!((counts(&written), counts(&read)), ([1, 1250, 0], [1, 0, 1250]));
    assert_eq!(written["cache_creation"]["ephemeral_5m_input_tokens"], 1250);
}
