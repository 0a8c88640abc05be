//! `Retry-After` is true in every refusal: a client that waits exactly so long is admitted.

use std::{sync::Arc, time::Duration};

use http::{StatusCode, response::Parts};
use http_body_util::BodyExt;
use tokio::time::sleep;
use tower::ServiceExt;
use tower_openrouter::{
    ChatServiceExt, UsdAmount,
    layers::{
        adaptive_concurrency::{ConcurrencyLimits, ConcurrencyPolicy},
        budget::{Budget, Window},
        circuit_breaker::CircuitPolicy,
        rate_limit::{Limits, Rate},
    },
    stack::{StackBuilder, TenantKey},
};

use crate::support::{
    FIRST, World,
    mounted::{post, send},
    prices::of,
};

const S: Duration = Duration::from_secs(1);

/// A refusal, how it comes about, and what it says.
struct Case {
    name: &'static str,
    /// Of the upstream; the first calls take its first steps.
    plan: &'static str,
    build: fn(StackBuilder) -> StackBuilder,
    /// Calls before the refused one.
    before: usize,
    /// Whether another call is in flight meanwhile; it ends half a second later.
    beside: bool,
    status: u16,
    wait: std::ops::RangeInclusive<u64>,
    /// Whether a client that comes a second earlier is refused, and may come again when the second is over.
    early: bool,
}

const CASE: Case = Case {
    name: "",
    plan: "GOOD",
    build: |builder| builder,
    before: 0,
    beside: false,
    status: 429,
    wait: 1..=1,
    early: false,
};

/// Six in a minute, one at once: each ten seconds.
fn rate() -> Rate {
    Rate::new(6, 60 * S).and_then(|rate| rate.burst(1)).unwrap()
}

/// One token a second; one call at once takes nearly all.
fn tokens() -> Rate {
    Rate::new(60, 60 * S).and_then(|rate| rate.burst(135)).unwrap()
}

fn admit(builder: StackBuilder, limits: Limits) -> StackBuilder {
    builder.tenant_limits(limits, TenantKey::global(), Duration::ZERO)
}

fn one_at_once() -> Limits {
    Limits::new().concurrency(1).unwrap()
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    vec![
        Case { name: "requests of a tenant", build: |all| admit(all, Limits::new().requests(rate())), before: 1, wait: 10..=10, early: true, ..CASE },
        Case { name: "tokens of a tenant", build: |all| admit(all, Limits::new().tokens(tokens())), before: 1, wait: 2..=60, early: true, ..CASE },
        Case { name: "requests and tokens, tokens for longer", build: |all| admit(all, Limits::new().requests(Rate::new(60, 60 * S).unwrap().burst(1).unwrap()).tokens(tokens())), before: 1, wait: 2..=60, early: true, ..CASE },
        Case { name: "requests and tokens, requests for longer", build: |all| admit(all, Limits::new().requests(Rate::new(1, 300 * S).unwrap()).tokens(tokens())), before: 1, wait: 300..=300, early: true, ..CASE },
        Case { name: "calls at once of a tenant", build: |all| admit(all, one_at_once()), beside: true, ..CASE },
        Case { name: "calls at once and requests", build: |all| admit(all, one_at_once().requests(rate())), beside: true, wait: 10..=10, early: true, ..CASE },
        Case { name: "requests to a candidate", build: |all| all.upstream_limits(Limits::new().requests(rate()), Duration::ZERO), before: 1, wait: 10..=10, early: true, ..CASE },
        Case { name: "a learned concurrency limit", build: |all| all.adaptive_concurrency(ConcurrencyLimits::new(ConcurrencyPolicy::new().floor(1).initial(1).ceiling(1).queue(0)).unwrap()), beside: true, status: 503, ..CASE },
        Case { name: "what an upstream asks for", plan: "1x429;retry-after=7,GOOD", wait: 7..=7, ..CASE },
        Case { name: "a pause", plan: "1x429;retry-after=7,GOOD", before: 1, wait: 7..=7, early: true, ..CASE },
        Case { name: "a pause of a day, by its probe", plan: "1x429;retry-after=86400,GOOD", before: 1, wait: 2..=60, early: true, ..CASE },
        Case { name: "an exhausted quota, by its probe", plan: "1x403-key,GOOD", before: 1, wait: 2..=86_400, early: true, ..CASE },
        Case { name: "an open circuit", plan: "5x502,GOOD", build: |all| all.circuit_breaker(CircuitPolicy::new().last_resorts(0)), before: 5, status: 503, wait: 5..=5, early: true, ..CASE },
        Case { name: "a budget of a day", build: |all| all.budget(Budget::new("day", UsdAmount::from_pico(150_000_000)).unwrap().per(Window::Day)), before: 1, status: 402, wait: 1..=86_400, ..CASE },
    ]
}

fn builder(world: &World, case: &Case) -> StackBuilder {
    let row = format!(
        r#"{{"id":"{FIRST}","name":"x","context_length":1000,"pricing":{{"prompt":"0","completion":"0.000001"}}}}"#
    );
    let builder = world
        .builder()
        .chain([FIRST])
        .attempts_per_candidate(1)
        .max_retry_delay(Duration::ZERO);
    (case.build)(builder.prices(Arc::new(of(&[&row]))))
}

const BODY: &str = r#"{"model":"openai/gpt-5","max_tokens":120,"messages":[{"role":"user","content":"Hi"}]}"#;

fn retry_after(head: &Parts) -> Option<u64> {
    head.headers.get("retry-after")?.to_str().ok()?.parse().ok()
}

/// What is wrong with what a refusal says.
async fn try_out(case: &Case) -> Result<(), String> {
    let world = World::new(case.plan).await;
    let service = builder(&world, case).build().unwrap().into_endpoints();
    let ask = || send(service.clone(), post("/v1/chat/completions", BODY));
    let streamed = post("/v1/chat/completions", BODY.replacen('{', "{\"stream\":true,", 1));
    let held = if case.beside {
        Some(service.clone().oneshot(streamed).await.unwrap())
    } else {
        None
    };
    for _ in 0..case.before {
        ask().await;
    }
    let (head, text) = ask().await;
    if head.status.as_u16() != case.status {
        return Err(format!("{}: {text}", head.status));
    }
    let wait = retry_after(&head).ok_or_else(|| format!("no hint: {text}"))?;
    if !case.wait.contains(&wait) {
        return Err(format!("{wait} s: {text}"));
    }
    let mut left = S * u32::try_from(wait).unwrap();
    if let Some(held) = held {
        sleep(S / 2).await;
        held.into_body().collect().await.unwrap();
        left -= S / 2;
    }
    if case.early {
        // A wait is rounded up to a whole second.
        sleep(left.saturating_sub(S + S / 100)).await;
        let (early, _) = ask().await;
        if early.status.as_u16() != case.status {
            return Err(format!("{} earlier than after {wait} s", early.status));
        }
        left = S + S / 100;
    }
    sleep(left).await;
    let (head, text) = ask().await;
    if head.status != StatusCode::OK {
        return Err(format!("{} after {wait} s: {text}", head.status));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_so_long_is_admitted() {
    let mut wrong = Vec::new();
    for case in cases() {
        if let Err(problem) = try_out(&case).await {
            wrong.push(format!("{}: {problem}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
