//! The storm: the faults of each model, by the second.

use std::time::Duration;

use openrouter_simulator::{Plan, Simulator};

use crate::support::Fallible;

pub(crate) const FIRST: &str = "demo/first";
pub(crate) const SECOND: &str = "demo/second";
pub(crate) const THIRD: &str = "demo/third";
/// Not in the chain: it answers if the chain has failed, and its answers are marked as degraded.
pub(crate) const CHEAPER: &str = "demo/cheaper";

/// How long the storm is, and how many calls a second each side gets.
pub(crate) const SECONDS: u64 = 60;
pub(crate) const CALLS_A_SECOND: u64 = 40;

/// The first model is down, later the whole chain, and at the end of that the cheaper model too.
pub(crate) const FIRST_DOWN: std::ops::Range<u64> = 15..25;
pub(crate) const CHAIN_DOWN: std::ops::Range<u64> = 35..50;
pub(crate) const ALL_DOWN: std::ops::Range<u64> = 42..50;

/// Attempts in a hundred that fail, by fault. Twenty in all.
const FAILURES: [(u8, &str); 8] = [
    (6, "503;no-hint"),
    (4, "reset"),
    (3, "429;no-hint;retry-after=1"),
    (2, "500"),
    (1, "empty-stream"),
    (1, "bad-json"),
    (1, "hang"),
    (2, INTERRUPTED),
];

/// Cut at a word in the middle of the answer.
const INTERRUPTED: &str = "words=40;delay=20ms;cut";

/// More steps than any model gets attempts.
const STEPS: usize = 6000;

/// Sets the faults that begin at this second.
pub(crate) fn turn(simulator: &Simulator, second: u64) -> Fallible {
    let storm = |models: &[&str]| -> Fallible {
        for (seed, model) in models.iter().enumerate() {
            simulator.typed_plan(*model, plan(u64::try_from(seed)? << 8 | second)?);
        }
        Ok(())
    };
    let down = |models: &[&str]| -> Fallible {
        for model in models {
            simulator.plan(*model, "503;no-hint")?;
        }
        Ok(())
    };
    let chain = [FIRST, SECOND, THIRD];
    let all = [FIRST, SECOND, THIRD, CHEAPER];
    match second {
        0 => storm(&all),
        second if second == FIRST_DOWN.start => down(&[FIRST]),
        second if second == FIRST_DOWN.end => storm(&[FIRST]),
        second if second == CHAIN_DOWN.start => down(&chain),
        second if second == ALL_DOWN.start => down(&all),
        second if second == ALL_DOWN.end => storm(&all),
        _ => Ok(()),
    }
}

fn plan(seed: u64) -> Fallible<Plan> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let steps: Vec<_> = (0..STEPS).map(|_| step(&mut dice)).collect();
    Ok(steps.join(",").parse()?)
}

fn step(dice: &mut fastrand::Rng) -> String {
    let mut left = dice.u8(0..100);
    for (share, clauses) in FAILURES {
        if left < share {
            let word = if clauses == INTERRUPTED {
                format!("@{}", dice.u8(4..37))
            } else {
                String::new()
            };
            return format!("1x{clauses}{word}");
        }
        left -= share;
    }
    let first_token = first_token(dice).as_millis();
    format!("1xfirst-token={first_token}ms;words=40;delay=20ms")
}

/// A heavy tail (Pareto, 1.2): half within 0.45 s, one in twenty over 3 s, one in a hundred over 11 s.
fn first_token(dice: &mut fastrand::Rng) -> Duration {
    let least = 0.25;
    let longest = 20.0_f64;
    let drawn = least * (1.0 - dice.f64()).powf(-1.0 / 1.2);
    Duration::from_secs_f64(drawn.min(longest))
}
