//! What the layers and the whole stack allocate: the bounds that a change must not pass unseen.
//!
//! The bench `allocations` prints the numbers themselves.

use http::{Request, Response};
use http_body::Body;
use tower::Service;
use tower_openrouter::ApiRequest;
use tower_openrouter_benches::{Allocations, allocations};
use tower_openrouter_subjects::leaf::{self, Leaf};
use tower_openrouter_subjects::{drive, ours, prompt};

fn of_a_call<S, B>(mut service: S, frames: usize) -> Allocations
where
    S: Service<Request<ApiRequest>, Response = Response<B>>,
    B: Body,
{
    let request = leaf::request();
    let mut call = || assert_eq!(drive::whole(&mut service, request.clone()), Some(frames));
    // What grows to its size once, such as a circuit's window, is no call's own.
    (0..100).for_each(|_| call());
    allocations(100, call)
}

#[test]
fn the_inner_service_allocates_nothing() {
    let leaf = of_a_call(Leaf::new(1), 1);
    assert!(leaf.is_none(), "{leaf}");
}

#[test]
fn a_call_through_the_stack_allocates_twelve_times_at_most() {
    let stack = of_a_call(ours::ready_stack(1), 1);
    assert!(stack.count <= 12.0, "{stack}");
}

#[test]
fn timeouts_and_the_first_token_allocate_nothing() {
    for (layer, counted) in [
        ("timeout", of_a_call(ours::timeout(Leaf::new(1)), 1)),
        ("first_token", of_a_call(ours::first_token(Leaf::new(1)), 1)),
    ] {
        assert!(counted.is_none(), "{layer}: {counted}");
    }
}

#[test]
fn spans_without_a_subscriber_allocate_nothing() {
    let counted = of_a_call(ours::observe(Leaf::new(3)), 3);
    assert!(counted.is_none(), "{counted}");
}

#[test]
fn more_frames_allocate_no_more() {
    let short = of_a_call(ours::ready_stack(1), 1);
    let long = of_a_call(ours::ready_stack(1000), 1000);
    assert_eq!(short, long);
}

#[test]
fn a_prompt_is_not_copied_for_an_attempt() {
    let body = prompt::prompt();
    let road = prompt::Road::new();
    let trip = || assert_eq!(road.travel(&body).map(|trip| trip.attempts), Some(3));
    trip();
    let counted = allocations(3, trip);
    // Two models, three attempts, and not a fiftieth of the prompt.
    assert!(counted.bytes < body.len() as f64 / 50.0, "{counted}");
}
