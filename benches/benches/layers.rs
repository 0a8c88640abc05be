//! Each layer over an inner service whose answer is ready, the whole stack, and the peers' layers in the same run.
//!
//! `cargo bench -p tower-openrouter-benches --bench layers`
//!
//! Every service is built beforehand. A call is: clone the request, make the service ready, call it, poll once, read the
//! one frame of the body, drop everything. The inner service does the same without a layer; what a layer costs is the difference.
//! The layers that open a call (attempt, deadline, fallback, retry) are there twice: alone, and under a deadline that has
//! opened it already, as in a stack.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use http_body::Body;
use tower::Service;
use tower_openrouter::ApiRequest;
use tower_openrouter_subjects::leaf::{self, Leaf};
use tower_openrouter_subjects::liter::{self, Theirs};
use tower_openrouter_subjects::{drive, ours, peers};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// One service that takes our requests.
fn time<S, B>(group: &mut Group<'_>, name: &str, mut service: S)
where
    S: Service<Request<ApiRequest>, Response = Response<B>>,
    B: Body,
{
    let request = leaf::request();
    assert_eq!(drive::whole(&mut service, request.clone()), Some(1), "{name} answers");
    group.bench_function(name, |bencher| {
        bencher.iter(|| drive::whole(&mut service, black_box(&request).clone()));
    });
}

/// One service that takes liter-llm's.
fn time_theirs(group: &mut Group<'_>, name: &str, mut service: impl Theirs) {
    let request = liter::request();
    assert!(drive::call(&mut service, request.clone()).is_some(), "{name} answers");
    group.bench_function(name, |bencher| {
        bencher.iter(|| drive::call(&mut service, black_box(&request).clone()));
    });
}

fn alone(group: &mut Group<'_>) {
    let leaf = Leaf::new(1);
    let chain = [ours::MODEL, ours::NEXT_MODEL];
    time(group, "inner", leaf.clone());
    time(group, "ours/attempt", ours::attempt(leaf.clone()));
    time(group, "ours/auth", ours::auth(leaf.clone()));
    time(group, "ours/auth, pool", ours::auth_pool(leaf.clone()));
    time(group, "ours/circuit breaker", ours::circuit_breaker(leaf.clone()));
    time(group, "ours/deadline", ours::deadline(leaf.clone()));
    time(group, "ours/fallback, 1", ours::fallback(&chain[..1], leaf.clone()));
    time(group, "ours/fallback, 2", ours::fallback(&chain, leaf.clone()));
    time(group, "ours/hedge, 2", ours::hedge(&chain, leaf.clone()));
    time(group, "ours/resume", ours::resume(leaf.clone()));
    time(group, "ours/first_token", ours::first_token(leaf.clone()));
    time(group, "ours/retry", ours::retry(leaf.clone()));
    time(group, "ours/timeout", ours::timeout(leaf));
    time(group, "ours/stack", ours::ready_stack(1));
}

fn under_a_deadline(group: &mut Group<'_>) {
    let leaf = Leaf::new(1);
    let chain = [ours::MODEL, ours::NEXT_MODEL];
    time(group, "open/deadline", ours::deadline(leaf.clone()));
    time(
        group,
        "open/fallback, 1",
        ours::deadline(ours::fallback(&chain[..1], leaf.clone())),
    );
    // Under a candidate, too: by itself it has to make one of the model's name.
    time(
        group,
        "open/attempt",
        ours::deadline(ours::fallback(&chain[..1], ours::attempt(leaf.clone()))),
    );
    time(
        group,
        "open/fallback, 2",
        ours::deadline(ours::fallback(&chain, leaf.clone())),
    );
    // Under a candidate: each has a circuit of its own.
    time(
        group,
        "open/circuit breaker",
        ours::deadline(ours::fallback(&chain[..1], ours::circuit_breaker(leaf.clone()))),
    );
    time(
        group,
        "open/hedge, 2",
        ours::deadline(ours::hedge(&chain, leaf.clone())),
    );
    time(group, "open/resume", ours::deadline(ours::resume(leaf.clone())));
    time(group, "open/retry", ours::deadline(ours::retry(leaf)));
}

fn peers(group: &mut Group<'_>) {
    let leaf = Leaf::new(1);
    time(group, "tower/retry", peers::tower_retry(leaf.clone()));
    time(group, "tower/timeout", peers::tower_timeout(leaf.clone()));
    time(group, "tower-http/set header", peers::http_set_header(leaf.clone()));
    time(group, "tower-resilience/retry", peers::resilience_retry(leaf.clone()));
    time(
        group,
        "tower-resilience/time limiter",
        peers::resilience_time_limiter(leaf.clone()),
    );
    time(
        group,
        "tower-resilience/circuit breaker",
        peers::resilience_circuit_breaker(leaf.clone()),
    );
    time(
        group,
        "tower-resilience/hedge, 2",
        peers::resilience_hedge(leaf.clone()),
    );
    time(group, "tower-resilience/fallback", peers::resilience_fallback(leaf));
}

fn theirs(group: &mut Group<'_>) {
    time_theirs(group, "liter-llm/inner", liter::Leaf::default());
    time_theirs(group, "liter-llm/cost", liter::cost());
    time_theirs(group, "liter-llm/budget", liter::budget());
    time_theirs(group, "liter-llm/rate limit", liter::rate_limit());
    time_theirs(group, "liter-llm/cooldown", liter::cooldown());
    time_theirs(group, "liter-llm/circuit", liter::circuit());
    time_theirs(group, "liter-llm/hedge, 1", liter::hedge());
    time_theirs(group, "liter-llm/fallback", liter::fallback());
    time_theirs(group, "liter-llm/fallback chain, 2", liter::fallback_chain());
}

fn layers(criterion: &mut Criterion) {
    // tower's and tower-resilience's timers want a runtime to be there, though nothing here waits.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else {
        unreachable!("a runtime without I/O can be made")
    };
    let _inside = runtime.enter();
    let mut group = criterion.benchmark_group("layers");
    alone(&mut group);
    under_a_deadline(&mut group);
    peers(&mut group);
    theirs(&mut group);
    group.finish();
}

criterion_group!(benches, layers);
criterion_main!(benches);
