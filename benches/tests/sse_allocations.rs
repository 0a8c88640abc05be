//! What the SSE decoder allocates.

use std::hint::black_box;

use bytes::Bytes;
use tower_openrouter::sse::SseDecoder;
use tower_openrouter_benches::allocations;

/// As many events as given, of 200 bytes each.
fn stream(events: usize) -> Bytes {
    Bytes::from(format!("data: {}\n\n", "x".repeat(192)).repeat(events))
}

fn decode(decoder: &mut SseDecoder, mut input: Bytes) -> usize {
    let mut items = 0;
    while let Some(item) = decoder.decode(&mut input).unwrap_or(None) {
        black_box(item);
        items += 1;
    }
    items
}

#[test]
fn whole_events_allocate_nothing() {
    let chunk = stream(100);
    let mut decoder = SseDecoder::new();
    // The first clone of a buffer makes it a shared one, which allocates; that is the buffer's affair.
    assert_eq!(decode(&mut decoder, chunk.clone()), 100);

    let per_chunk = allocations(100, || assert_eq!(decode(&mut decoder, chunk.clone()), 100));
    assert!(per_chunk.is_none(), "{per_chunk}");
}

#[test]
fn keep_alives_allocate_nothing() {
    let chunk = Bytes::from_static(b": OPENROUTER PROCESSING\n\n");
    let mut decoder = SseDecoder::new();
    let per_chunk = allocations(100, || assert_eq!(decode(&mut decoder, chunk.clone()), 1));
    assert!(per_chunk.is_none(), "{per_chunk}");
}

#[test]
fn a_split_line_is_copied_once() {
    let chunk = stream(1);
    let (front, back) = (chunk.slice(..120), chunk.slice(120..));
    let mut decoder = SseDecoder::new();
    let per_event = allocations(100, || {
        assert_eq!(decode(&mut decoder, front.clone()), 0);
        assert_eq!(decode(&mut decoder, back.clone()), 1);
    });
    // The front is put aside, then grown to the whole line, which becomes the event's data.
    assert_eq!(per_event.to_string(), "2 allocations, 318 bytes");
}
