//! The SSE decoder beside its peers, over the same streams.
//!
//! `cargo bench -p tower-openrouter-benches --bench sse`
//!
//! Every contender gets the same chunks, cut beforehand, and gives every event to a black box. The
//! peers check that data are UTF-8; ours leaves that to the JSON parser, which does it anyway. The
//! variant `ours+utf8` does it here, so that like can be held against like.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use eventsource_stream::Eventsource;
use futures_core::Stream;
use futures_util::stream;
use tower_openrouter::sse::{SseDecoder, SseItem};

/// The stream is about this long, so that the larger chunks come in numbers too.
const STREAM_BYTES: usize = 1 << 20;

/// Events of `size` bytes, cut into chunks of `push` bytes that are each a buffer of their own.
fn chunks(size: usize, push: usize) -> (Vec<Bytes>, usize) {
    let head = r#"data: {"id":"gen-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""#;
    let tail = "\"}}]}\n\n";
    let text = "word "
        .repeat(size)
        .chars()
        .take(size - head.len() - tail.len())
        .collect::<String>();
    let events = STREAM_BYTES / size;
    let stream = format!("{head}{text}{tail}").repeat(events);
    (
        stream.as_bytes().chunks(push).map(Bytes::copy_from_slice).collect(),
        events,
    )
}

fn ours(chunks: &[Bytes], mut each: impl FnMut(&Bytes)) -> usize {
    let mut decoder = SseDecoder::new();
    let mut events = 0;
    for chunk in chunks {
        let mut input = chunk.clone();
        while let Ok(Some(item)) = decoder.decode(&mut input) {
            if let SseItem::Event(event) = &item {
                each(&event.data);
                events += 1;
            }
            black_box(&item);
        }
    }
    events
}

fn sse_core(chunks: &[Bytes]) -> usize {
    let mut decoder = sse_core::SseDecoder::new();
    let mut events = 0;
    for chunk in chunks {
        let mut input = chunk.clone();
        while let Some(event) = decoder.next(&mut input) {
            black_box(&event);
            events += 1;
        }
    }
    events
}

/// Runs a stream that is always ready to its end.
fn count<T>(stream: impl Stream<Item = T>) -> usize {
    let mut stream = pin!(stream);
    let mut context = Context::from_waker(Waker::noop());
    let mut events = 0;
    while let Poll::Ready(Some(event)) = stream.as_mut().poll_next(&mut context) {
        black_box(&event);
        events += 1;
    }
    events
}

fn ready(chunks: &[Bytes]) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
    stream::iter(chunks.iter().cloned().map(Ok))
}

fn decoders(criterion: &mut Criterion) {
    for size in [200, 4096] {
        let mut group = criterion.benchmark_group(format!("sse/{size} B events"));
        for push in [1 << 10, 16 << 10, 64 << 10] {
            let (chunks, events) = chunks(size, push);
            let chunks = &chunks[..];
            let bytes = chunks.iter().map(|chunk| chunk.len() as u64).sum();
            group.throughput(Throughput::Bytes(bytes));
            let push = format!("{} KiB pushes", push >> 10);
            let mut contender = |name: &str, decode: &dyn Fn() -> usize| {
                assert_eq!(decode(), events, "{name} sees every event");
                group.bench_function(BenchmarkId::new(name, &push), |bencher| {
                    bencher.iter(decode);
                });
            };
            contender("ours", &|| ours(chunks, |_| ()));
            contender("ours+utf8", &|| {
                ours(chunks, |data| assert!(std::str::from_utf8(data).is_ok()))
            });
            contender("sse-core", &|| sse_core(chunks));
            contender("sseer", &|| count(sseer::event_stream::EventStream::new(ready(chunks))));
            contender("eventsource-stream", &|| count(ready(chunks).eventsource()));
        }
        group.finish();
    }
}

criterion_group!(benches, decoders);
criterion_main!(benches);
