//! Whatever comes is survived.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngSeed},
};
use tower_llm_layers::Frame;

use super::{super::put_together, *};
use crate::assemble::Gathered;

/// Reads whatever comes, as events and as a document: it ends, without a panic, in time that is linear.
fn survives(api: Api, bytes: Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        for end in [End::Closed, End::Broken] {
            let pieces = vec![Bytes::from(bytes.clone())];
            let read = read(ChatBody::from_event_stream_of(api, wire(pieces, end))).await;
            for frame in &read.frames {
                let said = (frame.shown(), frame.usage(), frame.finish_reason(), frame.event_type());
                let named = (Frame::model(frame), frame.generation_id(), frame.replayed());
                assert!(!format!("{said:?} {named:?}").is_empty());
            }
            let mut gathered = Gathered::default();
            let taken = read.frames.iter().try_for_each(|frame| gathered.take(frame));
            if taken.is_ok() {
                drop(put_together(gathered, &http::HeaderMap::new()));
            }
        }
        drop(read(ChatBody::from_plain_of(api, Full::new(Bytes::from(bytes)))).await);
    });
}

proptest! {
    #![proptest_config(Config { cases: 192, rng_seed: RngSeed::Fixed(16), ..Config::default() })]

    #[test]
    fn garbage_is_survived(bytes in vec(any::<u8>(), 0..400), api in select(vec![Api::Responses, Api::Messages])) {
        survives(api, bytes);
    }

    /// Events left out, doubled, in any order, and one of them with other bytes in it.
    #[test]
    fn events_in_any_order_are_survived(
        order in vec(any::<Index>(), 0..24),
        (at, byte) in (any::<Index>(), any::<u8>()),
        is_message in any::<bool>(),
    ) {
        let (api, events) = if is_message { (Api::Messages, &M_OSLO[..]) } else { (Api::Responses, &OSLO[..]) };
        let mut text: Vec<u8> = order.iter().flat_map(|index| event(events[index.index(events.len())]).into_bytes()).collect();
        if !text.is_empty() {
            *at.get_mut(&mut text) = byte;
        }
        survives(api, text);
    }
}
