//! What calls, frames and prompts allocate, as a table.
//!
//! `cargo bench -p tower-openrouter-benches --bench allocations`
//!
//! Counts are exact and the same on every machine. The request is made beforehand: the inner service's own row is what its clone
//! allocates.
#![expect(clippy::print_stdout, reason = "the table is what this is for")]

use http::{Request, Response};
use http_body::Body;
use tower::Service;
use tower_openrouter::{ApiRequest, ChatRequest};
use tower_openrouter_benches::{Allocations, allocations};
use tower_openrouter_subjects::leaf::{self, Leaf};
use tower_openrouter_subjects::liter::{self, Theirs};
use tower_openrouter_subjects::{drive, ours, peers, prompt};

const CALLS: u32 = 1000;

fn row(name: &str, per_call: Allocations) {
    println!("{name:<36} {per_call}");
}

fn call<S, B>(name: &str, mut service: S)
where
    S: Service<Request<ApiRequest>, Response = Response<B>>,
    B: Body,
{
    let request = leaf::request();
    let mut once = || assert_eq!(drive::whole(&mut service, request.clone()), Some(1), "{name} answers");
    once();
    row(name, allocations(CALLS, once));
}

fn their_call(name: &str, mut service: impl Theirs) {
    let request = liter::request();
    let mut once = || assert!(drive::call(&mut service, request.clone()).is_some(), "{name} answers");
    once();
    row(name, allocations(CALLS, once));
}

fn ours() {
    let leaf = Leaf::new(1);
    let chain = [ours::MODEL, ours::NEXT_MODEL];
    call("inner", leaf.clone());
    call("attempt", ours::attempt(leaf.clone()));
    call("auth", ours::auth(leaf.clone()));
    call("auth, pool", ours::auth_pool(leaf.clone()));
    call("circuit breaker", ours::circuit_breaker(leaf.clone()));
    call("deadline", ours::deadline(leaf.clone()));
    call("fallback, 1", ours::fallback(&chain[..1], leaf.clone()));
    call("fallback, 2", ours::fallback(&chain, leaf.clone()));
    call("hedge, 2", ours::hedge(&chain, leaf.clone()));
    call("resume", ours::resume(leaf.clone()));
    call("first_token", ours::first_token(leaf.clone()));
    call("observe, unheard", ours::observe(leaf.clone()));
    call("retry", ours::retry(leaf.clone()));
    call("timeout", ours::timeout(leaf));
    call("stack", ours::ready_stack(1));
}

fn peers() {
    let leaf = Leaf::new(1);
    call("tower retry", peers::tower_retry(leaf.clone()));
    call("tower timeout", peers::tower_timeout(leaf.clone()));
    call("tower-http set header", peers::http_set_header(leaf.clone()));
    call("tower-resilience retry", peers::resilience_retry(leaf.clone()));
    call(
        "tower-resilience time limiter",
        peers::resilience_time_limiter(leaf.clone()),
    );
    call(
        "tower-resilience circuit breaker",
        peers::resilience_circuit_breaker(leaf.clone()),
    );
    call("tower-resilience hedge, 2", peers::resilience_hedge(leaf.clone()));
    call("tower-resilience fallback", peers::resilience_fallback(leaf));
    their_call("liter-llm inner", liter::Leaf::default());
    their_call("liter-llm cost", liter::cost());
    their_call("liter-llm budget", liter::budget());
    their_call("liter-llm rate limit", liter::rate_limit());
    their_call("liter-llm cooldown", liter::cooldown());
    their_call("liter-llm circuit", liter::circuit());
    their_call("liter-llm hedge, 1", liter::hedge());
    their_call("liter-llm fallback", liter::fallback());
    their_call("liter-llm fallback chain, 2", liter::fallback_chain());
}

/// What the frames of a stream allocate after the first: a long answer's calls less a short one's.
fn frame() {
    const MORE: u32 = 1000;
    let [short, long] = [1, 1 + MORE as usize].map(|frames| {
        let mut stack = ours::ready_stack(frames);
        let request = leaf::request();
        allocations(CALLS, || {
            assert_eq!(drive::whole(&mut stack, request.clone()), Some(frames));
        })
    });
    let more = f64::from(MORE);
    let per_frame = Allocations {
        count: (long.count - short.count) / more,
        bytes: (long.bytes - short.bytes) / more,
    };
    row("frame through the stack", per_frame);
}

fn megabyte() {
    let body = prompt::prompt();
    let road = prompt::Road::new();
    let _warm = road.travel(&body);
    let read = allocations(10, || assert!(ChatRequest::from_json(body.clone()).is_ok()));
    row(&format!("prompt of {} bytes, read", body.len()), read);
    row(
        "the same, 3 attempts, 2 models",
        allocations(10, || {
            assert_eq!(road.travel(&body).map(|trip| trip.attempts), Some(3));
        }),
    );
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else {
        unreachable!("a runtime without I/O can be made")
    };
    {
        let _inside = runtime.enter();
        ours();
        frame();
        peers();
    }
    megabyte();
}
