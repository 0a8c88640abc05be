//! What the layers and the whole stack allocate: the bounds that a change must not pass unseen.
//!
//! The bench `allocations` prints the numbers themselves.

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::Service;
use tower_openrouter::{Api, ApiRequest, ChatBody};
use tower_openrouter_benches::{Allocations, allocations};
use tower_openrouter_subjects::leaf::{self, Leaf};
use tower_openrouter_subjects::{drive, events, ours, prompt};

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
    let road = prompt::Road::new();
    for api in Api::ALL {
        let body = prompt::prompt_of(api);
        let trip = || assert_eq!(road.travel_as(api, &body).map(|trip| trip.attempts), Some(3), "{api}");
        trip();
        let counted = allocations(3, trip);
        // Two models, three attempts, and not a fiftieth of the prompt.
        assert!(counted.bytes < body.len() as f64 / 50.0, "{api}: {counted}");
    }
}

/// An event that differs from the one before in its text, and in its number, is known by that one.
#[test]
fn a_word_from_the_wire_allocates_nothing_in_any_api() {
    for api in [Api::Chat, Api::Responses, Api::Messages] {
        let read = |words| {
            let events = Bytes::from(events::stream(api, words));
            allocations(1, || {
                let body = ChatBody::from_event_stream_of(api, Full::new(events.clone()));
                assert!(drive::read(body).is_some_and(|frames| frames >= words), "{api}");
            })
        };
        // The numbers of these events have three digits.
        assert_eq!(read(300), read(600), "{api}");
    }
}
