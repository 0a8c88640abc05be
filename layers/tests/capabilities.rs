//! A setter of a request that does nothing is never reported as done.

use std::sync::Arc;

use http::Request;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    Budgeted, Call, FailureKind, LlmRequest, Needs, Outcome, Stage,
    attempt::AttemptLayer,
    budget::{Budget, Budgets},
    cost::CostLayer,
    fallback::{Chain, FallbackLayer, Hedge, RequestedModel},
    retry::RetryLayer,
};

use crate::support::{Beat, Kept, Leaf, Prices, Step, TestError, TestRequest, ask, chain, fails, secs, streamed};

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
) -> impl Service<Request<Fixed>, Response = http::Response<crate::support::ScriptBody>, Error = TestError, Future: Send>
+ Clone {
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

/// A request that is for one model, whatever is set.
#[derive(Debug, Clone)]
struct OfOneModel(TestRequest);

impl LlmRequest for OfOneModel {
    fn call(&self) -> &Call {
        &self.0.call
    }

    fn call_mut(&mut self) -> &mut Call {
        &mut self.0.call
    }

    fn model(&self) -> Option<&str> {
        self.0.model()
    }

    fn set_model(&mut self, _model: &str) {}

    fn needs(&self) -> Needs {
        self.0.needs()
    }
}

/// Calls along the chain for a request that is for `a` alone: which models were called, and how it ended.
async fn along(chain: Chain, leaf: Leaf, hedged: bool) -> (Vec<String>, Result<(), TestError>) {
    let probe = leaf.probe();
    let leaf = tower::ServiceBuilder::new()
        .map_request(|request: Request<OfOneModel>| request.map(|own| own.0))
        .service(leaf);
    let mut layer = FallbackLayer::new(chain);
    if hedged {
        layer = layer.hedge(Hedge::after(secs(1)).ratio(1.0));
    }
    let service = layer.layer(AttemptLayer::new().layer(leaf));
    let request = streamed().map(|mut body| {
        body.model = Some("a".to_owned());
        OfOneModel(body)
    });
    let result = service.oneshot(request).await.map(drop);
    probe.assert_quiet();
    (probe.models(), result)
}

#[tokio::test(start_paused = true)]
async fn a_request_that_keeps_its_model_is_sent_to_no_candidate_of_another() {
    let failing = Leaf::new([]).on("a", [Step::fail(fails(FailureKind::Upstream))]);
    let (models, result) = along(chain(["a", "b", "c"]), failing, false).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind, models), (FailureKind::Upstream, vec!["a".to_owned()]));
    let skipped: Vec<_> = error
        .log()
        .attempts()
        .into_iter()
        .filter(|line| line.outcome == Outcome::Skipped)
        .collect();
    assert_eq!(skipped.len(), 2, "{}", error.log());
    for line in skipped {
        assert!(
            line.summary
                .as_deref()
                .unwrap_or_default()
                .contains("LlmRequest::set_model"),
            "{line}"
        );
    }
    // Nor first, nor as a hedge.
    let elsewhere = chain(["b", "c"]).requested_model(RequestedModel::Ignored);
    let (models, result) = along(elsewhere, Leaf::new([]), false).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind, models.len()), (FailureKind::NoEndpoint, 0));
    assert!(error.summary.contains("keeps its model a"), "{}", error.summary);
    let slow = Leaf::new([]).on(
        "a",
        [Step::Answer(
            secs(5),
            vec![Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)],
        )],
    );
    let (models, result) = along(chain(["a", "b"]), slow, true).await;
    result.unwrap();
    assert_eq!(models, ["a"]);
}
