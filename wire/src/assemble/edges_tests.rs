//! Answers whose first or last event is another than expected: begun again, or ended without what came before.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Assembler;
use crate::Api;

fn assembled(api: Api, events: &[Value]) -> Value {
    let mut assembler = Assembler::default();
    for event in events {
        assembler.add(api, &Bytes::from(event.to_string()), false).unwrap();
    }
    serde_json::from_slice(&assembler.whole()).unwrap()
}

#[test]
fn an_end_without_a_list_of_items_takes_none_away() {
    let says = json!({"id": "m", "type": "message", "content": [{"type": "output_text", "text": "4"}]});
    for output in [json!([]), json!(null), json!([null]), json!("")] {
        let whole = assembled(
            Api::Responses,
            &[
                json!({"type": "response.created", "response": {"id": "r", "output": []}}),
                json!({"type": "response.output_item.done", "output_index": 0, "item": says}),
                json!({"type": "response.completed", "response": {"id": "r", "object": "response", "status": "completed",
                    "output": output, "usage": {"output_tokens": 1}}}),
            ],
        );
        assert_eq!(whole["output"], json!([says]), "{output}");
        assert_eq!(
            (&whole["status"], &whole["usage"]["output_tokens"]),
            (&json!("completed"), &json!(1))
        );
    }
    // Without the member, too.
    let whole = assembled(
        Api::Responses,
        &[
            json!({"type": "response.output_item.done", "output_index": 0, "item": says}),
            json!({"type": "response.completed", "response": {"id": "r", "status": "completed"}}),
        ],
    );
    assert_eq!(whole["output"], json!([says]));
}

#[test]
fn a_message_that_begins_with_another_id_replaces_the_one_before_it() {
    let begun = |id: &str, tokens: u32| json!({"type": "message_start", "message": {"id": id, "content": [], "usage": {"input_tokens": tokens}}});
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let rest = [
        block.clone(),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Blue"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
    ];
    let of = |beginning: &[Value]| assembled(Api::Messages, &[beginning, &rest].concat());
    let whole = of(&[begun("a", 7), block, begun("b", 9)]);
    assert_eq!(whole["id"], "b");
    assert_eq!(whole["content"], json!([{"type": "text", "text": "Blue"}]));
    assert_eq!(whole["usage"], json!({"input_tokens": 9, "output_tokens": 3}));
    // The same once more.
    let whole = of(&[begun("a", 7), begun("a", 0)]);
    assert_eq!(whole["content"], json!([{"type": "text", "text": "Blue"}]));
    assert_eq!(whole["usage"], json!({"input_tokens": 7, "output_tokens": 3}));
}
