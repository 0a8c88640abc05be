//! What the `metrics` facade records.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tower::{Layer, ServiceBuilder};
use tower_llm_layers::{
    AttemptLog, FailureKind, GlobalKey, Phase, Stage, Tags,
    adaptive_concurrency::{AdaptiveConcurrencyLayer, ConcurrencyPolicy},
    attempt::AttemptLayer,
    fallback::{FallbackLayer, Hedge},
    first_token::FirstTokenLayer,
    observe::{METRICS, ObserveLayer, describe, names as n},
    rate_limit::RateLimitLayer,
};

use super::{Stack, answer, attempts, fields, recorder::record, stream, whole};
use crate::{
    rate_limit::requests,
    support::{Beat, Leaf, Step, ask, chain, fails, log, millis, read, secs, streamed},
};

const ALL: &str = "";

#[tokio::test(start_paused = true)]
async fn a_streamed_answer_once_as_an_operation_and_once_as_an_attempt() {
    let recorded = record();
    let stack = Stack::of(chain(["gpt-5"])).over(Leaf::new([Step::body(answer())]));
    let response = ask(&stack, stream("gpt-5")).await.unwrap();
    assert_eq!(
        recorded.lines(ALL),
        ["llm.operations.active{gen_ai.operation.name=chat} [1.0]"]
    );
    read(response.into_body()).await;
    let operation = "gen_ai.operation.name=chat,gen_ai.provider.name=router,gen_ai.request.model=gpt-5,\
                     gen_ai.response.model=the-model-2026";
    let attempt = "gen_ai.operation.name=chat,gen_ai.provider.name=router,gen_ai.request.model=gpt-5";
    let expected = [
        format!("gen_ai.client.inference.duration{{{operation}}} [4.0]"),
        format!("gen_ai.client.inference.operation.input_tokens{{{operation}}} [100.0]"),
        format!("gen_ai.client.inference.operation.output_tokens{{{operation}}} [20.0]"),
        format!("gen_ai.client.inference.time_per_output_chunk{{{operation}}} [1.0, 1.0]"),
        format!("gen_ai.client.inference.time_to_first_chunk{{{operation}}} [2.0]"),
        format!("gen_ai.client.inference.usage.input_tokens{{{operation},gen_ai.token.modality=unknown}} [100.0]"),
        format!("gen_ai.client.inference.usage.output_tokens{{{operation},gen_ai.token.modality=unknown}} [20.0]"),
        format!("llm.attempt.duration{{{attempt}}} [4.0]"),
        format!("llm.attempt.time_to_first_token{{{attempt}}} [2.0]"),
        format!("llm.attempt.usage.input_tokens{{{attempt}}} [100.0]"),
        format!("llm.attempt.usage.output_tokens{{{attempt}}} [20.0]"),
        format!("llm.attempts{{{attempt},llm.outcome=answered}} [1.0]"),
        format!("llm.operation.attempts{{{operation}}} [1.0]"),
        format!("llm.operation.cost_wasted{{{operation}}} [0.0]"),
        format!("llm.operation.cost{{{operation}}} [0.25]"),
        // One less since the last look.
        "llm.operations.active{gen_ai.operation.name=chat} [-1.0]".to_owned(),
        format!("llm.operations{{{operation},llm.outcome=answered}} [1.0]"),
    ];
    assert_eq!(recorded.lines(ALL), expected);
}

#[tokio::test(start_paused = true)]
async fn retries_and_fallbacks_are_one_operation_and_four_attempts() {
    let recorded = record();
    let overloaded = || Step::Fail(millis(500), fails(FailureKind::Overloaded));
    let leaf = Leaf::new([])
        .on("a", [overloaded(), overloaded()])
        .on("b", [overloaded(), Step::body(answer())]);
    let stack = Stack::of(chain(["a", "b"])).over(leaf);
    read(ask(&stack, stream("a")).await.unwrap().into_body()).await;
    let told = recorded.take();
    let sum = |name: &str| {
        let series = told.iter().filter(|(key, _)| key.split('{').next() == Some(name));
        series.flat_map(|(_, series)| series.values.clone()).sum::<f64>()
    };
    let count = |name: &str| {
        let series = told.iter().filter(|(key, _)| key.split('{').next() == Some(name));
        series.map(|(_, series)| series.values.len()).sum::<usize>()
    };
    assert_eq!((sum(n::OPERATIONS), count(n::INFERENCE_DURATION)), (1.0, 1));
    assert_eq!((sum(n::ATTEMPTS_ENDED), count(n::ATTEMPT_DURATION)), (4.0, 4));
    assert_eq!((sum(n::RETRIES), sum(n::FALLBACKS)), (2.0, 1.0));
    let amplification = (sum(n::OPERATION_ATTEMPTS), count(n::OPERATION_ATTEMPTS));
    assert_eq!(amplification, (4.0, 1));
    let failed = "llm.attempts{error.type=overloaded,gen_ai.operation.name=chat,gen_ai.provider.name=router,\
                  gen_ai.request.model=a,llm.outcome=failed}";
    assert_eq!(told[failed].values, [2.0]);
}

#[tokio::test(start_paused = true)]
async fn failed_left_and_degraded_ones_by_their_outcome() {
    let recorded = record();
    let leaf = || {
        Leaf::new([Step::Fail(millis(500), fails(FailureKind::ContentFiltered))])
            .always("b", Step::body([Beat::Frame(Stage::Content), Beat::Stall]))
            .always("c", Step::fail(fails(FailureKind::Overloaded)))
    };
    let stack = |model| Stack::of(chain([model]));
    assert!(ask(&stack("a").over(leaf()), whole("a")).await.is_err());
    drop(ask(&stack("b").over(leaf()), stream("b")).await.unwrap());
    let mut canned = stack("c");
    canned.canned = true;
    read(ask(&canned.over(leaf()), stream("c")).await.unwrap().into_body()).await;
    let told = recorded.take();
    let told: Vec<&str> = told
        .keys()
        .filter(|name| name.starts_with("llm.operations{") || name.starts_with("llm.operation.degraded"))
        .map(String::as_str)
        .collect();
    let base = "gen_ai.operation.name=chat,gen_ai.provider.name=router";
    assert_eq!(
        told,
        [
            format!(
                "llm.operation.degraded{{{base},gen_ai.request.model=c,llm.degraded.reason=overloaded,\
                 llm.degraded.source=canned_reply}}"
            ),
            format!("llm.operations{{error.type=cancelled,{base},gen_ai.request.model=b,llm.outcome=cancelled}}"),
            format!(
                "llm.operations{{error.type=content_filtered,{base},gen_ai.request.model=a,llm.fault=caller,llm.outcome=failed}}"
            ),
            format!("llm.operations{{{base},gen_ai.request.model=c,llm.outcome=degraded}}"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_models_than_two_hundred_are_distinguished() {
    let recorded = record();
    let service = ObserveLayer::new().layer(Leaf::new([]));
    for number in 0..300 {
        let response = ask(&service, stream(&format!("model-{number}"))).await.unwrap();
        read(response.into_body()).await;
    }
    let told = recorded.take();
    let series = || told.iter().filter(|(name, _)| name.starts_with("llm.operations{"));
    assert_eq!(series().count(), 201);
    let (_, other) = series().find(|(name, _)| name.contains("model=other")).unwrap();
    assert_eq!(other.values, [100.0]);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_no_model_takes_no_place() {
    let recorded = record();
    let leaf = Leaf::new([Step::fail(fails(FailureKind::NoEndpoint)), Step::ok()]);
    let service = ObserveLayer::new().layer(leaf);
    assert!(ask(&service, stream("gtp-5")).await.is_err());
    read(ask(&service, stream("gpt-5")).await.unwrap().into_body()).await;
    let told = recorded.lines("llm.operations{");
    assert_eq!(
        told,
        [
            "llm.operations{error.type=no_endpoint,gen_ai.operation.name=chat,gen_ai.request.model=other,llm.fault=service,llm.outcome=failed} [1.0]",
            "llm.operations{gen_ai.operation.name=chat,gen_ai.request.model=gpt-5,llm.outcome=answered} [1.0]",
        ]
    );
}

/// A fuzzer's names are refused by a limit, left, or answered by another model: nothing says that they exist.
#[tokio::test(start_paused = true)]
async fn a_name_that_was_only_refused_left_or_replaced_takes_no_place() {
    let recorded = record();
    let overloaded = Step::fail(fails(FailureKind::Overloaded));
    let mut leaf = Leaf::new([]).on("new/slow", [overloaded]);
    for number in 0..300 {
        let step = match number % 2 {
            0 => Step::fail(fails(FailureKind::NoEndpoint)),
            _ => Step::body([Beat::Stall]),
        };
        leaf = leaf.on(&format!("typo/{number}"), [step]);
    }
    let service = ServiceBuilder::new()
        .layer(ObserveLayer::new())
        .layer(RateLimitLayer::new(requests(1, secs(1), 200), GlobalKey).unwrap())
        .layer(FallbackLayer::new(chain(["known"])))
        .layer(AttemptLayer::new())
        .layer(FirstTokenLayer::new())
        .service(leaf);
    for number in 0..300 {
        let asked = ask(&service, stream(&format!("typo/{number}")));
        if let Ok(Ok(response)) = timeout(Duration::from_millis(1), asked).await {
            read(response.into_body()).await;
        }
    }
    sleep(secs(3)).await;
    read(ask(&service, stream("new/slow")).await.unwrap().into_body()).await;
    read(ask(&service, stream("new/well")).await.unwrap().into_body()).await;
    let told = recorded.take();
    let models: std::collections::BTreeSet<&str> = told
        .keys()
        .filter(|name| name.starts_with("llm.operations{"))
        .filter_map(|name| name.split("gen_ai.request.model=").nth(1)?.split([',', '}']).next())
        .collect();
    assert_eq!(
        models.into_iter().collect::<Vec<_>>(),
        ["new/slow", "new/well", "other"]
    );
}

/// An alert on the service must not fire for what callers cause.
#[tokio::test(start_paused = true)]
async fn a_failure_says_whether_the_caller_or_the_service_caused_it() {
    let limit = || RateLimitLayer::new(requests(1, secs(60), 1), GlobalKey).unwrap();
    let late = || fails(FailureKind::Timeout(Phase::Response));
    let (mut shared_budget, mut own_timeout) = (fails(FailureKind::BudgetExceeded), late());
    shared_budget.marks.set_shared_budget();
    own_timeout.marks.set_own_timeout();
    for (error, fault) in [
        (fails(FailureKind::BadRequest), "caller"),
        (fails(FailureKind::BudgetExceeded), "caller"),
        (shared_budget, "service"),
        (fails(FailureKind::ContextLengthExceeded), "caller"),
        (own_timeout, "caller"),
        (late(), "service"),
        (fails(FailureKind::RateLimited), "service"),
        (fails(FailureKind::Overloaded), "service"),
    ] {
        let kind = error.kind;
        let recorded = record();
        let service = ServiceBuilder::new()
            .layer(ObserveLayer::new())
            .layer(limit())
            .layer(FallbackLayer::new(chain(["a"])))
            .layer(AttemptLayer::new())
            .service(Leaf::new([Step::fail(error)]));
        assert!(ask(&service, stream("a")).await.is_err());
        let fault = format!("llm.fault={fault}");
        let told = recorded.lines("llm.operations{");
        assert!(matches!(&told[..], [line] if line.contains(&fault)), "{kind}: {told:?}");
        // The second one is over the limit of the caller's own.
        assert!(ask(&service, stream("a")).await.is_err());
        let told = recorded.lines("llm.operations{error.type=rate_limited");
        assert!(
            matches!(&told[..], [line] if line.contains("llm.fault=caller")),
            "{told:?}"
        );
    }
    // A limit of the candidate's is no caller's.
    let recorded = record();
    let service = ServiceBuilder::new()
        .layer(ObserveLayer::new())
        .layer(FallbackLayer::new(chain(["a"])))
        .layer(limit())
        .layer(AttemptLayer::new())
        .service(Leaf::new([]));
    read(ask(&service, stream("a")).await.unwrap().into_body()).await;
    assert!(ask(&service, stream("a")).await.is_err());
    let told = recorded.lines("llm.operations{error.type=rate_limited");
    assert!(
        matches!(&told[..], [line] if line.contains("llm.fault=service")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn tags_are_labels_only_if_they_are_named() {
    let recorded = record();
    let service = ObserveLayer::new().tags(["user"]).tags(["team"]).layer(Leaf::new([]));
    let mut request = stream("a");
    let tags = Tags::new([("team", "search"), ("user", "u-1")]).unwrap();
    request.body_mut().call.set_tags(tags);
    read(ask(&service, request).await.unwrap().into_body()).await;
    assert_eq!(
        recorded.lines("llm.operations{"),
        [
            "llm.operations{gen_ai.operation.name=chat,gen_ai.request.model=a,llm.outcome=answered,llm.tag.team=search} [1.0]"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn each_has_its_kind_and_its_unit() {
    let recorded = record();
    describe();
    let stack = Stack::of(chain(["a"])).over(Leaf::new([Step::body(answer())]));
    read(ask(&stack, stream("a")).await.unwrap().into_body()).await;
    let told = recorded.take();
    assert!(told.len() > 10);
    for (key, series) in told {
        let name = key.split('{').next().unwrap();
        let metric = METRICS.iter().find(|metric| metric.name == name).expect(name);
        assert_eq!(format!("{:?}", series.kind), format!("{:?}", metric.kind), "{name}");
        let unit = match metric.unit {
            "s" => Some(metrics::Unit::Seconds),
            "{USD}" => None,
            _ => Some(metrics::Unit::Count),
        };
        assert_eq!(series.unit, unit, "{name}");
    }
}

/// An alert on its absence would fire for a process that waits for its first call.
#[tokio::test(start_paused = true)]
async fn an_idle_process_has_no_operations_in_progress() {
    let recorded = record();
    describe();
    assert_eq!(
        recorded.lines("llm.operations.active"),
        ["llm.operations.active{gen_ai.operation.name=chat} [0.0]"]
    );
}

/// An attempt that was refused by the cap was never sent.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_never_sent_is_not_counted() {
    log::listen();
    let recorded = record();
    let layer = AdaptiveConcurrencyLayer::new(ConcurrencyPolicy::new().initial(1).ceiling(1)).unwrap();
    let late = |wait| Step::Answer(secs(wait), vec![Beat::Frame(Stage::Finish)]);
    let leaf = Leaf::new([]).on("a", [late(2)]).on("b", [late(5)]);
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(["a", "b"])).hedge(Hedge::after(secs(1)).ratio(1.0)))
        .layer(layer)
        .layer(AttemptLayer::new().cap(1))
        .service(leaf);
    // The first takes a's only place, and hedges at b no more than its cap lets it: it has one attempt.
    let first = async { read(ask(&service, streamed()).await.unwrap().into_body()).await };
    let second = async {
        sleep(millis(1)).await;
        let response = ask(&service, streamed()).await.unwrap();
        let log = response.extensions().get::<AttemptLog>().unwrap().clone();
        read(response.into_body()).await;
        log.sent()
    };
    let (_, sent) = tokio::join!(first, second);
    assert_eq!(sent, 1);
    let told = recorded.take();
    let counted = told.iter().filter(|(name, _)| name.starts_with(n::ATTEMPTS_ENDED));
    let counted: Vec<_> = counted.flat_map(|(_, series)| &series.values).collect();
    assert_eq!(counted, [&1.0, &1.0], "two calls, an attempt each");
    let outcomes: Vec<_> = attempts()
        .iter()
        .map(|span| fields(span, [n::OUTCOME]).join(""))
        .collect();
    assert_eq!(outcomes, ["llm.outcome=answered", "llm.outcome=answered"]);
}
