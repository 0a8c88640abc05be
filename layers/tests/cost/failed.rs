//! Usage that comes with a failure itself, and not in a frame before it.

use tower_llm_layers::{FailureKind, TokenUsage, UsdAmount, ledger::EntryState};

use super::{recorded, to};
use crate::support::{Leaf, Step, TestError, ask, fails, usd};

#[tokio::test(start_paused = true)]
async fn usage_that_comes_with_a_failure_is_priced_like_that_of_a_frame() {
    for kind in [FailureKind::Upstream, FailureKind::Overloaded, FailureKind::BadRequest] {
        for (charged, promises, cost) in [
            (None, false, "0.05003"),
            (None, true, "0"),
            (Some("0"), false, "0"),
            (Some("0.01"), false, "0.01"),
            (Some("0.01"), true, "0.01"),
        ] {
            let mut usage = TokenUsage::new(50_000, 3);
            usage.charged = charged.map(usd);
            let error = TestError {
                is_uncharged: promises,
                usage: Some(Box::new(usage)),
                ..fails(kind)
            };
            let (service, kept) = recorded(Leaf::new([Step::fail(error)]));
            assert!(ask(&service, to("a")).await.is_err());
            let entry = kept.only();
            assert_eq!(
                (entry.cost(), entry.state),
                (usd(cost), EntryState::Settled),
                "{kind} {charged:?} {promises}"
            );
        }
        // Zeros say nothing.
        let error = TestError {
            usage: Some(Box::default()),
            ..fails(kind)
        };
        let (service, kept) = recorded(Leaf::new([Step::fail(error)]));
        assert!(ask(&service, to("a")).await.is_err());
        assert_eq!(kept.only().cost(), UsdAmount::ZERO);
    }
}
