//! Whatever callers do, no call hangs, and nothing is left.

use tower_llm_layers::{FailureKind, Priority, Stage, adaptive_concurrency::ConcurrencyPolicy};

use super::{Begun, Bench, overloaded};
use crate::support::{Beat, Leaf, Step, millis, poll_once};

fn step(dice: &mut fastrand::Rng) -> Step {
    let wait = millis(dice.u64(0..300));
    match dice.u8(0..10) {
        0 => Step::Fail(wait, overloaded(FailureKind::RateLimited)),
        1 => Step::Fail(wait, overloaded(FailureKind::Upstream)),
        2 => Step::Hang,
        _ => Step::Answer(
            wait,
            vec![
                Beat::Frame(Stage::Content),
                Beat::Pause(millis(50)),
                Beat::Frame(Stage::Finish),
            ],
        ),
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_hangs_and_nothing_is_left() {
    for seed in 0..30 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let steps: Vec<_> = (0..300).map(|_| step(&mut dice)).collect();
        let policy = ConcurrencyPolicy::new()
            .initial(dice.u32(1..5))
            .ceiling(8)
            .queue(dice.usize(0..9));
        let bench = Bench::new(policy, Leaf::new(steps));
        let mut calls: Vec<Begun> = Vec::new();
        for _ in 0..200 {
            match dice.u8(0..5) {
                0 | 1 => {
                    let priority = if dice.bool() {
                        Priority::Interactive
                    } else {
                        Priority::Batch
                    };
                    let before = bench.layer.limits().reports();
                    let call = bench.begin(priority).await;
                    if let Some(before) = before.first() {
                        assert!(bench.report().in_flight <= before.in_flight.max(bench.limit()).max(before.limit));
                    }
                    calls.push(call);
                }
                2 if !calls.is_empty() => drop(calls.swap_remove(dice.usize(0..calls.len()))),
                3 => tokio::time::advance(millis(dice.u64(0..200))).await,
                _ => calls.retain_mut(|call| poll_once(call.as_mut()).is_pending()),
            }
        }
        // All but those that hang end, in any order of polls.
        for _ in 0..60 {
            tokio::time::advance(millis(400)).await;
            calls.retain_mut(|call| poll_once(call.as_mut()).is_pending());
        }
        let report = bench.report();
        assert_eq!(
            calls.len(),
            usize::try_from(report.in_flight).unwrap() + report.waiting,
            "seed {seed}"
        );
        assert!(
            report.waiting == 0 || report.in_flight >= report.limit,
            "seed {seed}: {report:?}"
        );
        drop(calls);
        let report = bench.report();
        assert_eq!((report.in_flight, report.waiting), (0, 0), "seed {seed}");
        bench.probe.assert_quiet();
    }
}
