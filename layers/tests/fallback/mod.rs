//! The chain of candidates.

mod cheaper;
mod context;
mod hedge;
mod hedge_failures;
mod held_back;
mod local;
mod route;
mod shortened;

use std::{collections::HashMap, sync::Arc};

use tower::Layer;
use tower_llm_layers::{
    Candidate, Capability, FailureKind, FailureScope, MediaKinds, Outcome, Phase,
    attempt::AttemptLayer,
    fallback::{Capabilities, Chain, FallbackLayer},
};

use crate::support::{Leaf, Probe, Step, TestError, ask, candidate, chain, fails, plain, streamed};

struct Catalogue(HashMap<&'static str, Capability>);

impl Capabilities for Catalogue {
    fn capability(&self, candidate: &Candidate) -> Option<Capability> {
        self.0.get(candidate.model()).copied()
    }
}

fn able(change: impl FnOnce(&mut Capability)) -> Capability {
    let mut capability = Capability::default();
    change(&mut capability);
    capability
}

/// Calls along the chain; only `first` fails, with this error.
async fn run(chain: Chain, error: TestError) -> (Result<(), TestError>, Probe) {
    let leaf = Leaf::new([Step::fail(error)]);
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain).layer(AttemptLayer::new().layer(leaf));
    let result = ask(&service, streamed()).await.map(drop);
    probe.assert_quiet();
    (result, probe)
}

#[tokio::test(start_paused = true)]
async fn walks_the_chain_in_order_and_returns_the_last_failure() {
    let leaf = Leaf::new([])
        .on("a", [Step::fail(fails(FailureKind::Upstream))])
        .on("b", [Step::fail(fails(FailureKind::EmptyResponse))])
        .on("c", [Step::fail(fails(FailureKind::Malformed))]);
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["a", "b", "c"])).layer(leaf);
    let error = ask(&service, streamed()).await.unwrap_err();
    assert_eq!((error.kind, error.marks.is_exhausted()), (FailureKind::Malformed, true));
    assert_eq!(probe.models(), ["a", "b", "c"]);
    let flags: Vec<_> = probe.seen().iter().map(|seen| (seen.is_last, seen.is_alone)).collect();
    assert_eq!(flags, [(false, false), (false, false), (true, false)]);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn what_another_cannot_help_stays() {
    for kind in [
        FailureKind::BadRequest,
        FailureKind::Cancelled,
        FailureKind::Internal,
        FailureKind::Truncated,
        FailureKind::Timeout(Phase::Idle),
        FailureKind::Timeout(Phase::Deadline),
    ] {
        let (result, probe) = run(chain(["a", "b"]), fails(kind)).await;
        assert_eq!((result.unwrap_err().kind, probe.calls()), (kind, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_falls_back_only_if_the_route_allows_it() {
    for (moves, models) in [(false, vec!["a"]), (true, vec!["a", "b"])] {
        let chain = chain(["a", "b"]).fallback_on_refusal(moves);
        let (_, probe) = run(chain, fails(FailureKind::ContentFiltered)).await;
        assert_eq!(probe.models(), models);
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_gone_is_gone_for_its_pool() {
    let gone = fails(FailureKind::QuotaExhausted);
    let (_, probe) = run(chain(["a:free", "b:free", "c"]), gone.clone()).await;
    assert_eq!(probe.models(), ["a:free", "c"]);
    // So is that of a model which the request names itself.
    let mut own = streamed();
    own.body_mut().model = Some("own:free".into());
    let leaf = Leaf::new(std::iter::repeat_n(Step::fail(gone.clone()), 3));
    let probe = leaf.probe();
    let service = FallbackLayer::new(chain(["a:free", "c"])).layer(leaf);
    assert!(ask(&service, own).await.is_err());
    assert_eq!(probe.models(), ["own:free", "c"]);
    let shared = ["a", "b"].map(|name| candidate(name).with_pool("team"));
    let [first, second] = shared;
    let third = candidate("other/c");
    let chain = Chain::new([first, second, third]).unwrap();
    let (_, probe) = run(chain.clone(), gone).await;
    assert_eq!(probe.models(), ["a", "c"]);
    let throttled = fails(FailureKind::RateLimited).scope(FailureScope::Pool);
    assert_eq!(run(chain, throttled).await.1.models(), ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_key_rules_out_its_upstream_while_no_other_key_is_left() {
    let names = ["a", "b", "direct/c"];
    let rejected = fails(FailureKind::Auth);
    assert_eq!(run(chain(names), rejected.clone()).await.1.models(), ["a", "c"]);
    let wide = fails(FailureKind::RateLimited).scope(FailureScope::Upstream);
    assert_eq!(run(chain(names), wide.clone()).await.1.models(), ["a", "c"]);
    for mut error in [rejected, wide] {
        error.marks.set_other_key(true);
        assert_eq!(run(chain(names), error).await.1.models(), ["a", "b"]);
    }
    let (result, _) = run(chain(["a", "b"]), fails(FailureKind::Auth)).await;
    let log = result.unwrap_err().log().attempts();
    assert_eq!(log[1].outcome, Outcome::Skipped);
    assert_eq!(log[1].summary.as_deref(), Some("router takes the same key"));
}

#[tokio::test(start_paused = true)]
async fn too_long_goes_to_a_larger_context_and_too_expensive_to_a_cheaper_one() {
    let of = |context, price| {
        able(|able| {
            able.context_length = Some(context);
            able.price = Some(price);
        })
    };
    let known = [("a", of(100, 5)), ("b", of(100, 5)), ("c", of(200, 4))];
    let catalogue = Arc::new(Catalogue(known.into()));
    let chain = chain(["a", "b", "c"]).capabilities(catalogue);
    for kind in [FailureKind::ContextLengthExceeded, FailureKind::InsufficientFunds] {
        let (result, probe) = run(chain.clone(), fails(kind)).await;
        result.unwrap();
        assert_eq!(probe.models(), ["a", "c"], "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_take_it_is_passed_over_unsent() {
    let blind = able(|able| able.input = Some(MediaKinds::default()));
    let catalogue = Arc::new(Catalogue([("a", blind), ("c", blind)].into()));
    let mut request = plain();
    request.body_mut().needs.input = MediaKinds::IMAGE;
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let layer = FallbackLayer::new(chain(["a", "b"]).capabilities(catalogue.clone()));
    ask(&layer.layer(leaf.clone()), request.clone()).await.unwrap();
    assert_eq!(probe.models(), ["b"]);
    assert!(probe.seen()[0].is_alone);
    let layer = FallbackLayer::new(chain(["a", "c"]).capabilities(catalogue));
    let error = ask(&layer.layer(leaf), request).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::NoEndpoint);
    assert!(error.summary.contains("a: it does not take"), "{}", error.summary);
    assert_eq!((error.log().sent(), error.log().attempts().len()), (0, 2));
    assert_eq!(probe.calls(), 1);
}

async fn asking(chain: Chain, model: Option<&str>) -> Result<Vec<String>, TestError> {
    let leaf = Leaf::new([Step::fail(fails(FailureKind::Upstream))]);
    let probe = leaf.probe();
    let mut request = streamed();
    request.body_mut().model = model.map(str::to_owned);
    ask(&FallbackLayer::new(chain).layer(leaf), request).await?;
    Ok(probe.models())
}
