//! Calls and frames through each layer, and through the whole stack.

use std::hint::black_box;

use http::{Request, Response};
use http_body::Body;
use tower::Service;
use tower_openrouter::ApiRequest;

use crate::answers::Answers;
use crate::leaf::{self, Leaf};
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
        "inner" => calls(times, leaf),
        "attempt" => calls(times, ours::attempt(leaf)),
        "auth" => calls(times, ours::auth(leaf)),
        "circuit_breaker" => calls(times, ours::circuit_breaker(leaf)),
        "cost" => calls(times, ours::cost(leaf)),
        "deadline" => calls(times, ours::deadline(leaf)),
        "fallback_1" => calls(times, ours::fallback(&chain[..1], leaf)),
        "fallback_2" => calls(times, ours::fallback(&chain, leaf)),
        "first_token" => calls(times, ours::first_token(leaf)),
        "hedge_2" => calls(times, ours::hedge(&chain, leaf)),
        "observe" => calls(times, ours::observe(leaf)),
        "pause" => calls(times, ours::pause(leaf)),
        "resume" => calls(times, ours::resume(leaf)),
        "retry" => calls(times, ours::retry(leaf)),
        "timeout" => calls(times, ours::timeout(leaf)),
        _ => return false,
    }
    true
}

/// Under a deadline, which opens the call, and a chain, which names the candidate.
fn in_a_stack(subject: &str, times: usize) -> bool {
    let leaf = Leaf::new(1);
    let one = [ours::MODEL];
    match subject {
        "open/fallback_1" => calls(times, ours::deadline(ours::fallback(&one, leaf))),
        "open/attempt" => calls(times, ours::deadline(ours::fallback(&one, ours::attempt(leaf)))),
        "open/circuit_breaker" => calls(times, ours::deadline(ours::fallback(&one, ours::circuit_breaker(leaf)))),
        "open/cost" => calls(times, ours::deadline(ours::fallback(&one, ours::cost(leaf)))),
        "open/auth" => calls(times, ours::deadline(ours::fallback(&one, ours::auth(leaf)))),
        "open/pause" => calls(times, ours::deadline(ours::fallback(&one, ours::pause(leaf)))),
        "open/retry" => calls(times, ours::deadline(ours::fallback(&one, ours::retry(leaf)))),
        _ => return false,
    }
    true
}

fn stacks(subject: &str, times: usize) -> bool {
    match subject {
        "stack" => calls(times, ours::ready_stack(1)),
        "stack_of_inner_answers" => calls(times, Answers::plain(256)),
        "stack_with_usage" => calls(times, ours::stack(ours::settings(), Answers::plain(256))),
        "stack_frames" => calls(times, ours::ready_stack(FRAMES)),
        "inner_frames" => calls(times, Leaf::new(FRAMES)),
        "same_as_peers" => calls(times, ours::same_as_peers(Leaf::new(1))),
        _ => return false,
    }
    true
}

fn calls<S, B>(times: usize, mut service: S)
where
    S: Service<Request<ApiRequest>, Response = Response<B>>,
    B: Body,
{
    let request = leaf::request();
    for _ in 0..times {
        assert!(
            drive::whole(&mut service, black_box(&request).clone()).is_some(),
            "it answers"
        );
    }
}
