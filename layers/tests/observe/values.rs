//! Dashboards and alerts filter by these values: a change must be on purpose.

use std::collections::BTreeSet;

use tower::{Service, ServiceExt};
use tower_llm_layers::{FailureKind, observe::names as n};

use super::{Stack, answer, stream};
use crate::support::{Leaf, Step, ask, chain, fails, log, read};

/// Every kind of failure: `error.type` is its name.
#[test]
fn every_value_of_the_error_type() {
    assert_eq!(
        FailureKind::ALL.map(FailureKind::as_str),
        [
            "connect",
            "reset",
            "timeout_first_token",
            "timeout_response",
            "timeout_idle",
            "timeout_throughput",
            "timeout_deadline",
            "truncated",
            "rate_limited",
            "quota_exhausted",
            "overloaded",
            "circuit_open",
            "concurrency_limited",
            "upstream",
            "empty_response",
            "malformed",
            "nonconformant",
            "no_endpoint",
            "context_length_exceeded",
            "content_filtered",
            "insufficient_funds",
            "budget_exceeded",
            "rejected_by_provider",
            "store_unavailable",
            "auth",
            "bad_request",
            "cancelled",
            "internal",
        ]
    );
}

/// The values of this field in all spans so far.
fn values(name: &str) -> Vec<String> {
    let spans = log::spans().into_iter();
    let all: BTreeSet<String> = spans.filter_map(|span| span.fields.get(name).cloned()).collect();
    all.into_iter().collect()
}

#[tokio::test(start_paused = true)]
async fn every_value_of_the_outcome_and_the_operation() {
    log::listen();
    let well = Stack::of(chain(["a"])).over(Leaf::new([Step::body(answer())]));
    read(ask(&well, stream("a")).await.unwrap().into_body()).await;
    assert_eq!(values(n::OUTCOME), ["answered"]);
    assert_eq!(values(n::ERROR_TYPE), Vec::<String>::new());

    let refused = Step::fail(fails(FailureKind::BadRequest));
    let refusing = Stack::of(chain(["a"])).over(Leaf::new([refused]));
    assert!(ask(&refusing, stream("a")).await.is_err());
    assert_eq!(values(n::OUTCOME), ["answered", "failed"]);

    let mut canned = Stack::of(chain(["a"]));
    canned.canned = true;
    let canned = canned.over(Leaf::new([]).always("a", Step::fail(fails(FailureKind::Overloaded))));
    read(ask(&canned, stream("a")).await.unwrap().into_body()).await;
    assert_eq!(values(n::OUTCOME), ["answered", "degraded", "failed"]);

    // The caller leaves before the attempt that was begun is sent.
    let mut left = Stack::of(chain(["a"])).over(Leaf::new([]));
    drop(left.ready().await.unwrap().call(stream("a")));
    assert_eq!(
        values(n::OUTCOME),
        ["answered", "cancelled", "degraded", "failed", "not_sent"]
    );
    assert_eq!(values(n::ERROR_TYPE), ["bad_request", "cancelled", "overloaded"]);
    assert_eq!(
        values(n::OPERATION),
        ["chat"],
        "embeddings: see `tests/opentelemetry.rs`"
    );
}
