//! Plain answers of servers that write their items otherwise than the API has it: what a reader takes for text reaches a client as an event.

use serde_json::{Value, json};

use super::tests::events;
use crate::Api;

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

#[test]
fn the_text_of_a_message_is_an_event_wherever_it_stands() {
    for content in [
        r#""Hello world""#,
        r#"["Hello world"]"#,
        r#"{"type":"text","text":"Hello world"}"#,
        r#"[{"text":"Hello world"}]"#,
        r#"[{"type":"output_text","text":"Hello world"}]"#,
        r#"[{"type":"te\u0078t","text":"Hello world"}]"#,
        r#"[{"type":"text","content":"Hello world"}]"#,
    ] {
        let answer = format!(r#"{{"type":"message","content":{content},"stop_reason":"end_turn"}}"#);
        let got = events(Api::Messages, &answer);
        let begun: Vec<_> = of(&got, "content_block_start")
            .iter()
            .map(|event| event["content_block"].clone())
            .collect();
        assert_eq!(begun, [json!({"type": "text", "text": ""})], "{content}");
        let deltas: Vec<_> = of(&got, "content_block_delta")
            .iter()
            .map(|event| event["delta"].clone())
            .collect();
        assert_eq!(
            deltas,
            [json!({"type": "text_delta", "text": "Hello world"})],
            "{content}"
        );
    }
    for content in [r#""""#, "null", "[]", "7"] {
        let answer = format!(r#"{{"type":"message","content":{content},"stop_reason":"end_turn"}}"#);
        let got = events(Api::Messages, &answer);
        assert!(of(&got, "content_block_start").is_empty(), "{content}");
    }
}

#[test]
fn the_text_of_a_response_is_an_event_wherever_it_stands() {
    for output in [
        r#""Hello world""#,
        r#"["Hello world"]"#,
        r#"{"type":"message","content":[{"type":"output_text","text":"Hello world"}]}"#,
        r#"[{"type":"message","content":"Hello world"}]"#,
        r#"[{"type":"message","content":["Hello world"]}]"#,
        r#"[{"type":"message","content":{"type":"output_text","text":"Hello world"}}]"#,
        r#"[{"type":"message","content":[{"type":"text","text":"Hello world"}]}]"#,
        r#"[{"type":"message","content":[{"type":"input_text","text":"Hello world"}]}]"#,
        r#"[{"type":"message","content":[{"text":"Hello world"}]}]"#,
        r#"[{"type":"message","content":[],"text":"Hello world"}]"#,
        r#"[{"role":"assistant","content":[{"type":"output_text","text":"Hello world"}]}]"#,
        r#"[{"type":"output_text","text":"Hello world","annotations":[]}]"#,
        r#"[{"text":"Hello world"}]"#,
        r#"[],"output_text":"Hello world""#,
        r#"[{"type":"message","content":[]}],"output_text":"Hello world""#,
        r#"null,"output_text":"Hello world""#,
    ] {
        let answer = format!(r#"{{"object":"response","status":"completed","output":{output}}}"#);
        let got = events(Api::Responses, &answer);
        let deltas: Vec<_> = of(&got, "response.output_text.delta")
            .iter()
            .map(|event| event["delta"].clone())
            .collect();
        assert_eq!(deltas, ["Hello world"], "{output}");
        let done: Vec<_> = of(&got, "response.output_item.done")
            .iter()
            .map(|event| event["item"].clone())
            .collect();
        let item = done.last().unwrap();
        let part = &item["content"][0];
        assert_eq!(
            (&item["type"], &part["type"], &part["text"]),
            (&json!("message"), &json!("output_text"), &json!("Hello world")),
            "{output}"
        );
        assert_eq!(item["text"], Value::Null, "it is not said twice: {output}");
        let last = got.last().unwrap();
        assert_eq!(last["response"]["output"], json!(done), "{output}");
    }
    // Thoughts are no text of the answer.
    let answer = r#"{"object":"response","status":"completed","output":[
        {"type":"reasoning","id":"rs_1","summary":"Hm","content":[{"text":"Ah"}]},
        {"type":"message","content":[{"type":"output_text","text":"Oslo."}]}],"output_text":"Oslo."}"#;
    let got = events(Api::Responses, answer);
    for (kind, text) in [
        ("response.reasoning_summary_text.delta", "Hm"),
        ("response.reasoning_text.delta", "Ah"),
        ("response.output_text.delta", "Oslo."),
    ] {
        let deltas = of(&got, kind);
        assert_eq!((deltas.len(), &deltas[0]["delta"]), (1, &json!(text)), "{kind}");
    }
}

#[test]
fn the_input_of_a_call_is_json_text_once() {
    let arguments = r#"{"x": 1.0}"#;
    for input in [json!(arguments).to_string(), arguments.to_owned()] {
        let answer = format!(
            r#"{{"type":"message","content":[{{"type":"tool_use","id":"t","name":"f","input":{input}}}],"stop_reason":"tool_use"}}"#
        );
        let got = events(Api::Messages, &answer);
        assert_eq!(of(&got, "content_block_start")[0]["content_block"]["input"], json!({}));
        let delta = &of(&got, "content_block_delta")[0]["delta"];
        assert_eq!(*delta, json!({"type": "input_json_delta", "partial_json": arguments}));

        for (kind, member, stem) in [
            ("function_call", "arguments", "function_call_arguments"),
            ("mcp_call", "arguments", "mcp_call_arguments"),
            ("custom_tool_call", "input", "custom_tool_call_input"),
        ] {
            let answer = format!(
                r#"{{"object":"response","status":"completed","output":[{{"type":"{kind}","call_id":"c","name":"f","{member}":{input}}}]}}"#
            );
            let got = events(Api::Responses, &answer);
            assert_eq!(
                of(&got, &format!("response.{stem}.delta"))[0]["delta"],
                arguments,
                "{kind}"
            );
            assert_eq!(
                of(&got, &format!("response.{stem}.done"))[0][member],
                arguments,
                "{kind}"
            );
            let item = &of(&got, "response.output_item.done")[0]["item"];
            assert_eq!(item[member], arguments, "{kind}");
            assert_eq!(got.last().unwrap()["response"]["output"], json!([item]), "{kind}");
        }
    }
    // Without input it is that of a call without arguments, and what is null is no text.
    let answer = r#"{"type":"message","content":[{"type":"tool_use","id":"t","name":"f","input":null}]}"#;
    let got = events(Api::Messages, answer);
    assert_eq!(of(&got, "content_block_delta")[0]["delta"]["partial_json"], "{}");
    let answer = r#"{"object":"response","status":"completed","output":[{"type":"function_call","call_id":"c","arguments":null}]}"#;
    let got = events(Api::Responses, answer);
    assert!(of(&got, "response.function_call_arguments.delta").is_empty());
}

#[test]
fn the_last_event_of_a_response_is_that_of_its_status() {
    for (status, begun, last) in [
        (r#""queued""#, "queued", "response.queued"),
        (r#""in_progress""#, "in_progress", "response.in_progress"),
        (r#""incomplete""#, "in_progress", "response.incomplete"),
        (r#""completed""#, "in_progress", "response.completed"),
        ("null", "in_progress", "response.completed"),
    ] {
        let answer = format!(r#"{{"object":"response","status":{status},"output":[]}}"#);
        let got = events(Api::Responses, &answer);
        let types: Vec<_> = got.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["response.created", last], "{status}");
        assert_eq!(got[0]["response"]["status"], begun, "{status}");
        assert_eq!(got[1]["response"], serde_json::from_str::<Value>(&answer).unwrap());
    }
}
