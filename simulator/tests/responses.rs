//! `POST /responses`.

use crate::common::{post, said_by, streams};
use openrouter_simulator::{Report, Simulator};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/responses";

fn ask(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "input": "Why is the sky blue?"})
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_plain_response_is_whole() {
    let simulator = Simulator::start().await.unwrap();
    let body = json!({"model": "openai/gpt-4o-mini", "instructions": "Be brief.", "temperature": 0.5,
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Why is the sky blue?"}]}]});
    let reply = post(&simulator, PATH, &body).await;
    let answer = reply.json();
    assert_eq!(
        (&answer["object"], &answer["status"], &answer["error"]),
        (&json!("response"), &json!("completed"), &Value::Null)
    );
    assert!(answer["id"].as_str().unwrap().starts_with("resp_"));
    assert!(reply.header("x-generation-id").unwrap().starts_with("gen-"));
    assert_eq!(answer["instructions"], "Be brief.");
    assert_eq!(answer["temperature"], 0.5);
    for echoed in [
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "top_p",
        "metadata",
        "presence_penalty",
    ] {
        assert!(answer.get(echoed).is_some(), "{echoed}");
    }
    // What is optional is left out: a null is none of its values.
    assert!(answer.get("text").is_none() && answer.get("reasoning").is_none());
    let part = &answer["output"][0]["content"][0];
    assert!(part["text"].as_str().unwrap().starts_with("The sky is blue"));
    // 9 + 20 bytes, four to a token.
    let usage = &answer["usage"];
    assert_eq!(usage["input_tokens"], 8);
    assert_eq!(usage["total_tokens"], 8 + usage["output_tokens"].as_u64().unwrap());
    assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 0);
}

#[tokio::test]
async fn the_events_come_in_order() {
    let simulator = Simulator::start().await.unwrap();
    let reply = post(&simulator, PATH, &ask("sim/reasoning=2;words=3", true)).await;
    let events = reply.events();
    assert_eq!(
        types(&events),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.reasoning_text.delta",
            "response.reasoning_text.delta",
            "response.reasoning_text.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    assert_eq!(reply.names(), types(&events));
    assert!(reply.done());
    assert_eq!(events[0]["response"]["status"], "in_progress");
    assert!(events[0]["response"].get("usage").is_none());
    assert_eq!(
        (&events[2]["output_index"], &events[7]["output_index"]),
        (&json!(0), &json!(1))
    );
    let whole = &events[15]["response"];
    assert_eq!(whole["output"][1]["content"][0]["text"], "light passes through");
    assert_eq!(whole["output"][0]["content"][0]["text"], "Let me");
    assert_eq!(whole["usage"]["output_tokens_details"]["reasoning_tokens"], 2);
}

#[tokio::test]
async fn a_tool_call_comes_in_fragments() {
    let simulator = Simulator::start().await.unwrap();
    let mut body = ask("openai/gpt-4o-mini", true);
    body["input"] = "How is the weather in Oslo?".into();
    body["tools"] = json!([{"type": "function", "name": "get_weather", "parameters":
        {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}}]);
    let events = post(&simulator, PATH, &body).await.events();
    let added = events
        .iter()
        .find(|e| e["type"] == "response.output_item.added")
        .unwrap();
    assert_eq!(
        (&added["item"]["name"], &added["item"]["arguments"]),
        (&json!("get_weather"), &json!(""))
    );
    let deltas: String = events
        .iter()
        .filter(|e| e["type"] == "response.function_call_arguments.delta")
        .map(|e| e["delta"].as_str().unwrap())
        .collect();
    assert_eq!(deltas, r#"{"city":"Oslo"}"#);
    let call = events.last().unwrap()["response"]["output"][0].clone();
    assert_eq!(
        (&call["type"], &call["arguments"]),
        (&json!("function_call"), &json!(deltas))
    );

    body["model"] = "sim/no-deltas".into();
    let events = post(&simulator, PATH, &body).await.events();
    assert!(!types(&events).contains(&"response.function_call_arguments.delta"));
    let done = events
        .iter()
        .find(|e| e["type"] == "response.function_call_arguments.done")
        .unwrap();
    assert_eq!(
        (&done["arguments"], &done["name"]),
        (&json!(deltas), &json!("get_weather"))
    );

    // After the tool's result comes text, and `tool_choice` forces a call.
    let input = json!([{"role": "user", "content": "How is the weather in Oslo?"}, call,
        {"type": "function_call_output", "call_id": call["call_id"], "output": "12 degrees"}]);
    let after = json!({"model": "openai/gpt-4o-mini", "input": input, "tools": body["tools"]});
    assert_eq!(
        post(&simulator, PATH, &after).await.json()["output"][0]["type"],
        "message"
    );
    let mut forced = ask("openai/gpt-4o-mini", false);
    forced["tools"] = body["tools"].clone();
    forced["tool_choice"] = json!({"type": "function", "name": "get_weather"});
    assert_eq!(
        post(&simulator, PATH, &forced).await.json()["output"][0]["type"],
        "function_call"
    );
}

#[tokio::test]
async fn structured_output_fits_the_schema_unless_a_text_is_given() {
    let simulator = Simulator::start().await.unwrap();
    let schema = json!({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}});
    let mut body = ask("openai/gpt-4o-mini", false);
    body["text"] = json!({"format": {"type": "json_schema", "name": "place", "schema": schema}});
    assert_eq!(
        said_by(&post(&simulator, PATH, &body).await.json()),
        r#"{"city":"Oslo"}"#
    );
    body["model"] = "sim/text=none".into();
    assert_eq!(said_by(&post(&simulator, PATH, &body).await.json()), "none");
}

#[tokio::test]
async fn what_the_router_does_not_take_is_refused() {
    let simulator = Simulator::start().await.unwrap();
    for (member, value) in [
        ("store", json!(true)),
        ("previous_response_id", json!("resp_1")),
        ("max_output_tokens", json!("ten")),
        ("input", json!([])),
        ("models", json!(["a/b", "c/d", "e/f", "g/h"])),
    ] {
        let mut body = ask("openai/gpt-4o-mini", false);
        body[member] = value;
        let reply = post(&simulator, PATH, &body).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (400, &json!(400)),
            "{member}"
        );
    }
}

#[tokio::test]
async fn how_it_ends() {
    let simulator = Simulator::start().await.unwrap();
    for (plan, status, reason) in [
        ("words=3", "completed", Value::Null),
        ("words=3;finish=length", "incomplete", json!("max_output_tokens")),
        ("words=3;finish=content_filter", "incomplete", json!("content_filter")),
        ("400-context", "incomplete", json!("max_output_tokens")),
        ("error=429", "failed", Value::Null),
        ("words=3;error=502@2", "failed", Value::Null),
        ("finish-error", "failed", Value::Null),
        ("empty-choices", "completed", Value::Null),
        ("empty-content", "completed", Value::Null),
    ] {
        for stream in [false, true] {
            let reply = post(&simulator, PATH, &ask(&format!("sim/{plan}"), stream)).await;
            let answer = if stream {
                let last = reply.events().pop().unwrap();
                assert_eq!(last["type"], format!("response.{status}"), "{plan}");
                last["response"].clone()
            } else {
                reply.json()
            };
            assert_eq!(
                (reply.status, &answer["status"]),
                (200, &json!(status)),
                "{plan} {stream}"
            );
            assert_eq!(answer["incomplete_details"]["reason"], reason, "{plan} {stream}");
        }
    }
    let limited = post(&simulator, PATH, &ask("sim/error=429", false)).await.json();
    assert_eq!(
        (&limited["error"]["code"], &limited["error_type"]),
        (&json!("rate_limit_exceeded"), &json!("rate_limit_exceeded"))
    );
    let overlong = post(&simulator, PATH, &ask("sim/400-context", true)).await.events();
    assert_eq!(overlong.last().unwrap()["response"]["output"], json!([]));
    let refused = post(&simulator, PATH, &ask("sim/words=2;finish=refusal", true))
        .await
        .events();
    assert!(types(&refused).contains(&"response.refusal.delta"));
    let cut = post(&simulator, PATH, &ask("sim/words=2;no-finish", true)).await;
    assert_eq!(
        (*types(&cut.events()).last().unwrap(), cut.done()),
        ("response.output_item.done", false)
    );
    let bare = post(&simulator, PATH, &ask("sim/words=2;no-usage;no-done", true)).await;
    assert!(bare.events().pop().unwrap()["response"].get("usage").is_none() && !bare.done());
    // Neither the end by length nor the failures are paid for.
    let seen = simulator.wait_until(Report::idle).await;
    for attempt in seen
        .attempts
        .iter()
        .filter(|a| a.fault.contains("400-context") || a.fault.contains("error"))
    {
        assert_eq!(attempt.billed.pico(), 0, "{}", attempt.fault);
    }
}

#[tokio::test]
async fn a_stream_fails_in_each_of_its_forms() {
    let simulator = Simulator::start().await.unwrap();
    for (form, name) in [
        ("error@1", "response.failed"),
        ("error@1;error-shape=event", "error"),
        ("error@1;error-shape=nested", "error"),
        ("error@1;error-shape=response-error", "response.error"),
    ] {
        let reply = post(
            &simulator,
            PATH,
            &ask(&format!("sim/words=3;message=Gone;{form}"), true),
        )
        .await;
        let last = reply.events().pop().unwrap();
        assert_eq!(
            (last["type"].as_str(), reply.names().last().copied()),
            (Some(name), Some(name)),
            "{form}"
        );
        let message = ["/message", "/error/message", "/response/error/message"]
            .iter()
            .find_map(|place| last.pointer(place));
        assert_eq!(message, Some(&json!("Gone")), "{form}");
    }
    let word = post(&simulator, PATH, &ask("sim/error=vector_store_timeout@1", true))
        .await
        .events()
        .pop()
        .unwrap();
    assert_eq!(word["response"]["error"]["code"], "vector_store_timeout");
    let refused = post(&simulator, PATH, &ask("sim/400-context;error-shape=string-code", false)).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (400, &json!("invalid_prompt"))
    );
    let named = post(&simulator, PATH, &ask("sim/words=2;no-event-names", true)).await;
    assert!(named.names().is_empty() && streams(&named).ends_with("through") | streams(&named).ends_with("passes"));
}
