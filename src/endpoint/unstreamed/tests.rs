//! What a plain answer is as events.

use serde_json::{Value, json};

use super::*;

pub(super) fn events(api: Api, answer: &str) -> Vec<Value> {
    let events = as_events(api, answer.as_bytes());
    assert!(events.iter().flatten().all(|byte| !matches!(byte, b'\n' | b'\r')));
    events
        .iter()
        .map(|event| serde_json::from_slice(event).unwrap())
        .collect()
}

#[test]
fn a_response_streams_each_item_and_part() {
    let answer = r#"{"id":"resp_1","status":"completed","output":[
        {"type":"reasoning","id":"rs_1","summary":[]},
        {"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Oslo.\n"}]},
        {"type":"function_call","id":"fc_1","call_id":"call_1","name":"look","arguments":"{\"x\":1}"}],
        "usage":{"cost":0.00000390}}"#;
    let got = events(Api::Responses, answer);
    let types: Vec<_> = got.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "response.created",
            "response.output_item.added",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (at, event) in got.iter().enumerate() {
        assert_eq!(event["sequence_number"], at);
    }
    assert_eq!(got[0]["response"]["output"], json!([]));
    assert_eq!(got[3]["item"]["content"], json!([]));
    let delta = json!({"type": "response.output_text.delta", "sequence_number": 5, "item_id": "msg_1", "output_index": 1,
        "content_index": 0, "delta": "Oslo.\n", "logprobs": []});
    assert_eq!(got[5], delta);
    assert_eq!(got[10]["delta"], r#"{"x":1}"#);
    assert_eq!(got[11]["name"], "look");
    let last = as_events(Api::Responses, answer.as_bytes()).pop().unwrap();
    assert!(String::from_utf8(last).unwrap().contains("0.00000390"), "as it came");
    let cut = events(Api::Responses, r#"{"status":"incomplete","output":[]}"#);
    assert_eq!(cut.last().unwrap()["type"], "response.incomplete");
}

#[test]
fn each_kind_of_item_streams_its_own_events() {
    let answer = r#"{"id":"resp_1","status":"completed","output":[
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"First"},{"type":"summary_text","text":"Then"}],
            "content":[{"type":"reasoning_text","text":"Hm"}]},
        {"type":"mcp_call","id":"mcp_1","name":"f","arguments":"{}","output":"4"},
        {"type":"custom_tool_call","id":"ctc_1","call_id":"c","name":"g","input":"ls"},
        {"type":"code_interpreter_call","id":"ci_1","code":"1+1","outputs":[]},
        {"type":"new_call","id":"n_1","arguments":"{}","input":"x","summary":[]}]}"#;
    let got = events(Api::Responses, answer);
    let types: Vec<_> = got
        .iter()
        .map(|event| event["type"].as_str().unwrap().strip_prefix("response.").unwrap())
        .filter(|name| !name.starts_with("output_item."))
        .collect();
    assert_eq!(
        types,
        [
            "created",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "content_part.added",
            "reasoning_text.delta",
            "reasoning_text.done",
            "content_part.done",
            "mcp_call_arguments.delta",
            "mcp_call_arguments.done",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.done",
            "code_interpreter_call_code.delta",
            "code_interpreter_call_code.done",
            "completed",
        ]
    );
    let of = |kind: &str| {
        got.iter()
            .filter(|event| event["type"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    let summaries = of("response.reasoning_summary_text.delta");
    assert_eq!(
        (&summaries[0]["delta"], &summaries[1]["delta"]),
        (&json!("First"), &json!("Then"))
    );
    assert_eq!(
        (&summaries[1]["summary_index"], &summaries[1]["item_id"]),
        (&json!(1), &json!("rs_1"))
    );
    let part = &of("response.reasoning_summary_part.added")[0]["part"];
    assert_eq!(*part, json!({"type": "summary_text", "text": ""}));
    assert_eq!(of("response.custom_tool_call_input.done")[0]["input"], "ls");
    assert_eq!(of("response.code_interpreter_call_code.done")[0]["code"], "1+1");
    let begun = of("response.output_item.added");
    assert_eq!(
        (&begun[0]["item"]["summary"], &begun[0]["item"]["content"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(
        (&begun[1]["item"]["arguments"], &begun[1]["item"]["output"]),
        (&json!(""), &json!("4"))
    );
    assert_eq!(
        (&begun[2]["item"]["input"], &begun[3]["item"]["code"]),
        (&json!(""), &json!(""))
    );
    assert_eq!(
        begun[4]["item"],
        json!({"type": "new_call", "id": "n_1", "arguments": "{}", "input": "x", "summary": []})
    );
}

#[test]
fn a_message_streams_each_block() {
    let answer = r#"{"id":"msg_1","content":[{"type":"thinking","thinking":"Hm","signature":"c2ln"},
        {"type":"text","text":"Oslo.","citations":null},{"type":"tool_use","id":"t","name":"look","input":{"x":1}},
        {"type":"new_block","new":1}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"output_tokens":5}}"#;
    let got = events(Api::Messages, answer);
    let of = |kind: &str| {
        got.iter()
            .filter(|event| event["type"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(got.first().unwrap()["message"]["content"], json!([]));
    let deltas: Vec<_> = of("content_block_delta")
        .iter()
        .map(|event| event["delta"].clone())
        .collect();
    assert_eq!(
        deltas,
        [
            json!({"type": "thinking_delta", "thinking": "Hm"}),
            json!({"type": "signature_delta", "signature": "c2ln"}),
            json!({"type": "text_delta", "text": "Oslo."}),
            json!({"type": "input_json_delta", "partial_json": "{\"x\":1}"}),
        ]
    );
    let begun: Vec<_> = of("content_block_start")
        .iter()
        .map(|event| event["content_block"].clone())
        .collect();
    assert_eq!(begun[1], json!({"type": "text", "text": "", "citations": null}));
    assert_eq!(begun[2]["input"], json!({}));
    assert_eq!(begun[3], json!({"type": "new_block", "new": 1}));
    let end = of("message_delta");
    assert_eq!(
        (&end[0]["delta"]["stop_reason"], &end[0]["usage"]),
        (&json!("tool_use"), &json!({"output_tokens": 5}))
    );
    assert_eq!(got.last().unwrap(), &json!({"type": "message_stop"}));
}

#[test]
fn a_message_begins_with_what_its_clients_require() {
    for usage in ["", r#","usage":null"#] {
        let answer = format!(
            r#"{{"id":"msg_1","model":"m","content":[{{"type":"text","text":"Oslo."}}],"stop_reason":"end_turn"{usage}}}"#
        );
        let got = events(Api::Messages, &answer);
        let begun = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 0, "output_tokens": 0}});
        assert_eq!(got[0]["message"], begun, "{usage}");
        let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 0}});
        assert_eq!(got[got.len() - 2], end, "{usage}");
    }
}

#[test]
fn the_sources_of_a_text_are_events_of_their_own() {
    let (one, two) = (
        r#"{"type":"url_citation","url":"a","start_index":0}"#,
        r#"{"type":"new","n":1.0}"#,
    );
    let answer = format!(
        r#"{{"id":"resp_1","status":"completed","output":[{{"type":"message","id":"msg_1","content":[
            {{"type":"output_text","text":"Oslo.","annotations":[{one},{two}]}},{{"type":"output_text","text":"No.","annotations":[]}}]}}]}}"#
    );
    let got = events(Api::Responses, &answer);
    let of = |kind: &str| {
        got.iter()
            .filter(|event| event["type"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    let begun = of("response.content_part.added");
    assert_eq!(begun[0]["part"]["annotations"], json!([]));
    let added = of("response.output_text.annotation.added");
    assert_eq!(added.len(), 2);
    let first = json!({"type": "response.output_text.annotation.added", "sequence_number": 4, "item_id": "msg_1",
        "output_index": 0, "content_index": 0, "annotation_index": 0,
        "annotation": {"type": "url_citation", "url": "a", "start_index": 0}});
    assert_eq!(added[0], first);
    assert_eq!(
        (&added[1]["annotation_index"], &added[1]["annotation"]),
        (&json!(1), &json!({"type": "new", "n": 1.0}))
    );
    let done = of("response.content_part.done");
    assert_eq!(done[0]["part"]["annotations"][1], json!({"type": "new", "n": 1.0}));

    let answer = format!(
        r#"{{"id":"msg_1","content":[{{"type":"text","text":"Oslo.","citations":[{one},{two}]}},{{"type":"text","text":"No.","citations":[]}}]}}"#
    );
    let got = events(Api::Messages, &answer);
    let blocks: Vec<_> = got
        .iter()
        .filter(|event| event["index"] == 0)
        .map(|event| event.get("content_block").or_else(|| event.get("delta")).cloned())
        .collect();
    assert_eq!(
        blocks,
        [
            Some(json!({"type": "text", "text": "", "citations": []})),
            Some(json!({"type": "text_delta", "text": "Oslo."})),
            Some(
                json!({"type": "citations_delta", "citation": {"type": "url_citation", "url": "a", "start_index": 0}})
            ),
            Some(json!({"type": "citations_delta", "citation": {"type": "new", "n": 1.0}})),
            None,
        ]
    );
}
