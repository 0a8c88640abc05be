//! Property tests with fixed seeds, in virtual time.

use std::time::Duration;

use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed},
};
use tower_llm_layers::{FailureKind, Phase, Stage};

use super::{Beat, Step, fails};

/// The same cases every time, and nothing written to disk.
pub(crate) fn cases(count: u32) -> Config {
    Config {
        cases: count,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x5eed),
        ..Config::default()
    }
}

/// Runs in a runtime whose time is virtual.
pub(crate) fn in_virtual_time<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

fn kind() -> impl Strategy<Value = FailureKind> {
    proptest::sample::select(vec![
        FailureKind::Connect,
        FailureKind::Reset,
        FailureKind::Timeout(Phase::FirstToken),
        FailureKind::RateLimited,
        FailureKind::QuotaExhausted,
        FailureKind::Overloaded,
        FailureKind::Upstream,
        FailureKind::EmptyResponse,
        FailureKind::NoEndpoint,
        FailureKind::ContextLengthExceeded,
        FailureKind::InsufficientFunds,
        FailureKind::Auth,
        FailureKind::BadRequest,
    ])
}

fn wait() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), 0_u64..15_000, 0_u64..120_000].prop_map(Duration::from_millis)
}

fn beat() -> impl Strategy<Value = Beat> {
    let stage = proptest::sample::select(vec![
        Stage::KeepAlive,
        Stage::Preamble,
        Stage::Content,
        Stage::Content,
        Stage::Finish,
    ]);
    prop_oneof![
        6 => stage.prop_map(Beat::Frame),
        3 => wait().prop_map(Beat::Pause),
        1 => kind().prop_map(|kind| Beat::Fail(fails(kind))),
        1 => Just(Beat::Stall),
    ]
}

/// Any step at all: failures with and without hints, silence, stalls, cuts, blanks.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    let failure = (wait(), kind(), proptest::option::of(wait()), 0_u64..600);
    prop_oneof![
        6 => failure.prop_map(|(after, kind, hint, tokens)| {
            let mut error = fails(kind).affordable(tokens);
            error.hint = hint;
            Step::Fail(after, error)
        }),
        3 => (wait(), proptest::collection::vec(beat(), 0..8))
            .prop_map(|(after, beats)| Step::Answer(after, beats)),
        1 => Just(Step::Hang),
    ]
}
