//! A setter of a request that does nothing is never reported as done.

use std::sync::Arc;

use http::Request;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    Budgeted, Call, FailureKind, LlmRequest, Needs, Outcome,
    attempt::AttemptLayer,
    budget::{Budget, Budgets},
    cost::CostLayer,
    retry::RetryLayer,
};

use crate::support::{Kept, Leaf, Prices, Step, TestRequest, ask, fails, streamed};

/// A request that cannot say how long its answer may be.
#[derive(Debug, Clone)]
struct Fixed(TestRequest);

impl LlmRequest for Fixed {
    fn call(&self) -> &Call {
        &self.0.call
    }

    fn call_mut(&mut self) -> &mut Call {
        &mut self.0.call
    }

    fn model(&self) -> Option<&str> {
        self.0.model()
    }

    fn set_model(&mut self, model: &str) {
        self.0.set_model(model);
    }

    fn needs(&self) -> Needs {
        self.0.needs()
    }

    fn max_tokens(&self) -> Option<u64> {
        Some(500)
    }
}

impl Budgeted for Fixed {
    fn set_max_tokens(&mut self, _tokens: u64) -> bool {
        false
    }
}

/// Sends it on as a request that the inner service takes.
fn over(
    leaf: Leaf,
) -> impl Service<
    Request<Fixed>,
    Response = http::Response<crate::support::ScriptBody>,
    Error = crate::support::TestError,
    Future: Send,
> + Clone {
    tower::ServiceBuilder::new()
        .map_request(|request: Request<Fixed>| request.map(|fixed| fixed.0))
        .service(leaf)
}

fn request() -> Request<Fixed> {
    streamed().map(|mut body| {
        body.model = Some("a".to_owned());
        body.needs.prompt_tokens = 100;
        body.needs.most_prompt_tokens = 100;
        Fixed(body)
    })
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_shortened_is_refused_and_not_reported_as_shortened() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let budgets = Budgets::new([Budget::usd("all", "0.003").unwrap()]).unwrap();
    let cost = CostLayer::new()
        .prices(Arc::new(Prices))
        .budgets(budgets)
        .ledger(Kept::new());
    let service = AttemptLayer::new().layer(cost.layer(over(leaf)));
    let error = service.oneshot(request()).await.err().unwrap();
    assert_eq!((error.kind, probe.calls()), (FailureKind::BudgetExceeded, 0));
    let line = &error.log().attempts()[0];
    assert!(!line.is_sent && line.note.is_none(), "{line}");
    assert!(error.summary.contains("Budgeted::set_max_tokens"), "{}", error.summary);
}

#[tokio::test(start_paused = true)]
async fn without_a_way_to_shorten_it_no_retry_with_fewer_tokens_is_made() {
    let leaf = Leaf::new([Step::fail(fails(FailureKind::InsufficientFunds).affordable(400))]);
    let probe = leaf.probe();
    let service = RetryLayer::new().layer(AttemptLayer::new().layer(over(leaf)));
    let error = service.oneshot(request()).await.err().unwrap();
    assert_eq!((error.kind, probe.calls()), (FailureKind::InsufficientFunds, 1));
    let line = &error.log().attempts()[0];
    assert_eq!(line.outcome, Outcome::Failed(FailureKind::InsufficientFunds));
    assert!(
        line.note.as_deref().is_some_and(|note| note.contains("shorter answer")),
        "{line}"
    );
}

/// An error of a user's own service without a status was sent all the same, and counts.
#[tokio::test(start_paused = true)]
async fn a_failure_without_a_status_counts_as_sent() {
    for kind in [
        FailureKind::NoEndpoint,
        FailureKind::Auth,
        FailureKind::ConcurrencyLimited,
    ] {
        let service = AttemptLayer::new().layer(Leaf::new([Step::fail(fails(kind))]));
        let error = ask(&service, streamed()).await.unwrap_err();
        assert_eq!(error.log().sent(), 1, "{kind}");
    }
}
