//! One frame of a stream: through each body wrapper, through all of them, and out of the wire's bytes.
//!
//! `cargo bench -p tower-openrouter-benches --bench frames`
//!
//! Bodies are long and their frames ready, so that a frame's share of the call around it is negligible. The inner service's own body is
//! there by itself; what the wrappers cost is the difference.

use std::hint::black_box;

use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use http::{Request, Response};
use http_body::Body;
use tower::Service;
use tower_openrouter::{ApiRequest, ChatBody};
use tower_openrouter_subjects::leaf::{self, Leaf};
use tower_openrouter_subjects::pieces::Pieces;
use tower_openrouter_subjects::{drive, ours};

const FRAMES: usize = 10_000;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// The frames of one answer.
fn time<S, B>(group: &mut Group<'_>, name: &str, mut service: S)
where
    S: Service<Request<ApiRequest>, Response = Response<B>>,
    B: Body,
{
    let request = leaf::request();
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            || drive::call(&mut service, request.clone()),
            |response| {
                assert_eq!(
                    response.and_then(|response| drive::read(response.into_body())),
                    Some(FRAMES)
                );
            },
            BatchSize::SmallInput,
        );
    });
}

fn wrappers(group: &mut Group<'_>) {
    let leaf = Leaf::new(FRAMES);
    time(group, "inner", leaf.clone());
    time(group, "attempt", ours::attempt(leaf.clone()));
    time(group, "deadline", ours::deadline(leaf.clone()));
    time(group, "first_token", ours::first_token(leaf.clone()));
    time(group, "timeout", ours::timeout(leaf));
    time(group, "stack", ours::ready_stack(FRAMES));
}

/// From the bytes of a connection, cut as a server cuts them: each event on its own, or many at once.
fn from_the_wire(group: &mut Group<'_>) {
    let event = Bytes::from_static(leaf::event().as_bytes());
    let [first, second] = [event.slice(..event.len() / 2), event.slice(event.len() / 2..)];
    let many = Bytes::from(leaf::event().repeat(100));
    let whole: Vec<_> = std::iter::repeat_n(event, FRAMES).collect();
    let split: Vec<_> = std::iter::repeat_n([first, second], FRAMES).flatten().collect();
    let packed: Vec<_> = std::iter::repeat_n(many, FRAMES / 100).collect();
    for (name, pieces) in [
        ("wire, an event a read", whole),
        ("wire, split events", split),
        ("wire, 100 a read", packed),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || ChatBody::from_event_stream(Pieces::new(pieces.clone())),
                // The stream has no end that is whole: its frames come all the same, then an error.
                |body| black_box(drive::read_until_error(body)),
                BatchSize::SmallInput,
            );
        });
    }
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frames");
    group.throughput(Throughput::Elements(FRAMES as u64));
    wrappers(&mut group);
    from_the_wire(&mut group);
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
