//! Calls and frames through each layer, and through the whole stack.

use crate::answers::Answers;
use crate::leaf::Leaf;
use crate::{drive, ours};

/// The frames of a long answer.
const FRAMES: usize = 100;

pub(super) fn count(subject: &str, calls: usize) -> bool {
    alone(subject, calls) || in_a_stack(subject, calls) || stacks(subject, calls)
}

fn alone(subject: &str, times: usize) -> bool {
    let leaf = Leaf::new(1);
    let chain = [ours::MODEL, ours::NEXT_MODEL];
    match subject {
        "inner" => drive::calls(times, leaf),
        "attempt" => drive::calls(times, ours::attempt(leaf)),
        "auth" => drive::calls(times, ours::auth(leaf)),
        "circuit_breaker" => drive::calls(times, ours::circuit_breaker(leaf)),
        "cost" => drive::calls(times, ours::cost(leaf)),
        "deadline" => drive::calls(times, ours::deadline(leaf)),
        "fallback_1" => drive::calls(times, ours::fallback(&chain[..1], leaf)),
        "fallback_2" => drive::calls(times, ours::fallback(&chain, leaf)),
        "first_token" => drive::calls(times, ours::first_token(leaf)),
        "hedge_2" => drive::calls(times, ours::hedge(&chain, leaf)),
        "observe" => drive::calls(times, ours::observe(leaf)),
        "pause" => drive::calls(times, ours::pause(leaf)),
        "resume" => drive::calls(times, ours::resume(leaf)),
        "retry" => drive::calls(times, ours::retry(leaf)),
        "timeout" => drive::calls(times, ours::timeout(leaf)),
        _ => return false,
    }
    true
}

/// Under a deadline, which opens the call, and a chain, which names the candidate.
fn in_a_stack(subject: &str, times: usize) -> bool {
    let leaf = Leaf::new(1);
    let one = [ours::MODEL];
    match subject {
        "open/fallback_1" => drive::calls(times, ours::deadline(ours::fallback(&one, leaf))),
        "open/attempt" => drive::calls(times, ours::deadline(ours::fallback(&one, ours::attempt(leaf)))),
        "open/circuit_breaker" => {
            drive::calls(times, ours::deadline(ours::fallback(&one, ours::circuit_breaker(leaf))));
        }
        "open/cost" => drive::calls(times, ours::deadline(ours::fallback(&one, ours::cost(leaf)))),
        "open/auth" => drive::calls(times, ours::deadline(ours::fallback(&one, ours::auth(leaf)))),
        "open/pause" => drive::calls(times, ours::deadline(ours::fallback(&one, ours::pause(leaf)))),
        "open/retry" => drive::calls(times, ours::deadline(ours::fallback(&one, ours::retry(leaf)))),
        _ => return false,
    }
    true
}

fn stacks(subject: &str, times: usize) -> bool {
    match subject {
        "stack" => drive::calls(times, ours::ready_stack(1)),
        "stack_of_inner_answers" => drive::calls(times, Answers::plain(256)),
        "stack_with_usage" => drive::calls(times, ours::stack(ours::settings(), Answers::plain(256))),
        "stack_frames" => drive::calls(times, ours::ready_stack(FRAMES)),
        "inner_frames" => drive::calls(times, Leaf::new(FRAMES)),
        "same_as_peers" => drive::calls(times, ours::same_as_peers(Leaf::new(1))),
        _ => return false,
    }
    true
}
