//! Streams: whole ones, and each way in which one is not.

use crate::common::{End, ask, chat, sim};
use openrouter_simulator::Simulator;
use serde_json::{Value, json};

#[tokio::test]
async fn a_whole_stream_is_the_wire() {
    let simulator = Simulator::start().await.unwrap();
    let reply = chat(&simulator, &ask("openai/gpt-4o-mini", true)).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    assert!(reply.text().starts_with(": OPENROUTER PROCESSING\n\ndata: {"));
    assert!(reply.text().ends_with("data: [DONE]\n\n"));
    let events = reply.events();
    for event in &events {
        assert_eq!(event["object"], "chat.completion.chunk");
        assert_eq!(event["id"].as_str(), reply.header("x-generation-id"));
        assert_eq!(event["choices"][0]["delta"]["role"], "assistant");
    }
    let [.., finish, usage] = events.as_slice() else {
        panic!("too short")
    };
    assert_eq!(
        (&finish["choices"][0]["finish_reason"], &finish["usage"]),
        (&json!("stop"), &Value::Null)
    );
    assert_eq!(usage["choices"][0]["finish_reason"], "stop");
    assert_eq!(usage["usage"]["completion_tokens"], events.len() - 2);
    assert!(reply.said().contains("Rayleigh"));

    let again = chat(&simulator, &ask("openai/gpt-4o-mini", true)).await;
    assert_eq!(again.said(), reply.said());
    let plain = chat(&simulator, &ask("openai/gpt-4o-mini", false)).await.json();
    assert_eq!(plain["choices"][0]["message"]["content"], reply.said());
    assert_eq!(plain["usage"], usage["usage"]);
}

#[tokio::test]
async fn usage_takes_four_shapes() {
    let simulator = Simulator::start().await.unwrap();
    for (shape, choices, finish) in [
        ("repeat", 1, json!("stop")),
        ("empty", 0, Value::Null),
        ("null", 1, Value::Null),
        ("finish", 1, json!("stop")),
    ] {
        let events = sim(&simulator, &format!("words=3;usage={shape}"), true).await.events();
        let with: Vec<&Value> = events.iter().filter(|e| e["usage"].is_object()).collect();
        assert_eq!(with.len(), 1, "{shape}");
        assert_eq!(with[0]["choices"].as_array().unwrap().len(), choices, "{shape}");
        assert_eq!(
            with[0].pointer("/choices/0/finish_reason").cloned().unwrap_or_default(),
            finish,
            "{shape}"
        );
        assert_eq!(events.len(), if shape == "finish" { 4 } else { 5 }, "{shape}");
    }
}

/// What is left of a stream of five words.
#[tokio::test]
async fn a_stream_can_lack_each_of_its_parts() {
    let simulator = Simulator::start().await.unwrap();
    //    fault             words  finish usage  done
    for (fault, words, finish, usage, done) in [
        ("ok", 5, true, true, true),
        ("no-done", 5, true, true, false),
        ("no-usage", 5, true, false, true),
        ("no-finish", 5, false, false, false),
        ("empty-stream", 0, false, false, false),
        ("role-only", 0, false, false, true),
        ("empty-choices", 0, false, true, true),
        ("empty-content", 0, false, true, true),
        ("finish-error", 0, true, true, true),
        ("error", 0, true, false, false),
        ("error;done", 0, true, false, true),
        ("error@3", 3, true, false, false),
        ("error@3;done", 3, true, false, true),
        ("error@3;no-choices", 3, false, false, false),
    ] {
        let reply = sim(&simulator, &format!("words=5;{fault}"), true).await;
        assert_eq!((reply.status, reply.end), (200, End::Whole), "{fault}");
        let events = reply.events();
        assert_eq!(reply.said().split_whitespace().count(), words, "{fault}");
        let finished = events
            .iter()
            .any(|e| e.pointer("/choices/0/finish_reason").is_some_and(Value::is_string));
        assert_eq!(finished, finish, "{fault}");
        assert_eq!(events.iter().any(|e| e["usage"].is_object()), usage, "{fault}");
        assert_eq!(reply.done(), done, "{fault}");
        let failed = fault.starts_with("error");
        assert_eq!(events.iter().any(|e| e["error"].is_object()), failed, "{fault}");
        assert!(reply.text().starts_with(": OPENROUTER PROCESSING\n\n"), "{fault}");
    }
    let codes = |fault: &'static str| {
        let simulator = simulator.clone();
        async move { sim(&simulator, fault, true).await.events().last().unwrap()["error"].clone() }
    };
    assert_eq!(codes("error=429").await["code"], 429);
    assert_eq!(
        codes("error=429").await["metadata"]["error_type"],
        "rate_limit_exceeded"
    );
    assert_eq!(codes("error=server_error@2").await["code"], "server_error");
    assert_eq!(
        sim(&simulator, "empty-choices", true).await.events()[0]["choices"],
        json!([])
    );
}

#[tokio::test]
async fn bytes_can_be_odd() {
    let simulator = Simulator::start().await.unwrap();
    let plain = sim(&simulator, "words=5", true).await;
    let same = |reply: &crate::common::Reply| (reply.said(), reply.done());

    let split = sim(&simulator, "words=5;split=7", true).await;
    assert_eq!(same(&split), same(&plain));
    assert!(
        split.chunks.len() > 100 && split.chunks.iter().all(|n| *n <= 7),
        "{:?}",
        split.chunks
    );
    let crlf = sim(&simulator, "words=5;crlf", true).await.text();
    assert_eq!(crlf.matches('\n').count(), crlf.matches("\r\n").count());
    assert!(crlf.contains("data: [DONE]\r\n\r\n"));
    let blank = sim(&simulator, "words=5;blank-lines", true).await.text();
    assert_eq!(blank.matches("\n\n\n").count(), plain.text().matches("\n\n").count());
    assert!(
        sim(&simulator, "words=5;bom", true)
            .await
            .body
            .starts_with(b"\xEF\xBB\xBF: OPENROUTER")
    );
    assert!(
        sim(&simulator, "words=5;bom", false)
            .await
            .body
            .starts_with(b"\xEF\xBB\xBF{")
    );
    let comments = sim(&simulator, "keepalive=3;words=1", true).await.text();
    assert_eq!(comments.matches(": OPENROUTER PROCESSING\n\n").count(), 3);
    let big = sim(&simulator, "big-event=65536", true).await;
    assert_eq!(big.said().len(), 65_536);
    assert_eq!(big.events().len(), 3);

    let broken = sim(&simulator, "words=5;bad-json@2", true).await;
    let bad: Vec<bool> = broken
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str::<Value>(data).is_err())
        .collect();
    assert_eq!(bad, [false, false, true, false, false, false, false, false]);
    let page = sim(&simulator, "html", true).await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=UTF-8"))
    );
}

#[tokio::test]
async fn reasoning_comes_first_and_counts() {
    let simulator = Simulator::start().await.unwrap();
    let mut body = ask("demo/thinker", true);
    body["reasoning"] = json!({"effort": "medium"});
    let reply = chat(&simulator, &body).await;
    let events = reply.events();
    let first = &events[0]["choices"][0]["delta"];
    assert_eq!(
        (first["reasoning"].as_str(), first["content"].as_str()),
        (Some("Let"), Some(""))
    );
    assert_eq!(first["reasoning_details"][0]["type"], "reasoning.text");
    let usage = &events.last().unwrap()["usage"];
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 12);
    body["reasoning"] = json!({"exclude": true});
    let hidden = chat(&simulator, &body).await;
    assert!(!hidden.text().contains("reasoning.text"));
    assert_eq!(hidden.events().last().unwrap()["usage"], *usage);

    body["max_tokens"] = 20.into();
    body["model"] = "sim/reasoning-only".into();
    let ate = chat(&simulator, &body).await;
    let end = ate.events().last().unwrap().clone();
    assert_eq!(
        (ate.said().as_str(), end["choices"][0]["finish_reason"].as_str()),
        ("", Some("length"))
    );
    assert_eq!(end["usage"]["completion_tokens_details"]["reasoning_tokens"], 20);
}

#[tokio::test]
async fn a_tool_call_comes_in_fragments() {
    let simulator = Simulator::start().await.unwrap();
    let mut body = ask("openai/gpt-4o-mini", true);
    body["messages"][0]["content"] = "How is the weather in Oslo?".into();
    body["tools"] = json!([{"type": "function", "function": {"name": "get_weather", "parameters":
        {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}}}]);
    let events = chat(&simulator, &body).await.events();
    let calls: Vec<&Value> = events
        .iter()
        .filter_map(|e| e.pointer("/choices/0/delta/tool_calls/0"))
        .collect();
    assert_eq!(
        (
            calls[0]["function"]["name"].as_str(),
            calls[0]["function"]["arguments"].as_str()
        ),
        (Some("get_weather"), Some(""))
    );
    let arguments: String = calls
        .iter()
        .filter_map(|c| c["function"]["arguments"].as_str())
        .collect();
    assert!(calls.len() > 2);
    assert_eq!(
        serde_json::from_str::<Value>(&arguments).unwrap(),
        json!({"city": "Oslo"})
    );
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");

    body["stream"] = false.into();
    let plain = chat(&simulator, &body).await.json();
    assert_eq!(
        plain["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"],
        arguments
    );
    crate::common::push(
        &mut body,
        json!({"role": "tool", "tool_call_id": "call_0_get_weather", "content": "12 degrees"}),
    );
    assert_eq!(
        chat(&simulator, &body).await.json()["choices"][0]["finish_reason"],
        "stop"
    );
    body["tool_choice"] = "none".into();
    body["messages"].as_array_mut().unwrap().pop();
    assert_eq!(
        chat(&simulator, &body).await.json()["choices"][0]["finish_reason"],
        "stop"
    );
}

#[tokio::test]
async fn a_prefill_is_continued() {
    let simulator = Simulator::start().await.unwrap();
    let whole = chat(&simulator, &ask("demo/model", true)).await.said();
    for at in [10, 27, 60] {
        let (before, after) = whole.split_at(at);
        let mut body = ask("demo/model", true);
        crate::common::push(&mut body, json!({"role": "assistant", "content": before}));
        assert_eq!(chat(&simulator, &body).await.said(), after);
    }
}

#[tokio::test]
async fn max_tokens_ends_it_by_length() {
    let simulator = Simulator::start().await.unwrap();
    let mut body = ask("demo/model", true);
    body["max_tokens"] = 4.into();
    let reply = chat(&simulator, &body).await;
    assert_eq!(reply.said(), "The sky is blue");
    let end = reply.events().last().unwrap().clone();
    assert_eq!(
        (
            end["choices"][0]["finish_reason"].as_str(),
            end["usage"]["completion_tokens"].as_u64()
        ),
        (Some("length"), Some(4))
    );
}
