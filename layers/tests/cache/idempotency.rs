//! Calls with the same idempotency key are made once, in virtual time.

use std::{future::pending, pin::Pin, sync::Arc, time::Duration};

use futures_util::future::join_all;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use tokio::time::{Instant, advance, timeout};
use tower::{Layer, ServiceExt};
use tower_llm_layers::{
    Coalesced, FailureKind, GlobalKey, LayerError, LlmRequest as _, Replayed, Stage, UsdAmount,
    cache::{
        CacheBody,
        idempotency::{
            BadIdempotencyKey, Claim, Claiming, Idempotency, IdempotencyKey, IdempotencyLayer, IdempotencyStore,
            InFlight, InMemoryIdempotency,
        },
    },
    ledger::MemoryLedger,
};

use super::{MIB, frames, places, slow, tenant};
use crate::support::{
    Beat, Leaf, ScriptBody, Step, TestError, TestFrame, TestRequest, ask, fails, millis, secs, streamed, within,
};

type Layered = IdempotencyLayer<TestFrame, TestError, GlobalKey>;
type Served = Idempotency<Leaf, TestFrame, TestError, GlobalKey>;
type Answered = Result<Response<Pin<Box<CacheBody<ScriptBody>>>>, TestError>;

fn store() -> InMemoryIdempotency<TestFrame> {
    InMemoryIdempotency::new(MIB)
}

fn layer() -> Layered {
    IdempotencyLayer::new(store(), GlobalKey)
}

fn keyed(key: &str) -> Request<TestRequest> {
    let mut request = streamed();
    request.extensions_mut().insert(IdempotencyKey::new(key).unwrap());
    request
}

fn other(key: &str) -> Request<TestRequest> {
    let mut request = keyed(key);
    request.body_mut().prompt = "another prompt";
    request
}

fn replayed(answer: &Answered) -> Option<Replayed> {
    answer.as_ref().unwrap().extensions().get().copied()
}

async fn whole(answer: Answered) -> Vec<TestFrame> {
    let (frames, error) = frames(answer.unwrap().into_body()).await;
    assert!(error.is_none(), "{error:?}");
    frames
}

fn refused(answer: Answered) -> LayerError {
    answer.err().unwrap().layer.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_comes_again_for_a_day_frame_for_frame() {
    let leaf = Leaf::new([slow(5), slow(2)]);
    let probe = leaf.probe();
    let service = layer().layer(leaf);
    let first = whole(ask(&service, keyed("a")).await).await;
    advance(secs(23 * 3600)).await;
    let again = ask(&service, keyed("a")).await;
    assert_eq!(replayed(&again).map(|mark| mark.age.as_secs()), Some(23 * 3600));
    assert_eq!(
        whole(again).await,
        first,
        "its usage included: the mark says that another call pays"
    );
    // By the header it is the same key, quoted or not.
    for text in ["a", "\"a\""] {
        let mut request = streamed();
        request
            .headers_mut()
            .insert("idempotency-key", HeaderValue::from_static(text));
        assert!(replayed(&ask(&service, request).await).is_some());
    }
    assert_eq!(probe.calls(), 1);
    advance(secs(3600)).await;
    assert_eq!(
        whole(ask(&service, keyed("a")).await).await.len(),
        4,
        "a day has passed"
    );
    assert_eq!(probe.calls(), 2);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn the_key_does_not_go_upstream() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = layer().layer(leaf);
    let mut request = keyed("a");
    request
        .headers_mut()
        .insert("idempotency-key", HeaderValue::from_static("b"));
    whole(ask(&service, request).await).await;
    assert_eq!(probe.calls(), 1);
    let passed = tower::service_fn(|request: Request<TestRequest>| async move {
        assert!(request.headers().is_empty() && request.extensions().get::<IdempotencyKey>().is_none());
        Err::<Response<ScriptBody>, _>(fails(FailureKind::Overloaded))
    });
    let mut request = streamed();
    request
        .headers_mut()
        .insert("idempotency-key", HeaderValue::from_static("b"));
    let layer: Layered = layer();
    assert_eq!(
        layer.layer(passed).oneshot(request).await.err().unwrap().kind,
        FailureKind::Overloaded
    );
}

#[tokio::test(start_paused = true)]
async fn another_request_with_the_key_is_refused_while_it_is_in_flight_and_afterwards() {
    let leaf = Leaf::new([slow(5)]);
    let probe = leaf.probe();
    let service = layer().layer(leaf);
    let first = ask(&service, keyed("a")).await;
    let error = ask(&service, other("a")).await.err().unwrap();
    assert_eq!(
        (error.kind, error.layer),
        (FailureKind::BadRequest, Some(LayerError::IdempotencyMismatch))
    );
    whole(first).await;
    assert_eq!(
        refused(ask(&service, other("a")).await),
        LayerError::IdempotencyMismatch
    );
    assert!(ask(&service, other("b")).await.is_ok());
    assert_eq!(probe.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_at_once_are_one_call() {
    let leaf = Leaf::new([slow(5)]);
    let probe = leaf.probe();
    let ledger = MemoryLedger::new();
    let service = layer().ledger(Arc::new(ledger.clone())).layer(leaf);
    let calls = (0..100_u64).map(|nth| {
        let service = &service;
        async move {
            tokio::time::sleep(millis(nth)).await;
            let answer = ask(service, keyed("a")).await;
            let pays = replayed(&answer).is_none();
            let joined = answer.as_ref().unwrap().extensions().get::<Coalesced>().is_some();
            (pays, joined, places(&whole(answer).await))
        }
    });
    let got = join_all(calls).await;
    assert_eq!(probe.calls(), 1);
    assert_eq!(got.iter().filter(|(pays, ..)| *pays).count(), 1);
    assert!(
        got.iter().filter(|(_, joined, _)| *joined).count() > 40,
        "in flight they join"
    );
    assert!(got.iter().all(|(_, _, places)| *places == (0..7).collect::<Vec<_>>()));
    // The others cost nothing, and say why.
    let entries = ledger.recent(200);
    assert_eq!(entries.len(), 99);
    assert!(entries.iter().all(|entry| {
        (entry.cost(), entry.attempt, entry.tags.get("idempotent_replay")) == (UsdAmount::ZERO, 0, Some("true"))
    }));
}

#[tokio::test(start_paused = true)]
async fn in_flight_it_is_refused_if_that_is_set() {
    let leaf = Leaf::new([slow(5)]);
    let service = layer().in_flight(InFlight::Refuse).layer(leaf);
    let first = ask(&service, keyed("a")).await;
    let error = ask(&service, keyed("a")).await.err().unwrap();
    assert_eq!(
        (error.layer, error.hint),
        (Some(LayerError::IdempotencyInFlight), Some(secs(1)))
    );
    whole(first).await;
    assert!(replayed(&ask(&service, keyed("a")).await).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_waiting_call_waits_within_its_own_deadline() {
    let leaf = Leaf::new([slow(5)]);
    let service = layer().layer(leaf);
    let first = ask(&service, keyed("a")).await.unwrap();
    // The first caller reads nothing; the one that waits reads on, as long as it likes.
    let waiting = async { whole(ask(&service, keyed("a")).await).await };
    assert!(timeout(millis(20), waiting).await.is_err());
    let (rest, took) = within(async { whole(ask(&service, keyed("a")).await).await }).await;
    assert_eq!(rest.len(), 7);
    assert!(took <= millis(50));
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn failures_are_not_remembered() {
    let leaf = Leaf::new([
        Step::fail(fails(FailureKind::Overloaded)),
        Step::body([Beat::Frame(Stage::Content), Beat::Fail(fails(FailureKind::Truncated))]),
        slow(2),
    ]);
    let probe = leaf.probe();
    let service = layer().layer(leaf);
    assert_eq!(
        ask(&service, keyed("a")).await.err().unwrap().kind,
        FailureKind::Overloaded
    );
    let (got, error) = frames(ask(&service, keyed("a")).await.unwrap().into_body()).await;
    assert_eq!(
        (got.len(), error.map(|error| error.kind)),
        (1, Some(FailureKind::Truncated))
    );
    let answer = ask(&service, keyed("a")).await;
    assert_eq!(replayed(&answer), None);
    assert_eq!(whole(answer).await.len(), 4);
    assert_eq!(probe.calls(), 3);
}

/// A failure is that of all that wait, unless it is the first caller's own: then one of them calls.
#[tokio::test(start_paused = true)]
async fn those_that_wait_share_a_failure_or_take_over() {
    for (kind, calls) in [
        (FailureKind::Overloaded, 1),
        (FailureKind::Timeout(tower_llm_layers::Phase::Deadline), 2),
    ] {
        let leaf = Leaf::new([Step::Fail(millis(10), fails(kind)), slow(1)]);
        let probe = leaf.probe();
        let service = layer().layer(leaf);
        let all = join_all((0..5).map(|_| ask(&service, keyed("a")))).await;
        let good = all.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!((probe.calls(), good), (calls, if calls == 1 { 0 } else { 4 }), "{kind}");
    }
}

/// The time to the beginning of the first caller's answer is its own, as its deadline is.
#[tokio::test(start_paused = true)]
async fn a_failure_for_want_of_the_first_callers_time_is_its_own() {
    for (left, calls) in [(secs(5), 2), (secs(90), 1)] {
        let mut error = fails(FailureKind::Overloaded);
        error.hint = Some(secs(30));
        let leaf = Leaf::new([Step::Fail(secs(1), error), slow(1)]);
        let probe = leaf.probe();
        let service = layer().layer(leaf);
        let mut first = keyed("a");
        let call = first.body_mut().call_mut();
        call.limit_first_token(Instant::now() + left);
        call.limit_deadline(Instant::now() + secs(3600));
        let (first, other) = tokio::join!(ask(&service, first), ask(&service, keyed("a")));
        assert!(first.is_err());
        assert_eq!((probe.calls(), other.is_ok()), (calls, calls == 2), "{left:?}");
    }
}

/// The call continues for those that wait; when the last one leaves it ends, and its key is free.
#[tokio::test(start_paused = true)]
async fn when_a_caller_leaves_the_others_get_the_answer_of_the_one_call() {
    let leaf = Leaf::new([slow(5), slow(2)]);
    let probe = leaf.probe();
    let service = layer().layer(leaf);
    let first = ask(&service, keyed("a")).await.unwrap();
    let second = ask(&service, keyed("a")).await;
    drop(first);
    assert_eq!(whole(second).await.len(), 7);
    assert_eq!(probe.calls(), 1);
    assert!(replayed(&ask(&service, keyed("a")).await).is_some());
    // Alone, before its answer has begun, and after.
    assert!(timeout(millis(5), ask(&service, keyed("b"))).await.is_err());
    assert_eq!(service.calls_in_flight(), 0);
    probe.assert_quiet();
    let mut begun = ask(&service, keyed("b")).await.unwrap().into_body();
    begun.frame().await.unwrap().unwrap();
    drop(begun);
    assert_eq!(probe.calls(), 3, "each was made");
    let answer = ask(&service, keyed("b")).await;
    assert_eq!(replayed(&answer), None);
    drop(answer);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_tenant_never_gets_the_answer_of_another() {
    let leaf = Leaf::new([slow(1), slow(2), slow(3), slow(4)]);
    let service = IdempotencyLayer::new(store(), tenant).layer(leaf);
    let of = |tenant: Option<&'static str>| {
        let mut request = keyed("a");
        if let Some(tenant) = tenant {
            request.headers_mut().insert("tenant", HeaderValue::from_static(tenant));
        }
        request
    };
    for (tenant, length) in [
        (Some("acme"), 3),
        (Some("globex"), 4),
        (Some("acme"), 3),
        (None, 5),
        (None, 6),
    ] {
        assert_eq!(whole(ask(&service, of(tenant)).await).await.len(), length, "{tenant:?}");
    }
    // Neither does another request of another tenant collide.
    let mut request = other("a");
    request
        .headers_mut()
        .insert("tenant", HeaderValue::from_static("initech"));
    assert!(ask(&service, request).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_to_keep_is_not_made_again() {
    let large = || Step::body((0..20).map(|_| Beat::Sized(100)).chain([Beat::Frame(Stage::Finish)]));
    let leaf = Leaf::new([large(), slow(1)]);
    let probe = leaf.probe();
    let service = layer().largest(1_000).layer(leaf);
    assert_eq!(whole(ask(&service, keyed("a")).await).await.len(), 21);
    assert_eq!(
        refused(ask(&service, keyed("a")).await),
        LayerError::IdempotencyTooLarge
    );
    assert_eq!(probe.calls(), 1);
}

/// Two layers over one store, or one before and after its settings have changed.
#[tokio::test(start_paused = true)]
async fn an_answer_ends_by_its_own_time_behind_one_that_is_kept_for_longer() {
    let store = store();
    for longer in [secs(86_400), Duration::MAX] {
        let leaf = Leaf::new([]);
        let probe = leaf.probe();
        let over = |keep_for| -> Layered { IdempotencyLayer::new(store.clone(), GlobalKey).keep_for(keep_for) };
        let (day, short) = (over(longer).layer(leaf.clone()), over(secs(10)).layer(leaf));
        let (first, second) = (format!("first {longer:?}"), format!("second {longer:?}"));
        whole(ask(&day, keyed(&first)).await).await;
        whole(ask(&short, keyed(&second)).await).await;
        advance(secs(9)).await;
        assert!(replayed(&ask(&short, keyed(&second)).await).is_some());
        advance(secs(1)).await;
        let bytes = store.bytes();
        let again = ask(&short, keyed(&second)).await;
        assert_eq!(replayed(&again), None);
        whole(again).await;
        assert_eq!(store.bytes(), bytes, "the answer before is let go");
        assert!(replayed(&ask(&day, keyed(&first)).await).is_some());
        assert_eq!(probe.calls(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn keys_and_bytes_are_bounded_and_the_oldest_answers_go_first() {
    let store = InMemoryIdempotency::new(40_000).max_keys(10);
    let service = IdempotencyLayer::new(store.clone(), GlobalKey).layer(Leaf::new([]));
    for nth in 0..100 {
        whole(ask(&service, keyed(&nth.to_string())).await).await;
        assert!(store.keys() <= 11 && store.bytes() <= 40_000);
    }
    assert!(replayed(&ask(&service, keyed("99")).await).is_some());
    assert!(replayed(&ask(&service, keyed("0")).await).is_none());
    let small = InMemoryIdempotency::new(3_000);
    let service = IdempotencyLayer::new(small.clone(), GlobalKey).layer(Leaf::new([]));
    for nth in 0..50 {
        whole(ask(&service, keyed(&nth.to_string())).await).await;
        assert!(small.bytes() <= 3_000, "{}", small.bytes());
    }
    assert!(small.keys() > 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_a_key_is_refused_before_a_call() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = layer().layer(leaf);
    let mut request = streamed();
    request
        .headers_mut()
        .insert("idempotency-key", HeaderValue::from_static(""));
    let problem = BadIdempotencyKey::Empty;
    assert_eq!(
        refused(ask(&service, request).await),
        LayerError::BadIdempotencyKey { problem }
    );
    let mut request = keyed("a");
    request
        .headers_mut()
        .insert("cache-control", HeaderValue::from_static("no-store"));
    assert_eq!(refused(ask(&service, request).await), LayerError::IdempotencyNoStore);
    assert_eq!(probe.calls(), 0);
}

/// A store that never has its key, or that fails.
#[derive(Debug)]
struct Elsewhere(&'static str);

impl IdempotencyStore<TestFrame> for Elsewhere {
    fn claim(
        &self,
        _: &tower_llm_layers::cache::AnswerKey,
        _: &tower_llm_layers::cache::AnswerKey,
    ) -> Claiming<TestFrame> {
        match self.0 {
            "down" => Box::pin(async { Err("connection refused".into()) }),
            "hangs" => Box::pin(pending()),
            _ => Box::pin(async { Ok(Claim::InFlight) }),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_refuses_and_a_busy_key_is_looked_at_again() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let over = |how, in_flight| -> Served {
        IdempotencyLayer::new(Elsewhere(how), GlobalKey)
            .in_flight(in_flight)
            .layer(leaf.clone())
    };
    let error = ask(&over("down", InFlight::Wait), keyed("a")).await.err().unwrap();
    assert_eq!((error.kind, error.hint), (FailureKind::StoreUnavailable, Some(secs(1))));
    assert_eq!(
        refused(ask(&over("busy", InFlight::Refuse), keyed("a")).await),
        LayerError::IdempotencyInFlight
    );
    for how in ["busy", "hangs"] {
        let service = over(how, InFlight::Wait);
        let waiting = timeout(Duration::from_secs(9), ask(&service, keyed("a")));
        assert!(waiting.await.is_err(), "{how}");
        assert_eq!(service.calls_in_flight(), 0);
    }
    assert_eq!(probe.calls(), 0);
}
