//! Providers behind the router: calls move away from one that fails, and come back; what the router tried by itself is in the log.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;
use tower_openrouter::{
    Candidate, ChatRequest, ChatServiceExt, FailureKind, MessagesRequest, Outcome, ResponsesRequest, Stack,
    layers::{
        LlmRequest, Phase, TimeoutOverrides,
        ledger::MemoryLedger,
        provider_health::{ProviderHealth, ProviderPolicy, ProviderReport, ProviderState},
    },
    transport::OPENROUTER,
};

use crate::support::{Got, SECOND, World, ask, call};

const S: Duration = Duration::from_secs(1);

/// Served by OpenAI first, and by Azure.
const MODEL: &str = SECOND;

fn health() -> ProviderHealth {
    ProviderHealth::new(ProviderPolicy::new().min_calls(4).ignore_for(30 * S, 120 * S)).unwrap()
}

fn stack(world: &World, health: &ProviderHealth, models: &[&str]) -> Stack {
    let builder = world.builder().chain(models.iter().copied()).circuit_breaker(None);
    builder
        .attempts_per_candidate(2)
        .provider_health(health.clone())
        .build()
        .unwrap()
}

/// Which provider served each attempt, by the simulator's own record.
fn served(world: &World) -> Vec<String> {
    let seen = world.simulator.report();
    seen.chats().map(|attempt| attempt.provider.clone()).collect()
}

/// The preferences of the last request.
fn asked_for(world: &World) -> Value {
    let seen = world.simulator.report();
    let body: Value = serde_json::from_slice(&seen.attempts.last().unwrap().body).unwrap();
    body["provider"].clone()
}

fn report(health: &ProviderHealth, name: &str) -> ProviderReport {
    let all = health.report();
    all.into_iter().find(|row| *row.provider == *name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn calls_move_away_from_a_provider_that_fails_and_come_back() {
    let world = World::new("GOOD").await;
    world.simulator.plan_provider("OpenAI", "5xcut@2,ok").unwrap();
    let health = health();
    let stack = stack(&world, &health, &[MODEL]);
    for _ in 0..4 {
        assert_eq!(call(&stack, true, ask()).await.kind(), Some(FailureKind::Truncated));
    }
    assert_eq!(
        report(&health, "OpenAI").state,
        ProviderState::Ignored { probe_in: 30 * S }
    );
    assert_eq!(
        (report(&health, "OpenAI").failures, report(&health, "OpenAI").uptime),
        (4, 0.0)
    );
    let before = served(&world).len();
    for streamed in [true, false, true] {
        let got = call(&stack, streamed, ask()).await;
        assert_eq!(got.kind(), None);
        assert_eq!(got.lines[0].note.as_deref(), Some("without openai"));
        assert_eq!(asked_for(&world), json!({"ignore": ["openai"]}));
    }
    assert_eq!(served(&world)[before..], ["Azure", "Azure", "Azure"]);
    // The probe fails: it is left out for twice as long.
    sleep(31 * S).await;
    let probe = call(&stack, true, ask()).await;
    assert_eq!(probe.kind(), Some(FailureKind::Truncated));
    assert_eq!(probe.lines[0].note.as_deref(), Some("probes openai"));
    assert_eq!(
        report(&health, "OpenAI").state,
        ProviderState::Ignored { probe_in: 60 * S }
    );
    assert_eq!(call(&stack, true, ask()).await.kind(), None);
    sleep(61 * S).await;
    // One probes it, the others beside it do not.
    let (probe, beside) = tokio::join!(call(&stack, true, ask()), call(&stack, true, ask()));
    assert_eq!((probe.kind(), beside.kind()), (None, None));
    let notes = [&probe, &beside].map(|got| got.lines[0].note.as_deref());
    assert_eq!(notes, [Some("probes openai"), Some("without openai")]);
    assert_eq!(report(&health, "OpenAI").state, ProviderState::Healthy);
    let back = call(&stack, true, ask()).await;
    assert_eq!(back.lines[0].note, None);
    assert_eq!(served(&world).last().map(String::as_str), Some("OpenAI"));
    assert_eq!(asked_for(&world), Value::Null);
}

/// What a caller pins is sent as it is, and says nothing of the provider to others.
#[tokio::test(start_paused = true)]
async fn a_callers_own_preferences_are_never_changed() {
    let world = World::new("GOOD").await;
    world.simulator.plan_provider("OpenAI", "cut@2").unwrap();
    let health = health();
    let stack = stack(&world, &health, &[MODEL]);
    let own = json!({"order": ["openai"], "sort": "price"});
    let pinned = || ask().extra("provider", own.clone());
    for _ in 0..9 {
        assert_eq!(call(&stack, true, pinned()).await.kind(), Some(FailureKind::Truncated));
    }
    assert!(health.report().is_empty());
    for _ in 0..4 {
        call(&stack, true, ask()).await;
    }
    assert!(matches!(report(&health, "OpenAI").state, ProviderState::Ignored { .. }));
    for own in [own.clone(), json!({})] {
        call(&stack, true, ask().extra("provider", own.clone())).await;
        assert_eq!(asked_for(&world), own);
    }
}

/// Invariant 8: a timeout of the call's own says nothing of the provider, one of the candidate's does. Nor does a tier with its own endpoints.
#[tokio::test(start_paused = true)]
async fn a_timeout_of_the_calls_own_is_no_failure_of_the_provider() {
    let idle = TimeoutOverrides::new().idle(5 * S);
    let candidate = Candidate::new(OPENROUTER, MODEL).unwrap();
    for (candidate, request, failures) in [
        (candidate.clone(), ask().timeouts(idle), None),
        (candidate.clone().with_timeouts(idle), ask(), Some(3_u32)),
        (candidate.with_timeouts(idle), ask().extra("service_tier", "flex"), None),
    ] {
        let world = World::new("GOOD").await;
        world.simulator.plan(MODEL, "delay=8s;words=5").unwrap();
        let health = health();
        let builder = world.builder().chain([candidate]).circuit_breaker(None);
        let stack = builder.provider_health(health.clone()).build().unwrap();
        for _ in 0..3 {
            let got = call(&stack, true, request.clone()).await;
            assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::Idle)), "{got:?}");
        }
        let rows = health.report();
        let failed = rows.iter().map(|row| row.failures).filter(|failures| *failures > 0);
        assert!(failed.eq(failures), "{rows:?}");
    }
}

/// The verdict was ours: the router finds nothing left, and the same model answers without it.
#[tokio::test(start_paused = true)]
async fn if_no_provider_is_left_the_verdicts_end_and_the_call_is_made() {
    const ONE: &str = "demo/model:free";
    let world = World::new("GOOD").await;
    world.simulator.plan_provider("Chutes", "4xcut@2,ok").unwrap();
    let health = health();
    let stack = stack(&world, &health, &[ONE]);
    for _ in 0..4 {
        assert_eq!(call(&stack, true, ask()).await.kind(), Some(FailureKind::Truncated));
    }
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.kind(), None);
    let outcomes: Vec<_> = got.lines.iter().map(|line| line.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed(FailureKind::NoEndpoint), Outcome::Answered]);
    assert_eq!(report(&health, "Chutes").state, ProviderState::Healthy);
}

fn tried(got: &Got) -> Vec<String> {
    let lines = got.lines.iter().flat_map(|line| line.router_attempts.iter());
    lines.map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn what_the_router_tried_by_itself_stands_under_our_attempt_and_counts_nowhere() {
    let world = World::new("GOOD").await;
    world.simulator.plan_provider("OpenAI", "503").unwrap();
    let (health, ledger) = (health(), MemoryLedger::new());
    let builder = world
        .builder()
        .chain([MODEL])
        .attempts(1)
        .ledger(Arc::new(ledger.clone()));
    let stack = builder
        .clone()
        .router_metadata(true)
        .provider_health(health.clone())
        .build()
        .unwrap();
    for streamed in [true, false, true] {
        let got = call(&stack, streamed, ask()).await;
        assert_eq!((got.kind(), got.lines.len()), (None, 1));
        assert_eq!(tried(&got), ["OpenAI 503", "Azure 200"], "{streamed}");
    }
    let completion = stack.complete(ask()).await.unwrap();
    let log = completion.attempts.unwrap();
    assert_eq!((log.sent(), ledger.recent(9).len()), (1, 4));
    assert!(
        log.to_string().ends_with("\n     by the router: OpenAI 503, Azure 200"),
        "{log}"
    );
    // Each was seen to fail by that alone.
    assert_eq!(report(&health, "OpenAI").failures, 4);
    let got = call(&stack, true, ask()).await;
    assert_eq!(
        (tried(&got), asked_for(&world)),
        (vec!["Azure 200".to_owned()], json!({"ignore": ["openai"]}))
    );
    // Without it the header is not sent.
    let silent = call(&builder.build().unwrap(), true, ask()).await;
    assert!(tried(&silent).is_empty());
    let header = |at: usize| {
        world.simulator.report().attempts[at]
            .header("x-openrouter-metadata")
            .map(str::to_owned)
    };
    assert_eq!((header(0).as_deref(), header(5)), (Some("enabled"), None));
}

#[tokio::test(start_paused = true)]
async fn it_is_read_in_each_api_and_in_errors() {
    let world = World::new("GOOD").await;
    world.simulator.plan_provider("OpenAI", "503").unwrap();
    let stack = world
        .builder()
        .chain([MODEL])
        .attempts(1)
        .router_metadata(true)
        .build()
        .unwrap();
    let expected = ["OpenAI 503", "Azure 200"];
    let both = || {
        let responses = tower_openrouter::ApiRequest::from(ResponsesRequest::text("Hi"));
        let messages = tower_openrouter::ApiRequest::from(MessagesRequest::user("Hi", 64));
        [responses, messages]
    };
    let tried = |log: &tower_openrouter::AttemptLog| {
        let lines = log.attempts();
        lines[0]
            .router_attempts
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    for request in both() {
        let api = request.api();
        let mut answer = stack.stream(request).await.unwrap();
        while let Some(frame) = answer.next_frame().await {
            frame.unwrap();
        }
        assert_eq!(tried(&answer.attempts().unwrap()), expected, "{api:?}, streamed");
    }
    let plain = stack.complete(ResponsesRequest::text("Hi")).await.unwrap();
    assert_eq!(tried(&plain.attempts.unwrap()), expected);
    let plain = stack.complete(MessagesRequest::user("Hi", 64)).await.unwrap();
    assert_eq!(tried(&plain.attempts.unwrap()), expected);
    world.simulator.plan_provider("Azure", "502").unwrap();
    let failed = call(&stack, false, ask()).await;
    assert_eq!(failed.kind(), Some(FailureKind::Upstream));
    let tried = super::provider_health::tried(&failed);
    assert_eq!(tried, ["OpenAI 503", "Azure 502"]);
}

#[test]
fn a_request_says_which_providers_may_serve_it() {
    use tower_openrouter::{ApiRequest, layers::ProviderRouting};

    let mut request = ApiRequest::from(ChatRequest::user("Hi"));
    assert!(!request.has_provider_preferences());
    assert!(request.set_providers(&["a".into(), "b/c".into()], &["d".into()]));
    assert!(request.has_provider_preferences() && request.model().is_none());
}
