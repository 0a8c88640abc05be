//! What a kept answer costs, and joining a call that is under way.
//!
//! `cargo bench -p tower-openrouter-benches --bench cache`
//!
//! A call is made as in `layers`: clone the request, make the service ready, call it, read the whole body, drop everything. The
//! inner service gives the same answer without a cache. A join is a call that is polled once, waits, and leaves again.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use http_body::Body;
use tower::Service;
use tower_openrouter::layers::{CacheMode, LlmRequest};
use tower_openrouter::{ApiRequest, ChatRequest};
use tower_openrouter_subjects::answers::{Answers, Silent};
use tower_openrouter_subjects::liter::{self, Theirs};
use tower_openrouter_subjects::{drive, leaf, ours, peers};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn time<S, B>(group: &mut Group<'_>, name: &str, request: &Request<ApiRequest>, frames: usize, mut service: S)
where
    S: Service<Request<ApiRequest>, Response = Response<B>>,
    B: Body,
{
    assert_eq!(
        drive::whole(&mut service, request.clone()),
        Some(frames),
        "{name} answers"
    );
    group.bench_function(name, |bencher| {
        bencher.iter(|| drive::whole(&mut service, black_box(request).clone()));
    });
}

fn plain() -> Request<ApiRequest> {
    ChatRequest::user("Why is the sky blue?")
        .model("openai/gpt-5")
        .into_http()
}

/// A request that must not be answered by what is kept, and is kept.
fn refresh(mut request: Request<ApiRequest>) -> Request<ApiRequest> {
    request.body_mut().call_mut().set_cache_mode(CacheMode::Refresh);
    request
}

fn answers(group: &mut Group<'_>) {
    let (whole, pieces) = (Answers::plain(4096), Answers::streamed(17));
    assert!(pieces.bytes() > 4096, "both have 4 KB");
    for (kind, request, answers) in [("plain", plain(), whole), ("streamed", leaf::request(), pieces)] {
        let frames = answers.frames();
        let name = |what: &str| format!("{what}, {kind} 4 KB");
        time(group, &name("inner"), &request, frames, answers.clone());
        time(group, &name("ours/hit"), &request, frames, ours::cache(answers.clone()));
        let peer = peers::resilience_cache(answers.clone());
        time(group, &name("tower-resilience/hit"), &request, frames, peer);
        let peer = peers::resilience_cache_by_our_key(answers.clone());
        time(group, &name("tower-resilience/hit by our key"), &request, frames, peer);
        let miss = refresh(request);
        time(group, &name("ours/miss, kept"), &miss, frames, ours::cache(answers));
    }
}

/// One service of liter-llm's, which keeps whole answers only.
fn time_theirs(group: &mut Group<'_>, name: &str, mut service: impl Theirs) {
    let request = liter::request();
    assert!(drive::call(&mut service, request.clone()).is_some(), "{name} answers");
    group.bench_function(name, |bencher| {
        bencher.iter(|| drive::call(&mut service, black_box(&request).clone()));
    });
}

/// A prompt of a hundred kilobytes: the key reads it all.
fn long_prompt(group: &mut Group<'_>) {
    let words = "why is the sky blue? ".repeat(5000);
    let request = ChatRequest::user(words).model("openai/gpt-5").into_http();
    let answers = Answers::plain(4096);
    time(group, "inner, prompt 100 KB", &request, 1, answers.clone());
    time(
        group,
        "ours/hit, prompt 100 KB",
        &request,
        1,
        ours::cache(answers.clone()),
    );
    let peer = peers::resilience_cache(answers);
    time(group, "tower-resilience/hit, prompt 100 KB", &request, 1, peer);
}

fn join(group: &mut Group<'_>) {
    let mut context = Context::from_waker(Waker::noop());
    let request = leaf::request();
    let mut service = ours::cache(Silent);
    let leader = service.call(request.clone());
    let mut join = |request: Request<ApiRequest>| {
        let joined = pin!(service.call(request));
        Future::poll(joined, &mut context).is_pending()
    };
    assert!(join(request.clone()), "it waits");
    group.bench_function("ours/join and leave", |bencher| {
        bencher.iter(|| join(black_box(&request).clone()));
    });
    group.bench_function("clone of the request", |bencher| {
        bencher.iter(|| black_box(&request).clone());
    });
    drop(leader);
}

fn cache(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cache");
    answers(&mut group);
    let theirs = liter::Leaf::of(4096);
    time_theirs(&mut group, "liter-llm/inner, plain 4 KB", theirs.clone());
    time_theirs(&mut group, "liter-llm/hit, plain 4 KB", liter::cache(theirs));
    long_prompt(&mut group);
    join(&mut group);
    group.finish();
}

criterion_group!(benches, cache);
criterion_main!(benches);
