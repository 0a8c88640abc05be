//! What holds for every API alike: bills, generations, and every fault.

use std::time::Duration;

use crate::common::{End, get, post, said_by, streams, try_post};
use openrouter_simulator::{Fault, Report, Simulator};
use serde_json::{Value, json};

const CHAT: &str = "/api/v1/chat/completions";
const RESPONSES: &str = "/api/v1/responses";
const MESSAGES: &str = "/api/v1/messages";
const EMBEDDINGS: &str = "/api/v1/embeddings";

fn ask(path: &str, model: &str, stream: bool) -> Value {
    let question = "Why is the sky blue?";
    match path {
        CHAT | MESSAGES => {
            json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": question}]})
        }
        _ => json!({"model": model, "stream": stream, "input": question, "dimensions": 8}),
    }
}

/// The usage object, wherever it stands.
fn usage(path: &str, stream: bool, reply: &crate::common::Reply) -> Value {
    match (path, stream) {
        (RESPONSES, true) => reply.events().last().unwrap()["response"]["usage"].clone(),
        (MESSAGES, true) => {
            let events = reply.events();
            events[events.len() - 2]["usage"].clone()
        }
        (_, true) => reply.events().last().unwrap()["usage"].clone(),
        _ => reply.json()["usage"].clone(),
    }
}

#[tokio::test]
async fn bills_and_generations_are_the_same_in_all() {
    let simulator = Simulator::start().await.unwrap();
    for (model, prompt, thought, token) in [
        ("anthropic/claude-sonnet-4.5", 3_000_000, 15_000_000, 15_000_000),
        ("demo/thinker", 500_000, 3_000_000, 2_000_000),
        ("demo/model:free", 0, 0, 0),
    ] {
        simulator.plan(model, "reasoning=3;words=7").unwrap();
        for path in [CHAT, RESPONSES, MESSAGES] {
            for stream in [false, true] {
                let reply = post(&simulator, path, &ask(path, model, stream)).await;
                let seen = simulator.wait_until(Report::idle).await;
                let attempt = seen.attempts.last().unwrap();
                assert_eq!(
                    attempt.billed.pico(),
                    5 * prompt + 3 * thought + 7 * token,
                    "{model} {path} {stream}"
                );
                let told = usage(path, stream, &reply);
                let count = |names: [&str; 2]| names.iter().find_map(|name| told[name].as_u64());
                assert_eq!(
                    (
                        count(["prompt_tokens", "input_tokens"]),
                        count(["completion_tokens", "output_tokens"])
                    ),
                    (Some(5), Some(10)),
                    "{path} {stream}"
                );
                // The schema of Messages has no cost in a stream.
                let has_cost = (path, stream) != (MESSAGES, true);
                let cost = format!("\"cost\":{},", attempt.billed);
                assert_eq!(reply.text().contains(&cost), has_cost, "{path} {stream}");
                let id = reply.header("x-generation-id").unwrap();
                assert_eq!(attempt.generation_id.as_deref(), Some(id));
                let record = get(&simulator, &format!("/api/v1/generation?id={id}")).await;
                assert!(
                    record.text().contains(&format!("\"total_cost\":{},", attempt.billed)),
                    "{path} {stream}"
                );
                let record = record.json()["data"].clone();
                assert_eq!(
                    (
                        &record["streamed"],
                        &record["native_tokens_completion"],
                        &record["native_tokens_reasoning"]
                    ),
                    (&json!(stream), &json!(10), &json!(3)),
                    "{path}"
                );
            }
        }
    }
    assert_eq!(
        simulator.billed_total(),
        simulator.report().attempts.iter().map(|a| a.billed).sum()
    );
}

#[tokio::test]
async fn embeddings_are_billed_and_remembered() {
    let simulator = Simulator::start().await.unwrap();
    let reply = post(
        &simulator,
        EMBEDDINGS,
        &ask(EMBEDDINGS, "openai/text-embedding-3-small", false),
    )
    .await;
    let billed = simulator.billed_total();
    assert_eq!(billed.pico(), 5 * 20_000);
    let id = reply.header("x-generation-id").unwrap();
    let record = get(&simulator, &format!("/api/v1/generation?id={id}")).await.json()["data"].clone();
    assert_eq!(
        (
            &record["api_type"],
            &record["native_tokens_prompt"],
            &record["native_tokens_completion"]
        ),
        (&json!("embeddings"), &json!(5), &json!(0))
    );
    // A model that has no vectors to give, and one that has nothing else.
    assert_eq!(
        post(&simulator, EMBEDDINGS, &ask(EMBEDDINGS, "openai/gpt-5", false))
            .await
            .status,
        404
    );
    assert_eq!(
        post(
            &simulator,
            RESPONSES,
            &ask(RESPONSES, "openai/text-embedding-3-small", false)
        )
        .await
        .status,
        404
    );
    for (plan, check) in [
        ("empty-choices", json!([])),
        ("null-choice", json!([null])),
        (
            "empty-content",
            json!([{"object": "embedding", "index": 0, "embedding": []}]),
        ),
    ] {
        let reply = post(&simulator, EMBEDDINGS, &ask(EMBEDDINGS, &format!("sim/{plan}"), false)).await;
        assert_eq!(reply.json()["data"], check, "{plan}");
    }
    let failed = post(&simulator, EMBEDDINGS, &ask(EMBEDDINGS, "sim/error=503", false)).await;
    assert_eq!((failed.status, &failed.json()["error"]["code"]), (200, &json!(503)));
    assert_eq!(simulator.billed_total(), billed);
}

#[tokio::test]
async fn a_cut_stream_is_billed_for_what_was_sent() {
    let simulator = Simulator::start().await.unwrap();
    for path in [CHAT, RESPONSES, MESSAGES] {
        let before = simulator.billed_total().pico();
        let reply = post(&simulator, path, &ask(path, "sim/words=9;cut@4", true)).await;
        assert_eq!(
            (streams(&reply).split_whitespace().count(), reply.end),
            (4, End::Eof),
            "{path}"
        );
        simulator.wait_until(Report::idle).await;
        assert_eq!(
            simulator.billed_total().pico() - before,
            5 * 150_000 + 4 * 600_000,
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_error_that_is_billed_says_what_it_cost() {
    let simulator = Simulator::start().await.unwrap();
    for path in [CHAT, RESPONSES, MESSAGES] {
        for (plan, tokens) in [("words=9;error@4;billed", 4), ("words=9;empty-choices;billed", 9)] {
            for stream in [false, true] {
                if (path, stream) == (MESSAGES, false) && tokens == 4 {
                    continue; // It has no plain answer that fails in its middle.
                }
                let before = simulator.billed_total().pico();
                let reply = post(&simulator, path, &ask(path, &format!("sim/{plan}"), stream)).await;
                simulator.wait_until(Report::idle).await;
                let cost = simulator.billed_total().pico() - before;
                assert_eq!(cost, 5 * 150_000 + tokens * 600_000, "{path} {plan} {stream}");
                let text = reply.text();
                let count = [
                    format!("\"completion_tokens\":{tokens},"),
                    format!("\"output_tokens\":{tokens},"),
                ];
                assert!(count.iter().any(|count| text.contains(count)), "{path} {plan}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_says_what_the_plain_answer_says() {
    let simulator = Simulator::start().await.unwrap();
    let mut said = Vec::new();
    for path in [CHAT, RESPONSES, MESSAGES] {
        for plan in [
            "ok",
            "as-plain",
            "as-stream",
            "split=7",
            "crlf;blank-lines",
            "empties=3;pings=2",
            "keepalive=0",
        ] {
            for stream in [false, true] {
                let model = format!("sim/{plan}");
                let reply = post(&simulator, path, &ask(path, &model, stream)).await;
                let is_stream = reply.header("content-type") == Some("text/event-stream");
                let text = if is_stream {
                    streams(&reply)
                } else {
                    said_by(&reply.json())
                };
                assert_eq!(
                    is_stream,
                    (stream && plan != "as-plain") || plan == "as-stream",
                    "{path} {plan}"
                );
                said.push((format!("{path} {plan} {stream}"), text));
            }
        }
    }
    let first = said[0].1.clone();
    assert!(first.starts_with("The sky"));
    for (case, text) in said {
        assert_eq!(text, first, "{case}");
    }
}

/// Every clause of the table, alone, at every API: whatever is sent is of that API's shape, or broken on purpose.
#[tokio::test(start_paused = true)]
async fn every_fault_in_every_api() {
    let simulator = Simulator::start().await.unwrap();
    let endless = ["hang", "comments"];
    let no_json = [
        "bad-json",
        "html",
        "cut",
        "drip-cut",
        "surrogate",
        "nan",
        "empty-stream",
        "gzip",
        "deep",
        "event",
        "last-event",
    ];
    for (clause, _) in Fault::table().iter().filter(|(clause, _)| !endless.contains(clause)) {
        for path in [CHAT, RESPONSES, MESSAGES, EMBEDDINGS] {
            for stream in [false, true] {
                let case = format!("{clause} {path} {stream}");
                let body = ask(path, &format!("sim/{clause}"), stream);
                let exchange = try_post(&simulator, path, &body);
                let reply = match tokio::time::timeout(Duration::from_secs(600), exchange).await {
                    Ok(Ok(reply)) => reply,
                    Ok(Err(end)) => {
                        assert!(
                            matches!((*clause, end), ("reset", End::Reset) | ("close", End::Eof)),
                            "{case} {end:?}"
                        );
                        continue;
                    }
                    Err(_) => panic!("{case}: no end"),
                };
                let odd = no_json.iter().any(|name| clause.starts_with(name)) || reply.text().starts_with("<!DOCTYPE");
                if odd || reply.end != End::Whole {
                    continue;
                }
                let sent = reply.text().trim_start_matches('\u{feff}').to_owned();
                if reply.status >= 400 {
                    let error = reply.json();
                    assert_eq!(error["type"] == "error", path == MESSAGES, "{case}");
                    assert!(error.get("error").is_some(), "{case}");
                } else if sent.starts_with([':', 'd', 'e']) {
                    let events = reply.events();
                    let kind = |event: &Value| match path {
                        CHAT => event["object"] == "chat.completion.chunk" || event["type"] == "ping",
                        RESPONSES => event["type"] == "ping" || event["sequence_number"].is_u64(),
                        _ => event["type"].is_string(),
                    };
                    assert!(events.iter().all(kind), "{case}: {events:?}");
                } else {
                    let body: Value = serde_json::from_str(&sent).unwrap_or_else(|wrong| panic!("{case}: {wrong}"));
                    let known = match path {
                        CHAT => body["object"] == "chat.completion" || body.get("error").is_some(),
                        RESPONSES => body["object"] == "response",
                        MESSAGES => body["type"] == "message" || body["type"] == "error",
                        _ => body["object"] == "list" || body.get("error").is_some(),
                    };
                    assert!(known, "{case}: {body}");
                }
            }
        }
    }
    let seen = simulator.report();
    assert_eq!(seen.billed, seen.attempts.iter().map(|attempt| attempt.billed).sum());
}
