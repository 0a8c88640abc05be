//! Replays, and streams that are put together.

use tower_llm_layers::Frame;

use super::{super::put_together, *};
use crate::{ChatFrame, assemble::Gathered};

#[tokio::test(start_paused = true)]
async fn a_replay_has_usage_of_nothing_in_the_place_of_its_api() {
    for (api, events) in [(Api::Responses, &OSLO[..]), (Api::Messages, &M_OSLO[..])] {
        let read = got(api, &stream(events), End::Closed).await;
        for frame in read.frames {
            let replay = frame.replayed();
            let text = String::from_utf8_lossy(replay.bytes()).into_owned();
            for count in ["14", "1500", "\"output_tokens\":3", "0.25", "0.0000039"] {
                assert!(!text.contains(count), "{text}");
            }
            assert_eq!(
                (replay.stage(), replay.text(), replay.has_usage()),
                (frame.stage(), frame.text(), frame.has_usage())
            );
            if let Some(usage) = replay.token_usage() {
                assert_eq!(
                    (usage.total(), usage.bill().unwrap().to_string().as_str()),
                    (0, "$0.00")
                );
            }
            let before: serde_json::Value = serde_json::from_slice(frame.bytes()).unwrap_or_default();
            let after: serde_json::Value = serde_json::from_slice(replay.bytes()).unwrap_or_default();
            assert_eq!(before["type"], after["type"]);
        }
    }
}

fn assembled(api: Api, frames: &[ChatFrame]) -> serde_json::Value {
    let mut gathered = Gathered::default();
    for frame in frames {
        gathered.take(frame).unwrap();
    }
    let frame = put_together(gathered, &http::HeaderMap::new()).unwrap();
    assert_eq!((frame.api(), frame.kind()), (api, crate::FrameKind::Answer));
    serde_json::from_slice(frame.bytes()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stream_becomes_the_answer_that_a_plain_call_gets() {
    let expected: serde_json::Value = serde_json::from_str(COMPLETED).unwrap();
    let poor = COMPLETED.split(",\"output\":").next().unwrap().to_owned() + ",\"usage\":{\"output_tokens\":3}}}";
    for events in [
        &OSLO[..],
        &OSLO[..8],
        &[CREATED, ADDED, DONE, &poor],
        &[CREATED, ADDED, OS, LO, &poor],
    ] {
        let read = got(Api::Responses, &stream(events), End::Closed).await;
        assert_eq!(read.kind(), None);
        let whole = assembled(Api::Responses, &read.frames);
        assert_eq!(
            whole["output"][0]["content"], expected["response"]["output"][0]["content"],
            "{events:?}"
        );
        assert_eq!(
            (&whole["id"], &whole["status"]),
            (&"resp_1".into(), &"completed".into())
        );
    }
    let read = got(Api::Responses, &stream(&OSLO), End::Closed).await;
    assert_eq!(assembled(Api::Responses, &read.frames), expected["response"]);

    let thinking =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#;
    let thought = r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h\"m"}}"#;
    let signature = r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}"#;
    let tool = r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#;
    let json = |text: &str| {
        let text = serde_json::Value::from(text);
        format!(
            r#"{{"type":"content_block_delta","index":1,"delta":{{"type":"input_json_delta","partial_json":{text}}}}}"#
        )
    };
    let (one, two) = (json(r#"{"city":"#), json(r#""Oslo"}"#));
    let tool_stop = BLOCK_STOP.replace('0', "1");
    let block = BLOCK.replace("\"index\":0", "\"index\":2");
    let (os, lo) = (
        M_OS.replace("\"index\":0", "\"index\":2"),
        M_LO.replace("\"index\":0", "\"index\":2"),
    );
    let events = [
        START, thinking, thought, signature, BLOCK_STOP, tool, &one, &two, &tool_stop, &block, &os, &lo, DELTA, STOP,
    ];
    let read = got(Api::Messages, &stream(&events), End::Closed).await;
    let whole = assembled(Api::Messages, &read.frames);
    assert_eq!(
        whole,
        serde_json::json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "a/b", "stop_reason": "end_turn", "stop_sequence": null,
            "content": [
                {"type": "thinking", "thinking": "h\"m", "signature": "c2ln"},
                {"type": "tool_use", "id": "t", "name": "f", "input": {"city": "Oslo"}},
                {"type": "text", "text": "Oslo."},
            ],
            "usage": {"input_tokens": 20, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1500, "output_tokens": 3, "cost": 0.25},
        })
    );
}
