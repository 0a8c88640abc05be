//! Account calls against the simulator.

use std::{sync::Arc, time::Duration};

use crate::support::{
    FIRST, SECOND, World, ask, call,
    prices::account_at,
    raw::{Raw, json, send},
};
use openrouter_simulator::Simulator;
use tower_openrouter::response::{ToUsd as _, UsageExt as _};
use tower_openrouter::{
    Account, ApiKey, Catalogue, ChatRequest, ChatServiceExt, FailureKind, Outcome, Stack, Transport,
    layers::{Candidate, fallback::Capabilities},
    request::{ResponseFormat, Tool},
    transport::{Dialect, OPENROUTER, Upstream},
};

fn account(simulator: &Simulator, key: Option<&str>) -> Account {
    let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter).unwrap();
    let transport = Transport::builder().upstream(upstream.clone()).build().unwrap();
    Account::new(transport, upstream, key.map(|key| ApiKey::new(key).unwrap()))
}

#[tokio::test(start_paused = true)]
async fn models_and_the_endpoints_of_one() {
    let simulator = Simulator::start().await.unwrap();
    let account = account(&simulator, Some("sk-or-v1-test"));
    let models = account.models().await.unwrap();
    let mini = models.iter().find(|model| model.id == SECOND).unwrap();
    let price = mini
        .pricing
        .prompt
        .as_ref()
        .and_then(|price| price.to_usd().unwrap())
        .unwrap();
    assert_eq!(price.pico(), 150_000);
    assert!(
        models.iter().any(|model| model.id.contains("embedding")),
        "whatever they answer in"
    );
    let endpoints = account.model_endpoints(SECOND).await.unwrap();
    assert!(!endpoints.endpoints.is_empty());
    let unknown = account.model_endpoints("acme/nope").await.unwrap_err();
    assert_eq!(unknown.kind(), FailureKind::NoEndpoint);
}

#[tokio::test(start_paused = true)]
async fn the_key_the_balance_and_a_generation() {
    let simulator = Simulator::builder()
        .generation_lag(Duration::from_secs(90))
        .start()
        .await
        .unwrap();
    let account = account(&simulator, Some("sk-or-v1-test"));
    assert!(account.key().await.unwrap().label.contains("sk-or"));
    assert!(account.credits().await.unwrap().is_some());
    let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter).unwrap();
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new("sk-or-v1-test").unwrap())
        .build()
        .unwrap();
    let answer = stack.stream(ask().model(SECOND)).await.unwrap();
    let id = answer.generation_id().unwrap().to_owned();
    let mut answer = answer;
    while answer.next_frame().await.is_some() {}
    let cost = answer.usage().unwrap().charged().unwrap();

    assert!(account.generation(&id).await.unwrap().is_none(), "not yet");
    tokio::time::sleep(Duration::from_secs(91)).await;
    let generation = account.generation(&id).await.unwrap().unwrap();
    assert_eq!(generation.total_cost.map(|cost| cost.to_usd().unwrap()), cost);
}

#[tokio::test(start_paused = true)]
async fn failures_are_typed() {
    let simulator = Simulator::builder().key("sk-or-v1-known").start().await.unwrap();
    let error = account(&simulator, Some("sk-or-v1-other")).key().await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Auth);
    simulator.plan("/credits", "403-management").unwrap();
    assert!(
        account(&simulator, Some("sk-or-v1-known"))
            .credits()
            .await
            .unwrap()
            .is_none(),
        "unknown, not failed"
    );
    for (plan, kind) in [
        ("html", FailureKind::Malformed),
        ("503", FailureKind::Overloaded),
        ("reset", FailureKind::Reset),
    ] {
        simulator.plan("/models", plan).unwrap();
        let error = account(&simulator, None).models().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{plan}: {error:?}");
    }
    simulator.plan("/models", "hang").unwrap();
    let begun = tokio::time::Instant::now();
    assert!(matches!(
        account(&simulator, None).models().await.unwrap_err().kind(),
        FailureKind::Timeout(_)
    ));
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn an_odd_byte_hides_no_model_and_an_id_with_dot_segments_is_not_sent() {
    let list: &[u8] = b"{\"data\":[{\"id\":\"a/a\",\"description\":\"\xff\"},{\"id\":\"a/b\"}]}";
    let raw = Raw::always(vec![json(), send(list)]).await;
    let account = account_at(raw.upstream());
    let models = account.models().await.unwrap();
    let ids: Vec<_> = models.iter().map(|model| &*model.id).collect();
    assert_eq!(ids, ["a/a", "a/b"]);
    let sent = raw.seen().len();
    for id in ["../key", "..", "a/../../credits"] {
        let refused = account.model_endpoints(id).await.unwrap_err();
        assert_eq!(refused.kind(), FailureKind::BadRequest, "{id}");
    }
    assert_eq!(raw.seen().len(), sent);
}

/// By the catalogue, who cannot take a request is passed over before anything is sent.
#[tokio::test(start_paused = true)]
async fn candidates_that_cannot_take_a_request_are_passed_over() {
    let world = World::new("GOOD").await;
    let models = account(&world.simulator, None).models().await.unwrap();
    let small = models
        .iter()
        .find(|model| model.context_length.is_some_and(|tokens| tokens <= 8192))
        .unwrap()
        .id
        .clone();
    let catalogue = Arc::new(Catalogue::new(models));
    assert!(
        catalogue
            .capability(&Candidate::new(OPENROUTER, &format!("{SECOND}:nitro")).unwrap())
            .is_some()
    );
    assert!(
        catalogue
            .capability(&Candidate::new("direct", SECOND).unwrap())
            .is_none()
    );
    let stack = world
        .builder()
        .chain([small.as_str(), FIRST])
        .catalogue(catalogue)
        .build()
        .unwrap();
    let tool = Tool::function("f", "does it", serde_json::json!({"type": "object"}));
    let long = ChatRequest::user("word ".repeat(20_000));
    for (request, reason) in [(ask().tools([tool]), "tools"), (long, "context")] {
        let got = call(&stack, true, request).await;
        assert_eq!(got.asked(), [FIRST], "{got:?}");
        let skipped = got.lines.iter().find(|line| line.outcome == Outcome::Skipped).unwrap();
        assert!(
            skipped.summary.as_deref().is_some_and(|said| said.contains(reason)),
            "{skipped:?}"
        );
    }
    assert_eq!(call(&stack, true, ask()).await.asked(), [small.as_str()]);
    let alone = world
        .builder()
        .chain([small.as_str()])
        .catalogue(Arc::new(Catalogue::new(
            account(&world.simulator, None).models().await.unwrap(),
        )));
    let schema = ask().response_format(ResponseFormat::json_schema(
        "answer",
        serde_json::json!({"type": "object"}),
    ));
    let got = call(&alone.build().unwrap(), true, schema).await;
    assert_eq!(got.kind(), Some(FailureKind::NoEndpoint));
    assert!(got.error.unwrap().to_string().contains(&small));
}
