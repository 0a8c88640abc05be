//! Items and blocks whose events name them badly, as real servers send them.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Assembler, merged};
use crate::Api;

fn assembled(api: Api, events: &[Value]) -> Value {
    let mut assembler = Assembler::default();
    for event in events {
        assembler.add(api, &Bytes::from(event.to_string()), false).unwrap();
    }
    serde_json::from_slice(&assembler.whole()).unwrap()
}

fn start(index: Option<u64>, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: Option<u64>, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: Option<u64>) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn message(blocks: &[Value]) -> Value {
    let mut events = vec![json!({"type": "message_start", "message": {"id": "m", "role": "assistant", "content": []}})];
    events.extend(blocks.iter().cloned());
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}));
    assembled(Api::Messages, &events)["content"].clone()
}

#[test]
fn a_block_that_begins_at_the_index_of_another_is_a_block_of_its_own() {
    // Anthropic's own: the text behind a search has the index of its result.
    let found = json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]});
    let content = message(&[
        start(Some(0), &json!({"type": "text", "text": ""})),
        delta(Some(0), &json!({"type": "text_delta", "text": "Let me see."})),
        stop(Some(0)),
        start(Some(1), &found),
        stop(Some(1)),
        start(Some(1), &json!({"type": "text", "text": ""})),
        delta(Some(1), &json!({"type": "text_delta", "text": "Blue"})),
        stop(Some(1)),
    ]);
    assert_eq!(
        content,
        json!([{"type": "text", "text": "Let me see."}, found, {"type": "text", "text": "Blue"}])
    );
    // Two calls at one index, closed or not.
    for closes in [true, false] {
        let call = |name: &str, input: &str| {
            let block = json!({"type": "tool_use", "id": name, "name": name, "input": {}});
            let mut events = vec![
                start(Some(0), &block),
                delta(Some(0), &json!({"type": "input_json_delta", "partial_json": input})),
            ];
            events.extend(closes.then(|| stop(Some(0))));
            events
        };
        let content = message(&[call("f", "{\"a\":1}"), call("g", "{\"b\":2}")].concat());
        assert_eq!(content[0]["input"], json!({"a": 1}), "{content}");
        assert_eq!(
            (&content[1]["name"], &content[1]["input"]),
            (&json!("g"), &json!({"b": 2}))
        );
    }
}

#[test]
fn a_delta_without_an_index_belongs_to_the_block_that_began_last() {
    let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
    let content = message(&[
        start(None, &json!({"type": "text", "text": ""})),
        delta(None, &json!({"type": "text_delta", "text": "Hello"})),
        stop(None),
        start(None, &call),
        delta(None, &json!({"type": "input_json_delta", "partial_json": "{\"a\":1}"})),
        stop(None),
    ]);
    let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}});
    assert_eq!(content, json!([{"type": "text", "text": "Hello"}, call]));
    // Only the deltas lack it.
    let content = message(&[
        start(Some(0), &json!({"type": "text", "text": ""})),
        delta(Some(0), &json!({"type": "text_delta", "text": "Hello"})),
        stop(Some(0)),
        start(Some(1), &call),
        delta(None, &json!({"type": "input_json_delta", "partial_json": "{\"a\":1}"})),
    ]);
    assert_eq!(
        (&content[0], &content[1]),
        (&json!({"type": "text", "text": "Hello"}), &call)
    );
}

fn response(events: &[Value]) -> Value {
    let mut all = vec![json!({"type": "response.created", "response": {"id": "r", "output": []}})];
    all.extend(events.iter().cloned());
    all.push(json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}}));
    assembled(Api::Responses, &all)["output"].clone()
}

#[test]
fn items_at_one_index_or_at_none_are_all_kept() {
    let says =
        json!({"id": "m", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "4"}]});
    let call = json!({"id": "c", "type": "function_call", "name": "f", "arguments": "{\"a\":1}"});
    let begun = json!({"id": "c", "type": "function_call", "name": "f", "arguments": ""});
    let strip = |item: &Value| {
        let mut item = item.clone();
        item.as_object_mut().unwrap().remove("id");
        item
    };
    for index in [Some(0), None] {
        for has_id in [true, false] {
            let of = |item: &Value| if has_id { item.clone() } else { strip(item) };
            let output = response(&[
                json!({"type": "response.output_text.delta", "output_index": index, "item_id": has_id.then_some("m"), "delta": "4"}),
                json!({"type": "response.output_item.done", "output_index": index, "item": of(&says)}),
                json!({"type": "response.output_item.added", "output_index": index, "item": of(&begun)}),
                json!({"type": "response.function_call_arguments.delta", "output_index": index, "item_id": has_id.then_some("c"), "delta": "{\"a\":1}"}),
                json!({"type": "response.output_item.done", "output_index": index, "item": of(&call)}),
            ]);
            assert_eq!(output, json!([of(&says), of(&call)]), "{index:?} {has_id}");
        }
    }
    // Both open at once: the ids tell them apart.
    let output = response(&[
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"id": "m", "type": "message", "content": []}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": &begun}),
        json!({"type": "response.output_text.delta", "output_index": 0, "item_id": "m", "delta": "4"}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "c", "delta": "{\"a\":1}"}),
    ]);
    assert_eq!(output[0]["content"][0]["text"], "4", "{output}");
    assert_eq!(output[1]["arguments"], "{\"a\":1}", "{output}");
    // An item that is announced twice is one, and items out of order stand in order.
    let output = response(&[
        json!({"type": "response.output_item.added", "output_index": 1, "item": &begun}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": &begun}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": &call}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": &says}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": &says}),
    ]);
    assert_eq!(output, json!([says, call]));
}

#[test]
fn what_stands_only_in_pieces_is_part_of_the_item() {
    let empty = |kind: &str, member: &str| json!({"id": "i", "type": kind, "status": "completed", member: []});
    let piece =
        |kind: &str, name: &str, text: &str| json!({"type": format!("response.{kind}"), "output_index": 0, name: text});
    for (events, item, place, text) in [
        (
            vec![piece("output_text.delta", "delta", "4")],
            empty("message", "content"),
            "/content/0/text",
            "4",
        ),
        (
            vec![piece("output_text.done", "text", "4")],
            empty("message", "content"),
            "/content/0/text",
            "4",
        ),
        (
            vec![
                piece("output_text.delta", "delta", "4"),
                piece("output_text.done", "text", "42"),
            ],
            json!({"id": "i", "type": "message", "content": [{"type": "output_text", "text": ""}]}),
            "/content/0/text",
            "42",
        ),
        (
            vec![piece("refusal.delta", "delta", "No.")],
            empty("message", "content"),
            "/content/0/refusal",
            "No.",
        ),
        (
            vec![
                json!({"type": "response.content_part.done", "output_index": 0, "part": {"type": "output_text", "text": "4"}}),
            ],
            empty("message", "content"),
            "/content/0/text",
            "4",
        ),
        (
            vec![piece("reasoning_summary_text.delta", "delta", "hm")],
            empty("reasoning", "summary"),
            "/summary/0/text",
            "hm",
        ),
        (
            vec![piece("reasoning_text.delta", "delta", "hm")],
            empty("reasoning", "content"),
            "/content/0/text",
            "hm",
        ),
        (
            vec![piece("custom_tool_call_input.delta", "delta", "ls")],
            json!({"id": "i", "type": "custom_tool_call", "name": "sh", "input": ""}),
            "/input",
            "ls",
        ),
        (
            vec![piece("function_call_arguments.done", "arguments", "{}")],
            json!({"id": "i", "type": "function_call", "name": "f", "arguments": ""}),
            "/arguments",
            "{}",
        ),
    ] {
        for is_closed in [true, false] {
            let mut all = vec![json!({"type": "response.output_item.added", "output_index": 0, "item": &item})];
            all.extend(events.iter().cloned());
            all.extend(
                is_closed.then(|| json!({"type": "response.output_item.done", "output_index": 0, "item": &item})),
            );
            let output = response(&all);
            assert_eq!(output.pointer(&format!("/0{place}")), Some(&json!(text)), "{output}");
            assert_eq!(output[0]["id"], "i");
        }
    }
    // The item's own words go before.
    let said = json!({"id": "i", "type": "message", "content": [{"type": "output_text", "text": "four", "annotations": [{"u": 1}]}]});
    let output = response(&[
        piece("output_text.delta", "delta", "4"),
        json!({"type": "response.output_item.done", "output_index": 0, "item": &said}),
    ]);
    assert_eq!(output, json!([said]));
    // Each part keeps its place.
    let part = |at: u64, text: &str| json!({"type": "response.output_text.delta", "output_index": 0, "content_index": at, "delta": text});
    let output = response(&[part(0, "a"), part(1, "c"), part(0, "b")]);
    assert_eq!(output[0]["content"][0]["text"], "ab", "{output}");
    assert_eq!(output[0]["content"][1]["text"], "c", "{output}");
}

#[test]
fn one_call_that_is_in_no_list_and_ids_that_are_none() {
    let chat = |deltas: &[Value]| {
        let chunks: Vec<Value> = deltas
            .iter()
            .map(|delta| json!({"choices": [{"index": 0, "delta": delta}]}))
            .collect();
        assembled(Api::Chat, &chunks)["choices"][0]["message"]["tool_calls"].clone()
    };
    let calls = chat(&[
        json!({"tool_calls": {"index": 0, "id": "", "type": "function", "function": {"name": "f", "arguments": ""}}}),
        json!({"tool_calls": {"index": 0, "function": {"arguments": "{\"a\":1}"}}}),
    ]);
    assert_eq!(
        calls[0]["function"],
        json!({"name": "f", "arguments": "{\"a\":1}"}),
        "{calls}"
    );
    // Mistral.
    let call = |name: &str, arguments: &str| json!({"id": "null", "type": "function", "function": {"name": name, "arguments": arguments}});
    let calls = chat(&[json!({"tool_calls": [call("f", "{\"a\":1}"), call("g", "{\"b\":2}")]})]);
    assert_eq!(calls.as_array().map(Vec::len), Some(2), "{calls}");
    assert_eq!(
        calls[1]["function"],
        json!({"name": "g", "arguments": "{\"b\":2}"}),
        "{calls}"
    );
    let calls = chat(&[
        json!({"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{\"a\""}}]}),
        json!({"tool_calls": [{"id": "null", "function": {"arguments": ":1}"}}]}),
    ]);
    assert_eq!(calls.as_array().map(Vec::len), Some(1), "{calls}");
    assert_eq!(calls[0]["function"]["arguments"], "{\"a\":1}");
}

/// The item is read once, not for each piece of it: that would take minutes here.
#[test]
fn a_large_item_is_read_once_however_many_pieces_follow() {
    let large = "x".repeat(1 << 20);
    let item = json!({"type": "message", "id": "m", "content": [], "note": large});
    let mut assembler = Assembler::default();
    let mut add = |event: Value| {
        assembler
            .add(Api::Responses, &Bytes::from(event.to_string()), false)
            .unwrap();
    };
    add(json!({"type": "response.output_item.added", "output_index": 0, "item": item}));
    for _ in 0..50_000 {
        add(
            json!({"type": "response.output_text.delta", "output_index": 0, "item_id": "m", "content_index": 0, "delta": "w"}),
        );
    }
    assert_eq!(assembler.text().len(), 50_000);
}

#[test]
fn a_delta_of_any_kind_adds_to_the_member_of_its_name() {
    for content in [Value::Null, json!(""), json!("SUM")] {
        let rest = if content == "SUM" { "" } else { "SUM" };
        let whole = message(&[
            start(Some(0), &json!({"type": "compaction", "content": content})),
            delta(
                Some(0),
                &json!({"type": "compaction_delta", "content": rest, "encrypted_content": null}),
            ),
            delta(
                Some(0),
                &json!({"type": "compaction_delta", "content": "MARY \"\u{e9}\""}),
            ),
            delta(
                Some(0),
                &json!({"type": "compaction_delta", "content": null, "kept": {"turns": 2}, "kept_last": 1.0}),
            ),
            stop(Some(0)),
            start(Some(1), &json!({"type": "text", "text": ""})),
            delta(Some(1), &json!({"type": "text_delta", "text": "Blue"})),
            stop(Some(1)),
        ]);
        assert_eq!(
            whole,
            json!([
                {"type": "compaction", "content": "SUMMARY \"\u{e9}\"", "kept": {"turns": 2}, "kept_last": 1.0},
                {"type": "text", "text": "Blue"},
            ])
        );
    }
}

#[test]
fn what_stands_beside_the_end_of_a_message_is_kept() {
    let whole = assembled(
        Api::Messages,
        &[
            json!({"type": "message_start", "message": {"id": "m", "type": "message", "content": [], "context_management": null}}),
            start(Some(0), &json!({"type": "text", "text": "Blue"})),
            stop(Some(0)),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3},
                "context_management": {"applied_edits": [{"type": "clear_tool_uses_20250919"}]}}),
            json!({"type": "message_stop", "openrouter_metadata": {"region": "eu"}, "context_management": null}),
        ],
    );
    let members = [
        ("type", json!("message")),
        ("stop_reason", json!("end_turn")),
        ("usage", json!({"output_tokens": 3})),
        (
            "context_management",
            json!({"applied_edits": [{"type": "clear_tool_uses_20250919"}]}),
        ),
        ("openrouter_metadata", json!({"region": "eu"})),
    ];
    for (name, value) in members {
        assert_eq!(whole[name], value, "{name}: {whole}");
    }
    assert_eq!(whole.get("delta"), None, "{whole}");
}

#[test]
fn a_zero_at_the_end_takes_no_count_of_the_beginning_away() {
    let begun = json!({"input_tokens": 1200, "cache_read_input_tokens": 3000, "output_tokens": 0, "speed": "fast",
        "cache_creation": {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 0}});
    let ended = json!({"input_tokens": 0, "cache_read_input_tokens": 0.0, "output_tokens": 55, "speed": "standard",
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}, "cost": 0});
    let both = json!({"input_tokens": 1200, "cache_read_input_tokens": 3000, "output_tokens": 55, "speed": "standard",
        "cache_creation": {"ephemeral_5m_input_tokens": 7, "ephemeral_1h_input_tokens": 0}, "cost": 0});
    let whole = assembled(
        Api::Messages,
        &[
            json!({"type": "message_start", "message": {"id": "m", "content": [], "usage": begun}}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": ended}),
        ],
    );
    assert_eq!(whole["usage"], both);
    let usage = [&begun, &ended].map(|usage| Bytes::from(usage.to_string()));
    let merged: Value = serde_json::from_slice(&merged(&usage).unwrap()).unwrap();
    assert_eq!(merged, both);
}
