//! Rate limits: requests, tokens and calls at once, by key, in virtual time.

use std::{sync::Arc, time::Duration};

use http::Request;
use http_body_util::BodyExt;
use tokio::time::{Instant, advance};
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, ServiceExt};
use tower_llm_layers::{
    FailureKind, GlobalKey, KeyExtractor, Stage, TokenUsage,
    rate_limit::{Limits, LimitsError, Rate, RateLimit, RateLimitLayer},
};

use crate::support::{Beat, Leaf, Step, TestError, TestRequest, ask, fails, millis, read, secs, streamed, within};

pub(crate) fn rate(amount: u32, per: Duration, burst: u32) -> Rate {
    Rate::new(amount, per).unwrap().burst(burst).unwrap()
}

pub(crate) fn requests(amount: u32, per: Duration, burst: u32) -> Limits {
    Limits::new().requests(rate(amount, per, burst))
}

fn everyone(limits: Limits) -> RateLimitLayer<GlobalKey> {
    RateLimitLayer::new(limits, GlobalKey).unwrap()
}

/// By model; one that is called `free` is not limited.
#[derive(Clone, Copy)]
struct ByModel;

impl KeyExtractor<TestRequest> for ByModel {
    fn key(&self, request: &Request<TestRequest>) -> Option<Arc<str>> {
        request
            .body()
            .model
            .as_deref()
            .filter(|model| *model != "free")
            .map(Arc::from)
    }
}

fn of(model: &str) -> Request<TestRequest> {
    let mut request = streamed();
    request.body_mut().model = Some(model.to_owned());
    request
}

/// A request that is thought to use this many tokens.
pub(crate) fn sized(prompt: u64, answer: u64) -> Request<TestRequest> {
    let mut request = streamed();
    request.body_mut().needs.prompt_tokens = prompt;
    request.body_mut().max_tokens = Some(answer);
    request
}

async fn passes<X: KeyExtractor<TestRequest> + Clone>(
    service: &RateLimit<Leaf, X>,
    request: Request<TestRequest>,
) -> bool {
    match ask(service, request).await {
        Ok(response) => {
            read(response.into_body()).await;
            true
        }
        Err(error) => {
            assert_eq!(error.kind, FailureKind::RateLimited);
            false
        }
    }
}

async fn refused<X: KeyExtractor<TestRequest> + Clone>(
    service: &RateLimit<Leaf, X>,
    request: Request<TestRequest>,
) -> TestError {
    ask(service, request).await.expect_err("over the limit")
}

#[tokio::test(start_paused = true)]
async fn refuses_at_once_and_says_exactly_when_to_come_back() {
    let service = everyone(requests(60, secs(60), 1)).layer(Leaf::new([]));
    assert!(passes(&service, streamed()).await);
    advance(millis(300)).await;
    let (error, took) = within(refused(&service, streamed())).await;
    assert_eq!((error.hint, took), (Some(millis(700)), Duration::ZERO));
    assert_eq!(error.summary, "over 60 requests in 60 s: retry in 0.7 s");
    advance(millis(699)).await;
    assert!(!passes(&service, streamed()).await);
    advance(millis(1)).await;
    assert!(passes(&service, streamed()).await);
}

#[tokio::test(start_paused = true)]
async fn waits_for_its_turn_where_it_may_and_never_past_the_deadline() {
    let service = everyone(requests(60, secs(60), 1))
        .max_wait(secs(5))
        .layer(Leaf::new([]));
    assert!(passes(&service, streamed()).await);
    let (passed, took) = within(passes(&service, streamed())).await;
    assert!(passed && took >= secs(1) && took <= millis(1101), "{took:?}");
    let mut hurried = streamed();
    hurried.body_mut().call.limit_deadline(Instant::now() + millis(400));
    let (error, took) = within(refused(&service, hurried)).await;
    assert_eq!((error.kind, took), (FailureKind::RateLimited, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn all_waiting_calls_pass_in_time() {
    let service = everyone(requests(10, secs(1), 1))
        .max_wait(secs(60))
        .layer(Leaf::new([]));
    let begun = Instant::now();
    let calls = (0..20).map(|_| {
        let service = service.clone();
        tokio::spawn(async move { passes(&service, streamed()).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    // Twenty at ten a second; the spread costs a little.
    assert!(
        begun.elapsed() >= millis(1900) && begun.elapsed() < millis(3500),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn the_default_burst_admits_little_more_than_the_amount_in_the_first_interval() {
    let limits = Limits::new().requests(Rate::new(600, secs(60)).unwrap());
    let service = everyone(limits).layer(Leaf::new([]));
    let mut passed = 0;
    for _ in 0..60_000 / 20 {
        passed += u32::from(passes(&service, streamed()).await);
        advance(millis(20)).await;
    }
    assert!((600..=661).contains(&passed), "{passed}");
}

#[tokio::test(start_paused = true)]
async fn each_key_has_its_own_and_clones_share() {
    let layer = RateLimitLayer::new(requests(1, secs(60), 1), ByModel).unwrap();
    let service = layer.layer(Leaf::new([]));
    assert!(passes(&service, of("a")).await && passes(&service, of("b")).await);
    assert!(!passes(&service.clone(), of("a")).await);
    assert!(
        !passes(&layer.layer(Leaf::new([])), of("b")).await,
        "the layer's state, not the service's"
    );
    for _ in 0..5 {
        assert!(passes(&service, of("free")).await);
    }
    assert_eq!((layer.keys(), service.keys()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_include_their_streams() {
    let limits = Limits::new().concurrency(1).unwrap();
    let service = everyone(limits).layer(Leaf::new([]));
    let first = ask(&service, streamed()).await.unwrap();
    let error = refused(&service, streamed()).await;
    assert_eq!(
        (error.hint, error.summary.as_str()),
        (Some(secs(1)), "too many concurrent calls: retry in 1 s")
    );
    drop(first);
    assert!(passes(&service, streamed()).await);
    // Read to its end, it gives its place back before it is dropped.
    let mut ended = ask(&service, streamed()).await.unwrap().into_body();
    while ended.frame().await.is_some() {}
    assert!(passes(&service, streamed()).await);
    drop(ended);
}

#[tokio::test(start_paused = true)]
async fn waits_for_a_place_as_long_as_it_may() {
    let limits = Limits::new().concurrency(1).unwrap();
    let leaf = Leaf::new([Step::body([
        Beat::Frame(Stage::Content),
        Beat::Pause(secs(3)),
        Beat::Frame(Stage::Finish),
    ])]);
    let probe = leaf.probe();
    let service = everyone(limits).max_wait(secs(2)).layer(leaf);
    let first = ask(&service, streamed()).await.unwrap();
    let (error, took) = within(refused(&service, streamed())).await;
    assert_eq!((error.kind, took), (FailureKind::RateLimited, secs(2)));
    let mut waiting = task::spawn(service.clone().oneshot(streamed()));
    assert_pending!(waiting.poll());
    assert_eq!(probe.calls(), 1);
    drop(first);
    assert!(waiting.is_woken());
    assert!(assert_ready!(waiting.poll()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn dropped_while_it_waits_it_takes_nothing() {
    let limits = requests(60, secs(60), 1).concurrency(1).unwrap();
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = everyone(limits).max_wait(secs(60)).layer(leaf);
    assert!(passes(&service, streamed()).await);
    for _ in 0..50 {
        let mut waiting = task::spawn(service.clone().oneshot(streamed()));
        assert_pending!(waiting.poll());
    }
    let (passed, took) = within(passes(&service, streamed())).await;
    assert!(passed && took < millis(1101), "{took:?}");
    probe.assert_quiet();
}

/// 600 tokens a minute, 100 at once: ten a second.
fn tokens() -> Limits {
    Limits::new().tokens(rate(600, secs(60), 100))
}

#[tokio::test(start_paused = true)]
async fn tokens_are_counted_before_the_call() {
    let service = everyone(tokens()).layer(Leaf::new([Step::body([Beat::Frame(Stage::Content), Beat::Used(100)])]));
    assert!(passes(&service, sized(40, 60)).await);
    let error = refused(&service, sized(10, 10)).await;
    assert_eq!(error.hint, Some(secs(2)));
    assert!(
        error.summary.starts_with("over 600 tokens in 60 s"),
        "{}",
        error.summary
    );
    // Without `max_tokens` an answer is thought to take so many.
    for (thought, second) in [(40, true), (100, false)] {
        let leaf = Leaf::new([Step::body([Beat::Stall]), Step::ok()]);
        let guess = everyone(tokens()).answer_tokens(thought).layer(leaf);
        let _unread = ask(&guess, streamed()).await.unwrap();
        assert_eq!(passes(&guess, streamed()).await, second, "{thought}");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_are_trued_up_over_and_under() {
    let used = |tokens| Step::body([Beat::Frame(Stage::Content), Beat::Used(tokens)]);
    // Thought 100, used 30: seventy are left.
    let service = everyone(tokens()).layer(Leaf::new([used(30), used(70)]));
    assert!(passes(&service, sized(50, 50)).await && passes(&service, sized(0, 70)).await);
    assert!(!passes(&service, sized(0, 10)).await);
    // Thought 10, used 160: sixty are owed, and the next wait for them.
    let service = everyone(tokens()).layer(Leaf::new([used(160)]));
    assert!(passes(&service, sized(5, 5)).await);
    assert_eq!(refused(&service, sized(0, 1)).await.hint, Some(millis(6_100)));
    advance(millis(6_099)).await;
    assert!(!passes(&service, sized(0, 1)).await);
    advance(millis(1)).await;
    assert!(passes(&service, sized(0, 1)).await);
}

/// A count that overflowed, or zeros, are no count: what was seen is taken. One that is merely large is paid back within a day.
#[tokio::test(start_paused = true)]
async fn no_count_of_an_upstream_locks_a_limit_for_good_or_lifts_it() {
    let used = |tokens| Step::body([Beat::Frame(Stage::Content), Beat::Used(tokens)]);
    for (told, waits) in [(u64::MAX, 0), (1 << 32, 24 * 3_600), (0, 0)] {
        let service = everyone(tokens()).layer(Leaf::new([used(told), used(10), used(10)]));
        assert!(passes(&service, sized(50, 50)).await);
        advance(secs(waits)).await;
        assert_eq!(
            passes(&service, sized(0, 60)).await,
            waits > 0,
            "{told}: 51 of 100 were seen"
        );
        assert!(passes(&service, sized(0, 40)).await, "{told}");
    }
}

/// Usage that leaves the prompt out, or that came before the answer, takes no more off than it would off a bill.
#[tokio::test(start_paused = true)]
async fn a_limit_counts_by_the_rule_by_which_an_answer_is_paid() {
    let content = || Beat::Frame(Stage::Content);
    let told = |prompt, answer| Beat::Charged(Stage::Content, TokenUsage::new(prompt, answer));
    for (beats, used) in [
        (vec![content(), told(0, 20)], 60),
        (vec![told(30, 1), content(), content(), content()], 34),
        (vec![content(), told(30, 20)], 50),
        (vec![content(), told(0, 0)], 42),
    ] {
        let service = everyone(tokens()).layer(Leaf::new([Step::body(beats.clone()), Step::ok()]));
        assert!(passes(&service, sized(40, 60)).await);
        assert!(!passes(&service, sized(0, 101 - used)).await, "{beats:?}");
        assert!(passes(&service, sized(0, 100 - used)).await, "{beats:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_left_pays_for_what_was_seen() {
    let beats = [Beat::Frame(Stage::Content), Beat::Frame(Stage::Content), Beat::Stall];
    let service = everyone(tokens()).layer(Leaf::new([Step::body(beats), Step::ok()]));
    let mut left = ask(&service, sized(10, 90)).await.unwrap().into_body();
    left.frame().await.unwrap().unwrap();
    left.frame().await.unwrap().unwrap();
    assert!(!passes(&service, sized(0, 88)).await);
    drop(left);
    // Ten for the prompt and two frames: 88 of the hundred are free again.
    assert!(passes(&service, sized(0, 88)).await);
}

/// Its burst takes longer to refill than the longest debt.
#[tokio::test(start_paused = true)]
async fn a_burst_of_two_days_is_a_limit_all_the_same() {
    let limits = Limits::new().tokens(rate(100, secs(24 * 3_600), 200));
    let used = (0..300).map(|_| Step::body([Beat::Frame(Stage::Content), Beat::Used(1)]));
    let service = everyone(limits).layer(Leaf::new(used));
    let mut passed = 0;
    while passed < 300 && passes(&service, sized(0, 1)).await {
        passed += 1;
    }
    assert_eq!(passed, 200);
    assert_eq!(refused(&service, sized(0, 1)).await.hint, Some(secs(864)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_gives_its_tokens_back() {
    let service = everyone(tokens()).layer(Leaf::new([Step::fail(fails(FailureKind::Overloaded))]));
    assert_eq!(refused(&service, sized(50, 50)).await.kind, FailureKind::Overloaded);
    assert!(passes(&service, sized(50, 50)).await);
}

#[tokio::test(start_paused = true)]
async fn a_request_larger_than_the_burst_passes_and_the_next_pay() {
    let service = everyone(tokens()).layer(Leaf::new([Step::body([Beat::Used(400)])]));
    assert!(passes(&service, sized(100, 300)).await);
    advance(secs(10)).await;
    let error = refused(&service, sized(0, 1)).await;
    assert_eq!(
        error.hint,
        Some(millis(20_100)),
        "three hundred are owed, and a hundred are there"
    );
    advance(millis(20_099)).await;
    assert!(!passes(&service, sized(0, 1)).await);
    advance(millis(1)).await;
    assert!(passes(&service, sized(0, 1)).await);
}

/// Invariant 11.
#[tokio::test(start_paused = true)]
async fn a_flood_of_keys_leaves_its_memory_bounded() {
    let limits = requests(1, secs(60), 1);
    let layer = RateLimitLayer::new(limits, ByModel).unwrap().max_keys(1_000).unwrap();
    let service = layer.layer(Leaf::new([]));
    for key in 0..20_000 {
        assert!(passes(&service, of(&format!("tenant-{key}"))).await);
        assert!(layer.keys() <= 1_000);
    }
    assert!(layer.keys() > 500, "no more are forgotten than must: {}", layer.keys());
    assert!(
        !passes(&service, of("tenant-19999")).await,
        "the latest are still known"
    );
}

#[test]
fn limits_without_a_limit_are_refused() {
    assert_eq!(
        RateLimitLayer::new(Limits::new(), GlobalKey).unwrap_err(),
        LimitsError::NoLimit
    );
    let layer = everyone(requests(1, secs(1), 1));
    assert_eq!(layer.max_keys(0).unwrap_err(), LimitsError::ZeroKeys);
}
