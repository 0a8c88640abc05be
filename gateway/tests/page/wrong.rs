//! What the page shows as wrong: of the gateway itself, of its calls and of its budgets, and since when.

use std::time::Duration;

use http::Request;
use openrouter_gateway::calls::Calls;
use tokio::time::advance;

use super::support::{FIRST, SECOND, World, chat, tagged};

#[tokio::test]
async fn a_gateway_that_is_degraded_is_not_healthy() {
    let world = World::new("ok").await;
    world.call(chat(FIRST, false)).await;
    assert!(world.page("/").await.contains(">Healthy<"));
    {
        let mut condition = world.condition.lock().unwrap();
        condition.degraded = Some("the keys of the database are not in force".into());
        condition.settings_refused = Some("gateway.toml:3:1: unknown key `lisen`".into());
    }
    let page = world.page("/").await;
    for part in [
        "<span class=\"badge warn\">Degraded</span>",
        "the keys of the database are not in force",
        "The settings are refused",
        "gateway.toml:3:1: unknown key `lisen`",
    ] {
        assert!(page.contains(part), "{part}");
    }
    world.condition.lock().unwrap().unready = Some("it is shutting down".into());
    assert!(world.page("/").await.contains(">Not ready<"));
}

#[tokio::test(start_paused = true)]
async fn a_young_process_shows_since_when_it_counts() {
    let world = World::new("ok").await;
    world.call(chat(FIRST, false)).await;
    let page = world.page("/").await;
    for part in ["1 call since the start at ", "no call failed since the start at "] {
        assert!(page.contains(part), "{part}");
    }
    advance(Duration::from_secs(16 * 60)).await;
    let page = world.page("/").await;
    assert!(page.contains("1 call since the start at ") && page.contains("no call failed in the last 15 minutes"));
    assert!(page.contains(">Idle<"));
}

#[tokio::test(start_paused = true)]
async fn failures_end_when_later_calls_are_answered() {
    let world = World::with("circuit_breaker = 'off'", Calls::new(), None).await;
    world.simulator.plan(FIRST, "500;no-hint").unwrap();
    world.simulator.plan(SECOND, "500;no-hint").unwrap();
    for _ in 0..3 {
        world.call(chat(FIRST, false)).await;
    }
    let page = world.page("/").await;
    assert!(
        page.contains(">Failing<") && page.contains("3 calls to openai/gpt-5 failed"),
        "{page}"
    );
    assert!(page.contains("; since ") && page.contains(">Problem<"));
    world.simulator.plan(FIRST, "ok").unwrap();
    world.simulator.plan(SECOND, "ok").unwrap();
    advance(Duration::from_secs(6 * 60)).await;
    world.call(chat(FIRST, false)).await;
    let page = world.page("/").await;
    assert!(
        page.contains(">Ended<") && page.contains("; from ") && !page.contains(">Problem<"),
        "{page}"
    );
    assert!(page.contains("25 % answered"), "of the hour: {page}");
    assert!(page.contains(">Healthy"), "of the last minutes: {page}");
}

#[tokio::test]
async fn calls_without_a_model_are_those_to_the_chain() {
    let world = World::new("500;no-hint").await;
    world.simulator.plan(SECOND, "500;no-hint").unwrap();
    let body = r#"{"messages":[{"role":"user","content":"Hi"}],"max_tokens":5}"#;
    world
        .call(Request::post("/v1/chat/completions").body(body.into()).unwrap())
        .await;
    let page = world.page("/").await;
    assert!(
        page.contains("1 call to the chain (openai/gpt-5 first) failed"),
        "{page}"
    );
}

#[tokio::test]
async fn a_rejected_key_of_an_upstream_is_named_by_its_place() {
    let world = World::new("401").await;
    world.simulator.plan(SECOND, "401").unwrap();
    world.call(chat(FIRST, false)).await;
    let page = world.page("/").await;
    assert!(page.contains("openrouter rejects its key (`file:"), "{page}");
    assert!(!page.contains(super::support::KEY));
}

#[tokio::test]
async fn a_budget_that_refuses_calls_is_no_forecast() {
    let lines = "budget = [{ name = 'each-key', usd = '0.0000001', per = 'day', each = ['key'] }]";
    let world = World::with(lines, Calls::new(), None).await;
    for _ in 0..2 {
        let refused = world.call(tagged(chat(FIRST, false), &[("key", "batch")])).await;
        assert_eq!(refused.0, 402);
    }
    let page = world.page("/").await;
    for part in [
        "The budget each-key of key=batch refuses calls: 2</bdi>",
        ">Healthy, but a budget refuses calls<",
        "?outcome=refused#calls",
        "0 left by the client",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // Nothing was sent.
    assert!(!page.contains("2 attempts<"));
}
