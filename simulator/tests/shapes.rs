//! Answers and errors that are oddly written: each kind that an upstream was seen to send.

use std::time::Duration;

use crate::common::{End, Reply, ask, chat, post, push, said_by, sim};
use openrouter_simulator::{Report, Simulator};
use serde_json::{Value, json};

const HELLO: &str = "text=Hello%20world";

async fn hello(simulator: &Simulator, clauses: &str, stream: bool) -> Reply {
    sim(simulator, &format!("{HELLO};{clauses}"), stream).await
}

#[tokio::test]
async fn an_error_has_the_requested_shape_wherever_it_stands() {
    let simulator = Simulator::start().await.unwrap();
    for (shape, body) in [
        (
            "array",
            json!([{"error": {"code": 503, "message": "Full", "status": "UNAVAILABLE"}}]),
        ),
        ("error-array", json!({"error": [{"message": "Full"}]})),
        ("detail", json!({"detail": "Full"})),
        (
            "errors",
            json!({"success": false, "errors": [{"code": 3040, "message": "Full"}], "result": null}),
        ),
        ("flat", json!({"message": "Full", "code": 503})),
        ("msg", json!({"code": 503, "msg": "Full"})),
        (
            "base-resp",
            json!({"id": "", "choices": null, "base_resp": {"status_code": 1002, "status_msg": "Full"}}),
        ),
        ("string", json!({"code": "503", "error": "Full"})),
        (
            "detail-list",
            json!({"detail": [{"loc": ["body", "messages"], "msg": "Full", "type": "value_error.missing"}]}),
        ),
    ] {
        let clause = format!("message=Full;error-shape={shape}");
        let refused = sim(&simulator, &format!("503;{clause}"), false).await;
        assert_eq!((refused.status, refused.json()), (503, body.clone()), "{shape}");
        let inside = sim(&simulator, &format!("error=503;{clause}"), false).await;
        assert_eq!((inside.status, inside.json()), (200, body.clone()), "{shape}");
        let streamed = sim(&simulator, &format!("words=3;error=503@1;{clause};done"), true).await;
        assert_eq!(
            (streamed.events().pop(), streamed.done()),
            (Some(body.clone()), true),
            "{shape}"
        );
        for path in ["/v1/responses", "/v1/messages"] {
            let model = format!("sim/words=3;error=503@1;{clause}");
            let body_of =
                json!({"model": model, "stream": true, "input": "x", "messages": [{"role": "user", "content": "x"}]});
            let named = post(&simulator, path, &body_of).await;
            assert_eq!(
                (named.names().pop(), named.events().pop()),
                (Some("error"), Some(body.clone())),
                "{shape} {path}"
            );
        }
    }
    let limited = sim(&simulator, "429;error-shape=array", true).await.json();
    assert_eq!(limited[0]["error"]["details"][0]["retryDelay"], "34s");
    for (shape, end) in [
        ("text", "\n\ndata: error: Full\n\n"),
        ("unframed", "\n\n{\"error\":{\"code\":502,\"message\":\"Full\"}}\n\n"),
        (
            "glued",
            "\"del\ndata: {\"error\":{\"code\":502,\"message\":\"Full\"}}\n\n",
        ),
    ] {
        let text = sim(
            &simulator,
            &format!("words=3;error@1;message=Full;error-shape={shape}"),
            true,
        )
        .await
        .text();
        assert!(text.ends_with(end), "{shape}: {text}");
    }
    assert_eq!(
        sim(&simulator, "503;message=Full;error-shape=text", false).await.text(),
        "error: Full"
    );
}

#[tokio::test]
async fn an_error_that_means_nothing() {
    let simulator = Simulator::start().await.unwrap();
    let nothing = json!({"message": "", "type": "", "param": "", "code": null});
    for (field, first, later) in [
        ("empty", nothing.clone(), nothing.clone()),
        ("first", nothing.clone(), Value::Null),
        ("success", json!("success"), json!("success")),
    ] {
        let clause = format!("error-field={field}");
        assert_eq!(
            hello(&simulator, &clause, false).await.json()["error"],
            first,
            "{field}"
        );
        let events = hello(&simulator, &clause, true).await.events();
        assert_eq!((&events[0]["error"], &events[1]["error"]), (&first, &later), "{field}");
    }
}

#[tokio::test]
async fn headers_that_do_not_fit_the_body() {
    let simulator = Simulator::start().await.unwrap();
    let plain = hello(&simulator, "content-type=text%2Fevent-stream", false).await;
    assert_eq!(
        (plain.header("content-type"), said_by(&plain.json())),
        (Some("text/event-stream"), "Hello world".to_owned())
    );
    let stream = hello(&simulator, "content-type=none;content-length", true).await;
    assert_eq!(stream.header("content-type"), None);
    assert_eq!(
        stream.header("content-length"),
        Some(stream.body.len().to_string().as_str())
    );
    assert_eq!((stream.said().as_str(), stream.end), ("Hello world", End::Whole));
    let error = sim(&simulator, "error=429;as-plain;content-type=text%2Fevent-stream", true).await;
    assert_eq!(error.json()["error"]["code"], 429);
    let page = sim(&simulator, "html;content-type=text%2Fevent-stream", true).await;
    assert!(page.text().starts_with("<!DOCTYPE") && page.header("content-type") == Some("text/event-stream"));
}

#[tokio::test]
async fn compressed_bodies() {
    let simulator = Simulator::start().await.unwrap();
    // One model, so that its name does not change the body.
    for (plan, stream) in [
        (HELLO, false),
        (HELLO, true),
        ("429", false),
        ("big-event=200000", false),
    ] {
        simulator.plan("demo/model", plan).unwrap();
        let bare = chat(&simulator, &ask("demo/model", stream)).await;
        simulator.plan("demo/model", &format!("{plan};gzip")).unwrap();
        let packed = chat(&simulator, &ask("demo/model", stream)).await;
        assert_eq!(
            (packed.header("content-encoding"), packed.end),
            (Some("gzip"), End::Whole),
            "{plan}"
        );
        assert_eq!(unpack(&packed.body).len(), bare.body.len(), "{plan}");
    }
}

/// The stored blocks of a gzip file.
fn unpack(mut packed: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    packed = &packed[10..];
    loop {
        let length = usize::from(u16::from_le_bytes([packed[1], packed[2]]));
        out.extend_from_slice(&packed[5..5 + length]);
        let last = packed[0] == 1;
        packed = &packed[5 + length..];
        if last {
            assert_eq!(packed[4..], u32::try_from(out.len()).unwrap().to_le_bytes());
            return out;
        }
    }
}

#[tokio::test]
async fn json_as_no_serialiser_writes_it() {
    let simulator = Simulator::start().await.unwrap();
    for (clauses, streamed, text) in [
        (
            "deep=200",
            false,
            format!("\"deep\":{}{}}}", "[".repeat(200), "]".repeat(200)),
        ),
        ("nan", false, "\"logprob\":-Infinity".to_owned()),
        ("surrogate=lone", false, "Hello world\\ud83d\"".to_owned()),
        ("surrogate=split", true, "\"content\":\"\\ude00\"".to_owned()),
        (
            "usage-form=float",
            false,
            "\"prompt_tokens\":5.0,\"completion_tokens\":2.0,\"total_tokens\":7.0,\"cost\":\"0.00000195\"".to_owned(),
        ),
        (
            "usage-form=names",
            false,
            "\"usage\":{\"input_tokens\":5,\"output_tokens\":2}".to_owned(),
        ),
        (
            "duplicate-key",
            true,
            "\"content\":\"x\",\"content\":\"Hello\"".to_owned(),
        ),
        ("index=1", true, "\"choices\":[{\"index\":1,".to_owned()),
        ("null-choice", false, "\"choices\":[null]".to_owned()),
        (
            "native=error",
            true,
            "\"finish_reason\":\"stop\",\"native_finish_reason\":\"error\"".to_owned(),
        ),
        (
            "reasoning=2;reasoning-name=reasoning_text",
            true,
            "\"reasoning_text\":\"Let\"".to_owned(),
        ),
        ("finish=STOP", false, "\"finish_reason\":\"STOP\"".to_owned()),
    ] {
        let reply = hello(&simulator, clauses, streamed).await.text();
        assert!(reply.contains(&text), "{clauses}: {reply}");
    }
    let free = hello(&simulator, "usage-form=no-cost", false).await.json()["usage"].clone();
    assert!(free["total_tokens"].is_u64() && !free.to_string().contains("cost"));
    let parts = hello(&simulator, "content-parts;reasoning=1", false).await.json();
    assert_eq!(
        parts["choices"][0]["message"]["content"],
        json!([{"type": "thinking", "thinking": [{"type": "text", "text": "Let"}]}, {"type": "text", "text": "Hello world"}])
    );
}

#[tokio::test]
async fn streams_that_are_oddly_framed() {
    let simulator = Simulator::start().await.unwrap();
    for (clauses, text) in [
        ("done-form=spaced", "\n\ndata:  [DONE]\n\n"),
        ("done-form=quoted", "\n\ndata: \"[DONE]\"\n\n"),
        ("one-lf-end", "\n\ndata: [DONE]\n"),
        ("one-lf", "}\ndata: [DONE]\n"),
        ("pings=300", "event: ping\ndata: {\"type\":\"ping\"}\n\nevent: ping\n"),
        ("event=data:%20null@1", "}\n\ndata: null\n\ndata: {"),
        (
            "event=event:%20ping%0Adata:%20ping@1",
            "}\n\nevent: ping\ndata: ping\n\ndata: {",
        ),
        (
            "last-event=data:%20stream%20closed",
            "}\n\ndata: stream closed\n\ndata: [DONE]\n\n",
        ),
    ] {
        let reply = hello(&simulator, clauses, true).await;
        let text_of = reply.text();
        assert!(text_of.contains(text), "{clauses}: {text_of}");
        if clauses.contains("lf") {
            assert!(text_of.ends_with(text), "{clauses}");
        }
    }
    let pings = hello(&simulator, "pings=300;empties=300", true).await;
    assert_eq!((pings.names().len(), pings.events().len()), (300, 300 + 300 + 2 + 2));
}

#[tokio::test]
async fn finish_reasons_that_are_none() {
    let simulator = Simulator::start().await.unwrap();
    let reasons = |reply: &Reply| -> Vec<Value> {
        let events = reply.events();
        events
            .iter()
            .map(|event| event["choices"][0]["finish_reason"].clone())
            .collect()
    };
    let each = hello(&simulator, "finish-each=null;cut@2", true).await;
    assert_eq!(reasons(&each), [json!("null"), json!("null")]);
    let none = hello(&simulator, "no-finish-reason", true).await;
    assert!(reasons(&none).iter().all(Value::is_null) && none.done());
    assert_eq!(none.events().pop().unwrap()["usage"]["completion_tokens"], 2);
    assert!(hello(&simulator, "no-finish-reason", false).await.json()["choices"][0]["finish_reason"].is_null());
    let empty = sim(&simulator, "text=;finish=STOP", true).await;
    assert_eq!(
        (empty.said().as_str(), reasons(&empty)),
        ("", vec![json!("STOP"), json!("STOP")])
    );
}

#[tokio::test(start_paused = true)]
async fn usage_at_every_place() {
    let simulator = Simulator::start().await.unwrap();
    for (place, counts, costs, waits) in [
        ("late", vec![Some(2), Some(2)], 1, true),
        ("each", vec![Some(1), Some(2), Some(2), Some(2)], 1, true),
        ("after-done", vec![Some(2)], 1, false),
        ("first", vec![Some(3)], 0, false),
    ] {
        let begin = tokio::time::Instant::now();
        let reply = hello(&simulator, &format!("usage={place}"), true).await;
        let events = reply.events();
        let usages: Vec<&Value> = events
            .iter()
            .map(|e| &e["usage"])
            .filter(|usage| usage.is_object())
            .collect();
        assert_eq!(
            usages
                .iter()
                .map(|u| u["completion_tokens"].as_u64())
                .collect::<Vec<_>>(),
            counts,
            "{place}"
        );
        assert_eq!(
            usages.iter().filter(|u| u["cost"].is_number()).count(),
            costs,
            "{place}"
        );
        assert_eq!(begin.elapsed() >= Duration::from_secs(1), waits, "{place}");
        if place == "after-done" {
            assert!(reply.text().trim_end().ends_with("}"));
        }
    }
    let begun = sim(&simulator, "usage=first;error@0", true).await.events();
    assert_eq!(
        (&begun[0]["usage"]["completion_tokens"], &begun[1]["error"]["code"]),
        (&json!(3), &json!(502))
    );
    simulator.wait_until(Report::idle).await;
    assert_eq!(simulator.report().attempts.last().unwrap().billed.pico(), 0);
}

#[tokio::test]
async fn calls_and_messages_in_old_forms() {
    let simulator = Simulator::start().await.unwrap();
    let mut body = ask("sim/tool;function-call", true);
    body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object",
        "required": ["city"], "properties": {"city": {"type": "string"}}}}}]);
    let events = chat(&simulator, &body).await.events();
    let calls: Vec<&Value> = events
        .iter()
        .filter_map(|e| e.pointer("/choices/0/delta/function_call"))
        .collect();
    assert_eq!(calls[0], &json!({"name": "f", "arguments": ""}));
    let arguments: String = calls.iter().filter_map(|call| call["arguments"].as_str()).collect();
    assert_eq!(arguments, r#"{"city":"Oslo"}"#);
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "function_call");
    body["stream"] = false.into();
    let plain = chat(&simulator, &body).await.json();
    assert_eq!(plain["choices"][0]["message"]["function_call"]["arguments"], arguments);
    assert!(plain["choices"][0]["message"].get("tool_calls").is_none());

    let each = hello(&simulator, "whole-message=each", true).await.events();
    let message = |event: &Value| event["choices"][0]["message"]["content"].clone();
    assert_eq!(
        [&each[0], &each[1], &each[2]].map(message),
        ["Hello", "Hello world", "Hello world"]
    );
    assert_eq!(each[1]["choices"][0]["delta"]["content"], " world");
    let last = hello(&simulator, "whole-message=last;usage=finish", true)
        .await
        .events();
    assert_eq!(
        (message(&last[2]), last[2]["choices"][0].get("delta")),
        (json!("Hello world"), None)
    );
}

#[tokio::test]
async fn a_given_text_is_stronger_than_a_schema() {
    let simulator = Simulator::start().await.unwrap();
    let mut body = ask(&format!("sim/{HELLO}"), false);
    body["response_format"] = json!({"type": "json_object"});
    assert_eq!(said_by(&chat(&simulator, &body).await.json()), "Hello world");
    push(&mut body, json!({"role": "assistant", "content": "Hello "}));
    assert_eq!(said_by(&chat(&simulator, &body).await.json()), "world");
}
