//! Whatever an upstream reports as usage, what is settled is at least the estimate of what was shown, unless it reports a cost. A cost of zero
//! is none if the model has a price.

use http_body_util::BodyExt;
use proptest::prelude::*;
use tower::Layer;
use tower_llm_layers::{
    Stage, TokenUsage, UsdAmount,
    budget::{Budget, Budgets, InMemoryBudgetStore},
    cost::{CostLayer, UnknownPrice},
    ledger::EntryState,
};

use std::sync::Arc;

use super::up_to;
use crate::support::{Beat, Kept, Leaf, Prices, Step, ask};

/// What may come on a stream.
#[derive(Debug, Clone)]
enum Piece {
    Shown,
    Usage(Stage, TokenUsage),
    Finish,
}

#[derive(Debug, Clone)]
struct Case {
    pieces: Vec<Piece>,
    streamed: bool,
    priced: bool,
    /// How many pieces the caller reads before it leaves.
    reads: usize,
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), 0..700_u64, Just(u64::MAX)]
}

fn usage() -> impl Strategy<Value = TokenUsage> {
    let cost = prop_oneof![3 => Just(None), 2 => Just(Some(0)), 1 => (1..2_000_000_000_i128).prop_map(Some)];
    (count(), count(), count(), count(), count(), cost).prop_map(
        |(prompt, answer, cached, written, reasoning, cost)| {
            let mut usage = TokenUsage::default();
            (usage.prompt, usage.answer) = (prompt, answer);
            (usage.cached, usage.cache_written, usage.reasoning) = (cached, written, reasoning);
            usage.charged = cost.map(UsdAmount::from_pico);
            usage
        },
    )
}

fn piece() -> impl Strategy<Value = Piece> {
    let stage = prop_oneof![
        Just(Stage::Preamble),
        Just(Stage::Content),
        Just(Stage::Finish),
        Just(Stage::Trailer)
    ];
    prop_oneof![
        5 => Just(Piece::Shown),
        2 => (stage, usage()).prop_map(|(stage, usage)| Piece::Usage(stage, usage)),
        1 => Just(Piece::Finish),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    (
        prop::collection::vec(piece(), 1..20),
        any::<bool>(),
        any::<bool>(),
        0..25_usize,
    )
        .prop_map(|(pieces, streamed, priced, reads)| Case {
            pieces,
            streamed,
            priced,
            reads,
        })
}

fn beats(pieces: &[Piece]) -> Vec<Beat> {
    let beat = |piece: &Piece| match piece {
        Piece::Shown => Beat::Frame(Stage::Content),
        Piece::Usage(stage, usage) => Beat::Charged(*stage, *usage),
        Piece::Finish => Beat::Frame(Stage::Finish),
    };
    pieces.iter().map(beat).collect()
}

/// Plays the case; returns how many frames of content were read and whether a cost was reported in what was read.
async fn play(case: &Case) -> (u64, bool, Arc<Kept>, InMemoryBudgetStore) {
    let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
    let budgets = Budgets::in_store([Budget::usd("all", "100").unwrap()], Arc::new(book.clone())).unwrap();
    let mut layer = CostLayer::new()
        .ledger(kept.clone())
        .budgets(budgets)
        .unknown_price(UnknownPrice::Allow);
    if case.priced {
        layer = layer.prices(Arc::new(Prices));
    }
    let service = layer.layer(Leaf::new([Step::body(beats(&case.pieces))]));
    let mut request = up_to("a", 1_000);
    request.body_mut().streaming = case.streamed;
    let mut body = ask(&service, request).await.unwrap().into_body();
    let (mut shown, mut is_told) = (0, false);
    for _ in 0..case.reads {
        let Some(Ok(frame)) = body.frame().await else { break };
        let frame = frame.into_data().unwrap();
        shown += u64::from(frame.stage == Stage::Content);
        let bill = frame.usage.and_then(|usage| usage.bill());
        is_told |= bill.is_some_and(|bill| !case.priced || bill > UsdAmount::ZERO);
    }
    drop(body);
    (shown, is_told, kept, book)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_settled_is_at_least_the_estimate_of_what_was_shown(case in case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (shown, is_told, kept, book) = runtime.block_on(play(&case));
        let (entry, account) = (kept.only(), &book.accounts()[0]);
        prop_assert_eq!(account.reserved, UsdAmount::ZERO);
        // An account never settles more than its cap, whatever is reported.
        prop_assert_eq!(entry.recorded.min(UsdAmount::from_pico(100_000_000_000_000)), account.settled);
        if !is_told && case.priced {
            // Ten millionths of a dollar for a token of answer.
            let estimate = UsdAmount::from_pico(i128::from(shown) * 10_000_000);
            prop_assert!(account.settled >= estimate, "{} settled, {} shown", account.settled, estimate);
            prop_assert!(entry.estimate.is_none_or(|known| known >= estimate));
        }
        if entry.state == EntryState::Settled && !is_told {
            prop_assert!(entry.usage.prompt > 0 && entry.usage.answer >= shown);
        }
    }
}
