//! What a caller pins, its provider or its account, pauses no other call; and the state is bounded.

use std::iter;

use http::Request;
use tower::Layer;
use tower_llm_layers::{
    FailureKind, FailureScope, Route,
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy, CircuitState},
    pause::{MAX_PAUSES, PauseLayer},
};

use super::limited;
use crate::support::{Leaf, Step, TestRequest, ask, candidate, fails, secs, streamed};

fn of(model: &str, account: Option<&str>) -> Request<TestRequest> {
    let mut request = streamed();
    let call = &mut request.body_mut().call;
    call.set_candidate(candidate(model));
    if let Some(account) = account {
        call.set_account(Route::of([account.as_bytes()]));
    }
    request
}

fn pinned(model: &str, provider: &'static str) -> Request<TestRequest> {
    let mut request = of(model, None);
    request.body_mut().provider = Some(provider);
    request
}

#[tokio::test(start_paused = true)]
async fn a_pinned_provider_pauses_its_own_route_only() {
    let leaf = Leaf::new([Step::fail(limited().hint(secs(40)))]);
    let service = PauseLayer::new().layer(leaf.clone());
    ask(&service, pinned("a", "broken")).await.map(drop).unwrap_err();
    ask(&service, pinned("a", "broken")).await.map(drop).unwrap_err();
    assert_eq!(leaf.probe().calls(), 1);
    ask(&service, of("a", None)).await.map(drop).unwrap();
    ask(&service, pinned("a", "other")).await.map(drop).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_account_of_its_own_pauses_its_own_pool_only() {
    let gone = fails(FailureKind::QuotaExhausted)
        .scope(FailureScope::Upstream)
        .says(429, "gone");
    let service = PauseLayer::new().layer(Leaf::new([Step::fail(gone)]));
    ask(&service, of("a", Some("tenant-7"))).await.map(drop).unwrap_err();
    for model in ["a", "b"] {
        assert!(ask(&service, of(model, Some("tenant-7"))).await.is_err(), "{model}");
        assert!(ask(&service, of(model, Some("tenant-8"))).await.is_ok(), "{model}");
        assert!(ask(&service, of(model, None)).await.is_ok(), "{model}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pinned_provider_that_is_down_opens_its_own_circuit_only() {
    let layer = CircuitBreakerLayer::new(CircuitPolicy::new()).unwrap();
    let down = Step::fail(fails(FailureKind::Overloaded));
    let service = layer.layer(Leaf::new(iter::repeat_n(down, 5)));
    for _ in 0..5 {
        ask(&service, pinned("a", "broken")).await.map(drop).unwrap_err();
    }
    let error = ask(&service, pinned("a", "broken")).await.map(drop).unwrap_err();
    assert_eq!(error.kind, FailureKind::CircuitOpen);
    ask(&service, of("a", None)).await.map(drop).unwrap();
    ask(&service, pinned("a", "other")).await.map(drop).unwrap();
    let circuits = layer.circuits();
    let report = circuits.report(&candidate("a")).unwrap();
    assert_eq!((report.state, report.is_pinned), (CircuitState::Closed, false));
    let open = circuits
        .reports()
        .into_iter()
        .filter(|report| report.state != CircuitState::Closed);
    assert!(open.map(|report| report.is_pinned).eq([true]));
}

/// Invariant 11.
#[tokio::test(start_paused = true)]
async fn a_flood_of_names_leaves_what_is_kept_bounded() {
    let layer = PauseLayer::new();
    let always = (0..2 * MAX_PAUSES).map(|_| Step::fail(limited().hint(secs(30))));
    let service = layer.layer(Leaf::new(always).on("kept", [Step::fail(limited().hint(secs(50)))]));
    let mut kept = of("kept", None);
    kept.body_mut().model = Some("kept".into());
    ask(&service, kept).await.map(drop).unwrap_err();
    for number in 0..2 * MAX_PAUSES {
        ask(&service, of(&format!("m{number}"), None))
            .await
            .map(drop)
            .unwrap_err();
    }
    let reports = layer.pauses().reports();
    assert!(
        reports.len() <= MAX_PAUSES && reports.len() > MAX_PAUSES / 2,
        "{}",
        reports.len()
    );
    assert!(
        reports.iter().any(|report| report.candidate.model() == "kept"),
        "the longest stays"
    );
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pinned_providers_ends_no_pause_of_others() {
    let says = |hint| Step::fail(limited().hint(secs(hint)));
    let steps = iter::once(says(30)).chain(iter::repeat_n(says(50), MAX_PAUSES));
    let layer = PauseLayer::new();
    let service = layer.layer(Leaf::new(steps));
    ask(&service, of("a", None)).await.map(drop).unwrap_err();
    for number in 0..MAX_PAUSES {
        let account = format!("tenant-{number}");
        ask(&service, of("b", Some(&account))).await.map(drop).unwrap_err();
    }
    let reports = layer.pauses().reports();
    assert!(
        reports.iter().any(|report| report.candidate.model() == "a"),
        "it has 30 s to go"
    );
    assert!(reports.len() <= 1 + MAX_PAUSES / 10, "{}", reports.len());
}
