//! What is held before an attempt, and how an answer is shortened to fit.

use std::{pin::pin, sync::Arc};

use tower::{Layer, ServiceBuilder};
use tower_llm_layers::{
    AttemptLog, DEFAULT_MIN_OUTPUT_TOKENS, FailureKind, LayerError, Stage, UsdAmount, WorstCasePrice,
    attempt::AttemptLayer,
    budget::{Budget, Budgets, InMemoryBudgetStore},
    cost::{CostLayer, UNBOUNDED_ANSWER, UnknownPrice},
    fallback::FallbackLayer,
};

use super::{budgeted, to, up_to};
use crate::support::{Beat, Kept, Leaf, Prices, SlowStore, Step, ask, chain, charged, poll_once, read, usd};

/// What the inner service was called with.
async fn asked(layer: CostLayer, request: http::Request<crate::support::TestRequest>) -> Option<u64> {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    read(ask(&layer.layer(leaf), request).await.unwrap().into_body()).await;
    probe.seen()[0].max_tokens
}

#[tokio::test(start_paused = true)]
async fn the_worst_price_is_held_while_the_answer_runs() {
    let (layer, book, _) = budgeted("1.00");
    let service = layer.layer(Leaf::new([Step::body([
        Beat::Frame(Stage::Content),
        charged(100, 5, "0.00015"),
    ])]));
    let response = ask(&service, up_to("costly", 50)).await.unwrap();
    // A hundred tokens at ten millionths, fifty at a hundred.
    assert_eq!(book.accounts()[0].reserved, usd("0.006"));
    read(response.into_body()).await;
    assert_eq!(
        (book.accounts()[0].settled, book.accounts()[0].reserved),
        (usd("0.00015"), usd("0"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_shortened_to_exactly_what_fits() {
    // A hundred tokens of prompt take 0.0001, so that 0.004 are left for the answer: four hundred tokens.
    let (layer, _, kept) = budgeted("0.0041");
    assert_eq!(asked(layer, up_to("a", 500)).await, Some(400));
    assert_eq!(
        (kept.only().clamped_to, kept.only().reserved),
        (Some(400), usd("0.0041"))
    );
    // One token's price more, and one token more.
    let (layer, _, _) = budgeted("0.00411");
    assert_eq!(asked(layer, up_to("a", 500)).await, Some(401));
    let (layer, _, kept) = budgeted("1.00");
    assert_eq!(
        asked(layer, up_to("a", 500)).await,
        Some(500),
        "what fits is left alone"
    );
    assert_eq!(kept.only().clamped_to, None);
}

#[tokio::test(start_paused = true)]
async fn the_line_says_that_it_was_shortened() {
    let (layer, _, _) = budgeted("0.0041");
    let service = ServiceBuilder::new()
        .layer(AttemptLayer::new())
        .layer(layer)
        .service(Leaf::new([]));
    let response = ask(&service, up_to("a", 500)).await.unwrap();
    let log = response.extensions().get::<AttemptLog>().unwrap().to_string();
    assert!(log.contains("max_tokens lowered to 400 to fit a budget"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn below_the_shortest_answer_it_is_refused() {
    // 0.0001 for the prompt and 0.00001 for each token.
    let floor = usd("0.0001").saturating_add(UsdAmount::from_pico(10_000_000 * i128::from(DEFAULT_MIN_OUTPUT_TOKENS)));
    let cap = |amount: UsdAmount| amount.to_string().replace('$', "");
    let (layer, _, _) = budgeted(&cap(floor));
    assert_eq!(asked(layer, up_to("a", 500)).await, Some(DEFAULT_MIN_OUTPUT_TOKENS));
    let less = cap(floor.saturating_sub(UsdAmount::from_pico(1)));
    let (layer, _, kept) = budgeted(&less);
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let error = ask(&layer.layer(leaf.clone()), up_to("a", 500)).await.err().unwrap();
    assert_eq!(error.kind, FailureKind::BudgetExceeded);
    assert_eq!((probe.calls(), kept.entries().len()), (0, 0), "nothing was sent");
    let (layer, _, _) = budgeted(&less);
    assert_eq!(
        asked(layer.min_output_tokens(1), up_to("a", 500)).await,
        Some(DEFAULT_MIN_OUTPUT_TOKENS - 1),
        "another floor"
    );
    // Who asks for less than the floor gets it.
    let (layer, _, _) = budgeted(&less);
    assert_eq!(asked(layer, up_to("a", 3)).await, Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_names_no_length_is_held_at_the_models_longest() {
    let (layer, _, kept) = budgeted("1.00");
    let without = layer.default_output_tokens(None);
    assert_eq!(asked(without, to("a")).await, None, "and not reported, since it fits");
    assert_eq!(kept.only().reserved, usd("0.0101"));
    let (layer, _, kept) = budgeted("0.0051");
    assert_eq!(asked(layer.default_output_tokens(None), to("a")).await, Some(500));
    assert_eq!(kept.only().clamped_to, Some(500));
    let (layer, _, _) = budgeted("1.00");
    assert_eq!(
        asked(layer.default_output_tokens(None), to("endless")).await,
        Some(UNBOUNDED_ANSWER),
        "an answer without end is given one"
    );
    let (layer, _, _) = budgeted("1.00");
    assert_eq!(
        asked(layer, to("a")).await,
        Some(1_000),
        "the default, up to the model's longest"
    );
    let (layer, _, kept) = budgeted("1.00");
    assert_eq!(asked(layer.default_output_tokens(200), to("a")).await, Some(200));
    assert_eq!(kept.only().reserved, usd("0.0021"));
    let (layer, _, kept) = budgeted("1.00");
    assert_eq!(asked(layer, up_to("a", 5_000)).await, Some(5_000));
    assert_eq!(
        kept.only().reserved,
        usd("0.0101"),
        "no model answers longer than it can"
    );
}

#[tokio::test(start_paused = true)]
async fn several_choices_are_held_for() {
    let (layer, _, kept) = budgeted("1.00");
    let mut request = up_to("a", 100);
    request.body_mut().needs.choices = 3;
    asked(layer, request).await;
    assert_eq!(kept.only().reserved, usd("0.0031"));
}

#[tokio::test(start_paused = true)]
async fn a_price_that_is_unknown_or_varies_is_refused_allowed_or_assumed() {
    for (model, said) in [("unknown", "is unknown"), ("varies", "varies")] {
        let (layer, _, _) = budgeted("1.00");
        let error = ask(&layer.layer(Leaf::new([])), to(model)).await.err().unwrap();
        let Some(LayerError::UnknownPrice { .. }) = &error.layer else {
            unreachable!("{error:?}");
        };
        assert_eq!(error.kind, FailureKind::NoEndpoint);
        assert!(
            error.summary.contains(said) && error.summary.contains(model),
            "{}",
            error.summary
        );

        let (layer, book, _) = budgeted("1.00");
        let layer = layer.unknown_price(UnknownPrice::Allow);
        let service = layer.layer(Leaf::new([Step::body([
            Beat::Frame(Stage::Content),
            charged(1, 1, "0.5"),
        ])]));
        let response = ask(&service, to(model)).await.unwrap();
        assert_eq!(book.accounts()[0].reserved, usd("0"));
        read(response.into_body()).await;
        assert_eq!(
            book.accounts()[0].settled,
            usd("0.5"),
            "the bill is counted all the same"
        );

        let (layer, _, kept) = budgeted("1.00");
        let flat = WorstCasePrice::new().fixed(usd("0.25"));
        asked(layer.unknown_price(UnknownPrice::Assume(flat)), up_to(model, 10)).await;
        assert_eq!(kept.only().reserved, usd("0.25"));
    }
    // If no budget applies, no price is needed.
    let service = CostLayer::new().ledger(Kept::new()).layer(Leaf::new([]));
    assert!(ask(&service, to("unknown")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_most_expensive_that_the_router_may_try_is_reserved_for() {
    let (layer, _, kept) = budgeted("1.00");
    let mut request = up_to("a", 10);
    request.body_mut().alternatives = vec!["a".to_owned(), "costly".to_owned()];
    asked(layer, request).await;
    assert_eq!(kept.only().reserved, usd("0.002"));
    let (layer, _, _) = budgeted("1.00");
    let mut request = up_to("a", 10);
    request.body_mut().alternatives = vec!["unknown".to_owned()];
    assert!(ask(&layer.layer(Leaf::new([])), request).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_cheaper_candidate_answers_if_the_first_is_too_expensive() {
    let (layer, _, kept) = budgeted("0.001");
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(["costly", "a"])))
        .layer(layer)
        .service(leaf);
    let mut request = crate::support::streamed();
    request.body_mut().needs.prompt_tokens = 100;
    request.body_mut().max_tokens = Some(16);
    assert!(ask(&service, request).await.is_ok());
    assert_eq!(probe.models(), ["a"]);
    assert_eq!(&*kept.only().model, "a");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_its_time_is_waited_for_and_left_without_a_trace() {
    for polls in 0..6 {
        let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
        let store = Arc::new(SlowStore(book.clone(), 3));
        let budgets = Budgets::in_store([Budget::usd("all", "0.0041").unwrap()], store).unwrap();
        let layer = CostLayer::new()
            .prices(Arc::new(Prices))
            .ledger(kept.clone())
            .budgets(budgets);
        let leaf = Leaf::new([Step::Hang, Step::ok()]);
        let probe = leaf.probe();
        let service = layer.layer(leaf);
        {
            let mut calling = pin!(ask(&service, up_to("a", 500)));
            for _ in 0..polls {
                assert!(poll_once(calling.as_mut()).is_pending());
            }
        }
        let sent = probe.calls();
        assert_eq!(kept.entries().len(), sent, "after {polls} polls");
        assert_eq!(
            book.accounts()
                .iter()
                .map(|state| state.reserved)
                .max()
                .unwrap_or_default(),
            usd("0")
        );
        if sent == 1 {
            assert_eq!(probe.seen()[0].max_tokens, Some(400), "shortened like any other");
            continue;
        }
        // The budget is as good as new.
        let other = ask(&service, up_to("a", 500));
        assert!(
            tokio::time::timeout(std::time::Duration::from_secs(1), other)
                .await
                .is_err(),
            "it hangs, but was let through"
        );
    }
    let store = Arc::new(SlowStore::default());
    let budgets = Budgets::in_store([Budget::usd("all", "0.00001").unwrap()], store).unwrap();
    let service = CostLayer::new()
        .prices(Arc::new(Prices))
        .budgets(budgets)
        .layer(Leaf::new([]));
    let error = ask(&service, up_to("a", 500)).await.err().unwrap();
    assert_eq!(error.kind, FailureKind::BudgetExceeded);
}
