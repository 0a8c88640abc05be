//! Rate limits counted in a store that others share: here one that answers as scripted, in virtual time.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::BodyExt;
use tokio::time::sleep;
use tokio_test::{assert_pending, task};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_llm_layers::{
    FailureKind, GlobalKey, Stage,
    attempt::AttemptLayer,
    budget::{Budget, Budgets},
    cost::CostLayer,
    fallback::FallbackLayer,
    rate_limit::{Admitting, LimitStore, LimitWait, Limits, Rate, RateLimitLayer, RateLimitPermit, WaitReason},
    retry::RetryLayer,
};

use crate::support::{Beat, Leaf, Prices, Step, ask, chain, fails, millis, read, secs, streamed, within};

/// Answers as scripted, each after some time; then lets pass at once.
#[derive(Debug, Clone, Default)]
struct Told(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    answers: VecDeque<(Duration, Option<LimitWait>)>,
    asked: Vec<(String, u64)>,
    /// What ended, and with how many tokens; nothing if it was dropped.
    ended: Vec<Option<u64>>,
    not_sent: usize,
    given_up: usize,
}

impl Told {
    fn new<const N: usize>(answers: [(Duration, Option<LimitWait>); N]) -> Self {
        let answers = answers.into();
        Self(Arc::new(Mutex::new(Script {
            answers,
            ..Script::default()
        })))
    }

    fn with<T>(&self, see: impl FnOnce(&mut Script) -> T) -> T {
        see(&mut self.0.lock().unwrap())
    }

    fn layer(&self) -> RateLimitLayer<GlobalKey> {
        let limits = Limits::new().tokens(Rate::new(600, secs(60)).unwrap());
        RateLimitLayer::new(limits, GlobalKey)
            .unwrap()
            .store(Arc::new(self.clone()))
    }
}

/// Counts a question whose caller has left.
struct Asking(Told, bool);

impl Drop for Asking {
    fn drop(&mut self) {
        if !self.1 {
            self.0.with(|script| script.given_up += 1);
        }
    }
}

impl LimitStore for Told {
    fn admit(&self, key: &Arc<str>, limits: &Limits, tokens: u64) -> Admitting {
        assert!(limits.tokens.is_some());
        let (told, key) = (self.clone(), key.to_string());
        Box::pin(async move {
            let mut asking = Asking(told.clone(), false);
            let (wait, full) = told.with(|script| {
                script.asked.push((key, tokens));
                script.answers.pop_front().unwrap_or_default()
            });
            sleep(wait).await;
            asking.1 = true;
            match full {
                Some(full) => Err(full),
                None => Ok(Box::new(Passed(told, false)) as Box<dyn RateLimitPermit>),
            }
        })
    }
}

#[derive(Debug)]
struct Passed(Told, bool);

impl RateLimitPermit for Passed {
    fn used(mut self: Box<Self>, tokens: u64) {
        self.1 = true;
        self.0.with(|script| script.ended.push(Some(tokens)));
    }

    fn not_sent(mut self: Box<Self>) {
        self.1 = true;
        self.0.with(|script| script.not_sent += 1);
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        if !self.1 {
            self.0.with(|script| script.ended.push(None));
        }
    }
}

/// Lets everything pass at once.
#[derive(Debug)]
pub(crate) struct Open;

impl LimitStore for Open {
    fn admit(&self, _: &Arc<str>, _: &Limits, _: u64) -> Admitting {
        let passed = Passed(Told::default(), false);
        Box::pin(std::future::ready(Ok(Box::new(passed) as Box<dyn RateLimitPermit>)))
    }
}

fn full(wait: Duration) -> Option<LimitWait> {
    let reason = WaitReason::Rate {
        amount: 600,
        unit: "tokens",
        per: secs(60),
    };
    let used = None;
    Some(LimitWait::new(wait, reason, used))
}

#[tokio::test(start_paused = true)]
async fn it_asks_for_what_the_call_may_take_and_tells_what_it_took() {
    let store = Told::new([(millis(3), None)]);
    let beats = [Beat::Frame(Stage::Content), Beat::Used(70)];
    let service = store.layer().layer(Leaf::new([
        Step::body(beats),
        Step::fail(fails(FailureKind::Overloaded)),
    ]));
    let mut request = streamed();
    request.body_mut().needs.prompt_tokens = 40;
    request.body_mut().max_tokens = Some(60);
    let (answer, took) = within(ask(&service, request)).await;
    assert_eq!(took, millis(3));
    assert_eq!(
        store.with(|script| script.asked.clone()),
        [(GlobalKey::KEY.to_owned(), 100)]
    );
    assert_eq!(store.with(|script| script.ended.clone()), [], "not before its end");
    read(answer.unwrap().into_body()).await;
    assert_eq!(store.with(|script| script.ended.clone()), [Some(70)]);
    assert!(ask(&service, streamed()).await.is_err());
    assert_eq!(
        store.with(|script| script.ended.pop()),
        Some(Some(0)),
        "a failure has taken none"
    );
}

#[tokio::test(start_paused = true)]
async fn its_refusals_say_what_is_in_the_way() {
    let down = "no answer in 250ms".to_owned();
    let store = Told::new([
        (millis(1), full(millis(700))),
        (
            millis(1),
            Some(LimitWait::new(millis(100), WaitReason::Concurrency, None)),
        ),
        (
            millis(1),
            Some(LimitWait::new(millis(100), WaitReason::StoreDown { cause: down }, None)),
        ),
    ]);
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = store.layer().layer(leaf);
    let limited = FailureKind::RateLimited;
    for (summary, hint, kind) in [
        ("over 600 tokens in 60 s: retry in 0.7 s", Some(millis(700)), limited),
        ("too many concurrent calls: retry in 1 s", Some(secs(1)), limited),
        (
            "the store of the limits does not answer (no answer in 250ms), so nothing is let through; it is probed again within 1 s: restore \
             it, or let calls pass uncounted",
            Some(secs(1)),
            FailureKind::StoreUnavailable,
        ),
    ] {
        let error = ask(&service, streamed()).await.expect_err(summary);
        assert_eq!((error.summary.as_str(), error.hint), (summary, hint));
        assert_eq!(error.kind, kind);
    }
    assert_eq!(probe.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_waits_as_long_as_it_must_and_asks_again() {
    let store = Told::new([(millis(5), full(secs(2))), (millis(5), full(secs(1)))]);
    let service = store.layer().max_wait(secs(9)).layer(Leaf::new([]));
    let (answer, took) = within(ask(&service, streamed())).await;
    assert!(answer.is_ok());
    assert!(took >= millis(3_010) && took <= millis(3_311), "{took:?}");
    assert_eq!(store.with(|script| script.asked.len()), 3);
    // It has no time for the second wait.
    store.with(|script| {
        script
            .answers
            .extend([(millis(5), full(secs(2))), (millis(5), full(secs(2)))]);
    });
    let hurried = store.layer().max_wait(secs(3)).layer(Leaf::new([]));
    let (refused, took) = within(ask(&hurried, streamed())).await;
    assert!(refused.is_err() && took < secs(3), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_ends_its_question_or_its_lease() {
    let store = Told::new([(secs(1), None)]);
    let leaf = Leaf::new([Step::body([Beat::Frame(Stage::Content), Beat::Stall])]);
    let probe = leaf.probe();
    let service = store.layer().layer(leaf);
    let mut asking = task::spawn(service.clone().oneshot(streamed()));
    assert_pending!(asking.poll());
    assert_eq!(store.with(|script| script.given_up), 0);
    drop(asking);
    assert_eq!((store.with(|script| script.given_up), probe.calls()), (1, 0));
    let mut left = ask(&service, streamed()).await.unwrap().into_body();
    left.frame().await.unwrap().unwrap();
    drop(left);
    assert_eq!(store.with(|script| script.ended.clone()), [Some(1)], "what was seen");
    probe.assert_quiet();
}

/// The store learns that an attempt was refused within, so that its request goes back, too.
#[tokio::test(start_paused = true)]
async fn it_tells_what_was_never_sent() {
    let store = Told::new([]);
    let budgets = Budgets::new([Budget::usd("all", "0.00001").unwrap()]).unwrap();
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(["a"])))
        .layer(RetryLayer::new())
        .layer(store.layer())
        .layer(AttemptLayer::new())
        .layer(CostLayer::new().prices(Arc::new(Prices)).budgets(budgets))
        .service(Leaf::new([]));
    let error = ask(&service, streamed()).await.err().unwrap();
    assert_eq!(error.kind, FailureKind::BudgetExceeded);
    let (passed, not_sent, ended) = store.with(|script| (script.asked.len(), script.not_sent, script.ended.len()));
    assert!(passed > 0);
    assert_eq!((not_sent, ended), (passed, 0));
}
