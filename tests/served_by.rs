//! Who served a call: the provider behind the router, in log, ledger, header and span.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use openrouter_simulator::Simulator;
use tokio::runtime::Handle;
use tower_openrouter::{
    ChatServiceExt, Outcome,
    account::Bills,
    layers::{
        ledger::{EntryOutcome, GroupBy, MemoryLedger, NONE},
        reconcile::Reconciler,
        resume::ResumeLayer,
    },
    stack::StackBuilder,
};

use crate::support::{
    Got, World, ask, call,
    prices::account_at,
    raw::{Raw, json, send},
};

/// Served by `DeepSeek` in the simulator.
const FAILING: &str = "deepseek/deepseek-v3.2";
/// Served by Google.
const HEALTHY: &str = "google/gemini-2.5-flash";

async fn world(plan: &str) -> World {
    let simulator = Simulator::start().await.unwrap();
    let world = World::over(simulator, "GOOD");
    world.simulator.plan(FAILING, &plan.replace("GOOD", GOOD)).unwrap();
    world
}

const GOOD: &str = "text=Blue%20light%20is%20scattered%20more%20than%20red%20light.";

fn on(world: &World, kept: &MemoryLedger) -> StackBuilder {
    world
        .builder()
        .chain([FAILING, HEALTHY])
        .attempts_per_candidate(1)
        .resume(ResumeLayer::new())
        .ledger(Arc::new(kept.clone()))
}

/// What each provider billed, by the ledger.
fn by_ledger(kept: &MemoryLedger) -> BTreeMap<String, i128> {
    let rows = kept
        .spend(&GroupBy::Provider)
        .into_iter()
        .filter(|row| row.group != NONE);
    rows.map(|row| (row.group, row.spend.cost.pico())).collect()
}

/// The same by the simulator's own record.
fn by_simulator(world: &World) -> BTreeMap<String, i128> {
    let mut billed = BTreeMap::new();
    for attempt in world
        .simulator
        .report()
        .chats()
        .filter(|attempt| !attempt.provider.is_empty())
    {
        *billed.entry(attempt.provider.clone()).or_default() += i128::from(attempt.billed.pico());
    }
    billed
}

fn providers(got: &Got) -> Vec<Option<&str>> {
    got.lines.iter().map(|line| line.provider.as_deref()).collect()
}

#[tokio::test(start_paused = true)]
async fn spend_by_provider_is_what_the_router_billed() {
    let world = world("1x502,1xGOOD,1x502,1xGOOD").await;
    let kept = MemoryLedger::new();
    let stack = on(&world, &kept).build().unwrap();
    for streamed in [false, true] {
        let rescued = call(&stack, streamed, ask()).await;
        assert_eq!(rescued.kind(), None);
        assert_eq!(providers(&rescued), [Some("DeepSeek"), Some("Google")]);
        let well = call(&stack, streamed, ask()).await;
        assert_eq!(providers(&well), [Some("DeepSeek")]);
    }
    let billed = by_simulator(&world);
    assert_eq!(billed.keys().collect::<Vec<_>>(), ["DeepSeek", "Google"]);
    assert_eq!(by_ledger(&kept), billed);
    let entries = kept.recent(9);
    let failed = entries.iter().filter(|entry| entry.outcome != EntryOutcome::Answered);
    let failed: Vec<_> = failed.map(|entry| entry.provider.as_deref()).collect();
    assert_eq!(failed, [Some("DeepSeek"); 2]);
}

#[tokio::test(start_paused = true)]
async fn each_part_of_a_resumed_answer_names_its_own_provider() {
    let world = world("1xGOOD;cut@3,503;no-hint").await;
    let kept = MemoryLedger::new();
    let reconciler = Reconciler::builder(Arc::new(Bills::openrouter(account_at(world.upstream()))))
        .ledger(Arc::new(kept.clone()))
        .spawn_on(Handle::current())
        .unwrap();
    let stack = on(&world, &kept).reconciler(reconciler.clone()).build().unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.kind(), None);
    let outcomes: Vec<_> = got.lines.iter().map(|line| line.outcome).collect();
    assert!(
        matches!(
            outcomes[..],
            [Outcome::Failed(_), Outcome::Failed(_), Outcome::Answered]
        ),
        "{outcomes:?}"
    );
    // The refusal between names no provider.
    let names = [Some("DeepSeek"), None, Some("Google")];
    assert_eq!(providers(&got), names);
    let entries = kept.recent(9);
    let named: Vec<_> = entries.iter().rev().map(|entry| entry.provider.as_deref()).collect();
    assert_eq!(named, names);
    // The interrupted part has no usage: its bill comes later.
    assert_eq!((kept.awaiting_bill().len(), reconciler.pending()), (1, 1));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!((kept.awaiting_bill().len(), reconciler.pending()), (0, 0));
    let billed = by_simulator(&world);
    assert_eq!(billed.keys().collect::<Vec<_>>(), ["DeepSeek", "Google"]);
    assert!(billed.values().all(|pico| *pico > 0), "{billed:?}");
    assert_eq!(by_ledger(&kept), billed);
}

#[tokio::test(start_paused = true)]
async fn the_endpoint_says_it_in_every_api_that_names_it() {
    let world = world("1x502,GOOD").await;
    let kept = MemoryLedger::new();
    let app = axum::Router::new().fallback_service(on(&world, &kept).build().unwrap().into_endpoints());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, provider) in [
        ("chat/completions", Some("Google")),
        ("messages", Some("DeepSeek")),
        ("responses", None),
    ] {
        for streamed in [false, true] {
            let body = match path {
                "responses" => serde_json::json!({"model": FAILING, "input": "Why?", "stream": streamed}),
                _ => serde_json::json!({"model": FAILING, "max_tokens": 99, "stream": streamed,
                    "messages": [{"role": "user", "content": "Why?"}]}),
            };
            // Only the first call of all meets the fault.
            let provider = if path == "chat/completions" && streamed {
                Some("DeepSeek")
            } else {
                provider
            };
            let response = client
                .post(format!("{url}/v1/{path}"))
                .body(body.to_string())
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 200, "{path}");
            let header = response.headers().get("x-llm-provider");
            assert_eq!(
                header.map(|value| value.to_str().unwrap()),
                provider,
                "{path} {streamed}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_of_any_length_is_bounded() {
    let name = "é".repeat(4_000);
    let answer = format!(
        r#"{{"id":"gen-1","object":"chat.completion","created":1,"model":"a/b","provider":"{name}","choices":[{{"index":0,"message":{{"role":"assistant","content":"Hi"}},"finish_reason":"stop"}}]}}"#
    );
    let raw = Raw::always(vec![json(), send(answer)]).await;
    let kept = MemoryLedger::new();
    let stack = raw.builder().ledger(Arc::new(kept.clone())).build().unwrap();
    let got = call(&stack, false, ask()).await;
    assert_eq!(got.lines[0].provider.as_deref().map(str::len), Some(256));
    assert_eq!(kept.recent(1)[0].provider.as_deref().map(str::len), Some(256));
}
