//! Streams as they come, seen by the probe and by the chunk alike.

use crate::{
    chat::{ChatChunk, ChunkProbe},
    finish::FinishReason,
};

const HEAD: &str = r#"{"id":"gen-1795412400-Zz9Yy8Xx7Ww6Vv5Uu4Tt","object":"chat.completion.chunk","created":1795412400,"model":"anthropic/claude-sonnet-4.5","provider":"Anthropic","#;

fn stream(rest: &[&str]) -> Vec<String> {
    rest.iter().map(|rest| format!("{HEAD}{rest}}}")).collect()
}

fn reasoned() -> Vec<String> {
    stream(&[
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"The user wants a city.","reasoning_details":[{"type":"reasoning.text","text":"The user wants a city.","format":"anthropic-claude-v1","index":0}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]"#,
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_details":[{"type":"reasoning.text","signature":"c2lnbmF0dXJl","format":"anthropic-claude-v1","index":0}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]"#,
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":"Os"},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]"#,
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":"lo."},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]"#,
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop","native_finish_reason":"end_turn","logprobs":null}]"#,
        r#""service_tier":null,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop","native_finish_reason":"end_turn","logprobs":null}],"usage":{"prompt_tokens":18,"completion_tokens":42,"total_tokens":60,"cost":0.000684,"is_byok":false,"completion_tokens_details":{"reasoning_tokens":36}}"#,
    ])
}

#[test]
fn a_reasoned_answer() {
    let mut text = String::new();
    let mut probed = String::new();
    let chunks = reasoned();
    for data in &chunks {
        let chunk = ChatChunk::from_json(data.as_bytes()).unwrap();
        text += chunk.text().unwrap_or_default();
        probed += &ChunkProbe::read(data.as_bytes()).unwrap().text().unwrap_or_default();
    }
    assert_eq!((text.as_str(), probed.as_str()), ("Oslo.", "Oslo."));
    let seen: Vec<_> = chunks
        .iter()
        .map(|data| ChunkProbe::read(data.as_bytes()).unwrap())
        .map(|p| (p.has_content(), p.has_finish(), p.has_usage()))
        .collect();
    let expected = [
        (true, false, false),
        (false, false, false),
        (true, false, false),
        (true, false, false),
        (false, true, false),
        (false, true, true),
    ];
    assert_eq!(seen, expected);
    let first = ChunkProbe::read(chunks[0].as_bytes()).unwrap();
    assert_eq!(first.reasoning().as_deref(), Some("The user wants a city."));
    let last = ChatChunk::from_json(chunks[5].as_bytes()).unwrap();
    assert_eq!(last.usage.unwrap().reasoning_tokens(), 36);
    let detail = &ChatChunk::from_json(chunks[1].as_bytes()).unwrap().choices[0]
        .delta
        .reasoning_details[0];
    assert_eq!(
        (detail.signature.as_deref(), detail.index),
        (Some("c2lnbmF0dXJl"), Some(0))
    );
}

#[test]
fn a_tool_call_in_pieces() {
    let chunks = stream(&[
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_7hQ2","type":"function","function":{"name":"get_weather","arguments":""}}]},"finish_reason":null}]"#,
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]},"finish_reason":null}]"#,
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"function":{"arguments":"\"Oslo\"}"}}]},"finish_reason":null}]"#,
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"tool_calls"}]"#,
        r#""choices":[],"usage":{"prompt_tokens":58,"completion_tokens":14,"total_tokens":72,"cost":0.0000171,"is_byok":false}"#,
    ]);
    let mut arguments = String::new();
    for data in &chunks {
        for choice in ChatChunk::from_json(data.as_bytes()).unwrap().choices {
            for call in choice.delta.tool_calls {
                assert_eq!(call.index, Some(0));
                arguments += &call.function.unwrap().arguments.unwrap();
            }
        }
    }
    assert_eq!(arguments, "{\"city\":\"Oslo\"}");
    let probes: Vec<_> = chunks
        .iter()
        .map(|data| ChunkProbe::read(data.as_bytes()).unwrap())
        .collect();
    assert!(
        probes[..3]
            .iter()
            .all(|probe| probe.has_tool_call() && probe.has_content())
    );
    assert_eq!(probes[3].finish_reason(), Some(FinishReason::ToolCalls));
    assert_eq!((probes[4].choices(), probes[4].completion_tokens()), (0, Some(14)));
}

#[test]
fn a_chunk_is_written_as_it_was_read() {
    for data in reasoned() {
        let chunk = ChatChunk::from_json(data.as_bytes()).unwrap();
        let again = ChatChunk::from_json(&serde_json::to_vec(&chunk).unwrap()).unwrap();
        assert_eq!(again, chunk);
    }
}
