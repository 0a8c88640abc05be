//! Keys, balance and bills.

use crate::common::{KEY, ask, chat, exchange, get, request};
use openrouter_simulator::Simulator;
use serde_json::{Value, json};

async fn with_key(simulator: &Simulator, key: &str, body: &Value) -> (u16, String) {
    let headers: &[(&str, &str)] = if key.is_empty() { &[] } else { &[("authorization", key)] };
    let bytes = request("POST", "/v1/chat/completions", headers, body.to_string().as_bytes());
    let reply = exchange(simulator.addr(), &bytes).await.unwrap();
    (
        reply.status,
        reply.json()["error"]["message"].as_str().unwrap_or("").to_owned(),
    )
}

#[tokio::test]
async fn keys_are_checked_and_run_dry() {
    let any = Simulator::start().await.unwrap();
    let body = ask("sim/words=10", false);
    assert_eq!(
        with_key(&any, "", &body).await,
        (401, "No auth credentials found".to_owned())
    );
    assert_eq!(
        with_key(&any, "Bearer nonsense", &body).await,
        (401, "User not found.".to_owned())
    );
    assert_eq!(with_key(&any, "Bearer sk-or-v1-whatever", &body).await.0, 200);

    // One call costs 5 × 0.00000015 + 10 × 0.0000006.
    let limit = "0.000013".parse().unwrap();
    let listed = Simulator::builder()
        .key("other")
        .key_with_limit(KEY, limit)
        .start()
        .await
        .unwrap();
    assert_eq!(with_key(&listed, "Bearer sk-or-v1-whatever", &body).await.0, 401);
    let mine = format!("Bearer {KEY}");
    assert_eq!(with_key(&listed, &mine, &body).await.0, 200);
    let info = get(&listed, "/api/v1/key").await;
    assert!(
        info.text()
            .contains("\"limit\":0.000013,\"limit_remaining\":0.00000625,"),
        "{}",
        info.text()
    );
    assert!(!info.text().contains(KEY));
    assert_eq!(with_key(&listed, &mine, &body).await.0, 200);
    let (status, message) = with_key(&listed, &mine, &body).await;
    assert_eq!(
        (status, message.starts_with("Key limit exceeded (total limit)")),
        (403, true)
    );
    assert_eq!(get(&listed, "/api/v1/key").await.json()["data"]["limit_remaining"], 0);
    assert_eq!(with_key(&listed, "Bearer other", &body).await.0, 200);
}

#[tokio::test]
async fn the_account_runs_dry() {
    let simulator = Simulator::builder()
        .credits("0.00001".parse().unwrap())
        .start()
        .await
        .unwrap();
    let mut body = ask("sim/words=10", false);
    body["max_tokens"] = 1000.into();
    let (status, message) = with_key(&simulator, "Bearer sk-or-v1-a", &body).await;
    // 10 micro-dollars less 0.75 for the prompt, at 0.6 a token.
    assert_eq!(
        (status, message.contains("up to 1000 tokens, but can only afford 15.")),
        (402, true),
        "{message}"
    );
    body["max_tokens"] = 15.into();
    assert_eq!(with_key(&simulator, "Bearer sk-or-v1-a", &body).await.0, 200);
    assert_eq!(
        get(&simulator, "/api/v1/credits").await.text(),
        r#"{"data":{"total_credits":0.00001,"total_usage":0.00000675}}"#
    );
    let free = ask("sim/words=10", false);
    assert_eq!(with_key(&simulator, "Bearer sk-or-v1-a", &free).await.0, 200);
    let (status, message) = with_key(&simulator, "Bearer sk-or-v1-a", &free).await;
    assert_eq!((status, message.starts_with("Insufficient credits")), (402, true));
}

#[tokio::test]
async fn the_bill_is_tokens_times_price() {
    let simulator = Simulator::start().await.unwrap();
    for (model, prompt, completion) in [
        ("anthropic/claude-sonnet-4.5", 3_000_000, 15_000_000),
        ("openai/gpt-5", 1_250_000, 10_000_000),
        ("openai/gpt-4o-mini", 150_000, 600_000),
        ("demo/model:free", 0, 0),
    ] {
        for stream in [false, true] {
            let reply = chat(&simulator, &ask(model, stream)).await;
            let usage = if stream {
                reply.events().last().unwrap()["usage"].clone()
            } else {
                reply.json()["usage"].clone()
            };
            let tokens = usage["completion_tokens"].as_u64().unwrap();
            assert_eq!(usage["prompt_tokens"], 5);
            let seen = simulator.wait_until(openrouter_simulator::Report::idle).await;
            let attempt = seen.attempts.last().unwrap();
            assert_eq!(attempt.billed.pico(), 5 * prompt + tokens * completion, "{model}");
            assert!(
                reply.text().contains(&format!("\"cost\":{},", attempt.billed)),
                "{model}: {}",
                attempt.billed
            );
            assert_eq!(attempt.generation_id.as_deref(), reply.header("x-generation-id"));
        }
    }
    let seen = simulator.report();
    assert_eq!(simulator.billed_total(), seen.attempts.iter().map(|a| a.billed).sum());
    let cached = crate::common::sim(&simulator, "cached=4;words=1", false).await.json();
    assert_eq!(cached["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
    assert_eq!(
        simulator.report().attempts.last().unwrap().billed.pico(),
        150_000 + 4 * 75_000 + 600_000
    );
    for free in [
        "error",
        "error@3",
        "finish-error",
        "empty-content",
        "html",
        "role-only",
        "empty-stream",
    ] {
        for stream in [false, true] {
            crate::common::sim(&simulator, free, stream).await;
            assert_eq!(
                simulator.report().attempts.last().unwrap().billed.pico(),
                0,
                "{free} {stream}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn marked_prompts_are_cached_for_a_while() {
    let simulator = Simulator::start().await.unwrap();
    let long = "word ".repeat(1000);
    let body = |model: &str, ttl: &str, rest: &str| {
        json!({"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": [
            {"type": "text", "text": long, "cache_control": {"type": "ephemeral", "ttl": ttl}}, {"type": "text", "text": rest}]}]})
    };
    // 1250 tokens are marked, and one is not: read, written, and what the prompt cost in pico-dollars.
    let (plain, write, hour, read) = (3_000_000, 3_750_000, 6_000_000, 300_000);
    let claude = "anthropic/claude-sonnet-4.5";
    let mut before = 0;
    for (model, ttl, wait, tokens, cost) in [
        (claude, "5m", 0, (0, 1250), plain + 1250 * write),
        (claude, "5m", 299, (1250, 0), plain + 1250 * read),
        (claude, "5m", 299, (1250, 0), plain + 1250 * read),
        (claude, "5m", 301, (0, 1250), plain + 1250 * write),
        (claude, "1h", 301, (0, 1250), plain + 1250 * hour),
        (claude, "1h", 3599, (1250, 0), plain + 1250 * read),
        ("openai/gpt-5", "5m", 0, (0, 0), 1251 * 1_250_000),
        ("openai/gpt-5", "5m", 1, (1250, 0), 1_250_000 + 1250 * 125_000),
        ("demo/model", "5m", 0, (0, 0), 1251 * 1_000_000),
        ("demo/model", "5m", 1, (0, 0), 1251 * 1_000_000),
    ] {
        tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
        let usage = chat(&simulator, &body(model, ttl, "Hey!")).await.json()["usage"].clone();
        let details = &usage["prompt_tokens_details"];
        let told = (
            details["cached_tokens"].as_u64(),
            details["cache_write_tokens"].as_u64(),
        );
        assert_eq!(told, (Some(tokens.0), Some(tokens.1)), "{model} {ttl} {wait}");
        assert_eq!(usage["prompt_tokens"], 1251);
        let answer = if model == claude {
            15_000_000
        } else if model == "demo/model" {
            3_000_000
        } else {
            10_000_000
        };
        let billed = simulator.billed_total().pico();
        assert_eq!(billed - before, cost + answer, "{model} {ttl} {wait}");
        before = billed;
    }
    let other = json!({"model": claude, "max_tokens": 1, "cache_control": {"type": "ephemeral"},
        "messages": [{"role": "user", "content": format!("Other {long}")}]});
    let written = chat(&simulator, &other).await.json()["usage"]["prompt_tokens_details"]["cache_write_tokens"].clone();
    assert_eq!(written, 1252);
    let short = json!({"model": claude, "cache_control": {"type": "ephemeral"}, "messages": [{"role": "user", "content": "Hey!"}]});
    let written = chat(&simulator, &short).await.json()["usage"]["prompt_tokens_details"]["cache_write_tokens"].clone();
    assert_eq!(written, 0);
}

#[tokio::test]
async fn reasoning_has_its_own_price() {
    let simulator = Simulator::start().await.unwrap();
    simulator.plan_all("reasoning=3;words=2").unwrap();
    for stream in [false, true] {
        let before = simulator.billed_total().pico();
        chat(&simulator, &ask("demo/thinker", stream)).await;
        simulator.wait_until(openrouter_simulator::Report::idle).await;
        let billed = simulator.billed_total().pico() - before;
        assert_eq!(billed, 5 * 500_000 + 3 * 3_000_000 + 2 * 2_000_000, "{stream}");
    }
}
