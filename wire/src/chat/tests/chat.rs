//! Plain answers and chunks: read, written again, unknown fields kept.

use serde_json::{Value, json};

use crate::{
    chat::{ChatChunk, ChatResponse},
    finish::FinishReason,
    usage::{Usage, usage_counts},
};

const PLAIN: &str = r#"{"id":"gen-1795412345-Ab3dEf6hIj9kLm2nOp5q","provider":"OpenAI","model":"openai/gpt-4o-mini",
 "object":"chat.completion","created":1795412345,"system_fingerprint":"fp_demo","service_tier":"default",
 "choices":[{"index":0,"logprobs":null,"finish_reason":"stop","native_finish_reason":"stop",
   "message":{"role":"assistant","content":"23 is a prime above 20.","refusal":null,"reasoning":null}}],
 "usage":{"prompt_tokens":15,"completion_tokens":9,"total_tokens":24,"cost":0.00000765,"is_byok":false,
   "prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2,"audio_tokens":0,"video_tokens":0},
   "cost_details":{"upstream_inference_cost":0.00000765,"upstream_inference_prompt_cost":0.00000225,"upstream_inference_completions_cost":0.0000054},
   "completion_tokens_details":{"reasoning_tokens":3,"image_tokens":0,"audio_tokens":0}}}"#;

const TOOLS: &str = r#"{"id":"gen-1795412350-Qq1Ww2Ee3Rr4Tt5Yy6Uu","provider":"Google","model":"google/gemini-2.5-flash",
 "object":"chat.completion","created":1795412350,"system_fingerprint":null,
 "choices":[{"index":0,"logprobs":null,"finish_reason":"tool_calls","native_finish_reason":"STOP",
   "message":{"role":"assistant","content":"","refusal":null,"reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s","index":0,"new":1}],
     "tool_calls":[{"index":0,"id":"tool_0_get_weather","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}}]}}],
 "usage":{"prompt_tokens":61,"completion_tokens":17,"total_tokens":78,"cost":0.0000608,"is_byok":false},
 "openrouter_metadata":{"requested":"openai/gpt-4o-mini","strategy":"fallback","attempt":3}}"#;

#[test]
fn reads_a_plain_answer() {
    let answer = ChatResponse::from_json(format!("\n      \n   {PLAIN}").as_bytes()).unwrap();
    assert_eq!(answer.id, "gen-1795412345-Ab3dEf6hIj9kLm2nOp5q");
    assert_eq!(
        (answer.object.as_str(), answer.created, answer.model.as_str()),
        ("chat.completion", 1_795_412_345, "openai/gpt-4o-mini")
    );
    assert_eq!(answer.provider.as_deref(), Some("OpenAI"));
    assert_eq!(answer.service_tier.as_deref(), Some("default"));
    assert_eq!(answer.text(), Some("23 is a prime above 20."));
    assert_eq!(answer.finish_reason(), Some(&FinishReason::Stop));
    assert_eq!(answer.choices[0].native_finish_reason.as_deref(), Some("stop"));
    let usage = answer.usage.unwrap();
    assert_eq!(
        (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens),
        (Some(15), Some(9), Some(24))
    );
    assert_eq!(
        (
            usage.cached_tokens(),
            usage.cache_write_tokens(),
            usage.reasoning_tokens()
        ),
        (4, 2, 3)
    );
    assert_eq!(usage.reported_cost().as_deref(), Some("0.00000765"));
}

#[test]
fn reads_tool_calls_and_gives_them_back() {
    let answer = ChatResponse::from_json(TOOLS.as_bytes()).unwrap();
    let message = &answer.choices[0].message;
    assert_eq!(
        message.tool_calls[0].to_call().arguments::<Value>().unwrap(),
        json!({"city": "Oslo"})
    );
    assert_eq!(answer.openrouter_metadata.as_ref().unwrap()["attempt"], 3);
    let back = serde_json::to_value(message.to_message()).unwrap();
    assert_eq!(back["tool_calls"][0]["id"], "tool_0_get_weather");
    assert_eq!(
        back["reasoning_details"],
        json!([{"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0, "new": 1}])
    );
    assert_eq!(back["role"], "assistant");
}

#[test]
fn writes_what_it_read() {
    for text in [PLAIN, TOOLS] {
        let before: Value = serde_json::from_str(text).unwrap();
        let written = serde_json::to_string(&ChatResponse::from_json(text.as_bytes()).unwrap()).unwrap();
        let after: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(without_nulls(after), without_nulls(before));
    }
    assert!(
        serde_json::to_string(&ChatResponse::from_json(PLAIN.as_bytes()).unwrap())
            .unwrap()
            .contains("\"cost\":0.00000765")
    );
    let null = ChatResponse::from_json(
        br#"{"choices":[{"message":{"role":"assistant","content":null},"finish_reason":null}]}"#,
    )
    .unwrap();
    let written = serde_json::to_value(&null).unwrap();
    assert_eq!(
        written["choices"][0],
        json!({"index": 0, "message": {"role": "assistant", "content": null}, "finish_reason": null})
    );
}

#[test]
fn unknown_fields_survive_at_every_level() {
    let text = r#"{"choices":[{"message":{"content":"x","new1":1.10},"new2":[1]}],"usage":{"prompt_tokens":1,"new3":{"a":0.10}},"new4":null}"#;
    let written = serde_json::to_string(&ChatResponse::from_json(text.as_bytes()).unwrap()).unwrap();
    for kept in [
        "\"new1\":1.10",
        "\"new2\":[1]",
        "\"new3\":{\"a\":0.10}",
        "\"new4\":null",
    ] {
        assert!(written.contains(kept), "{kept} in {written}");
    }
}

#[test]
fn an_estimated_cost_counts_if_no_other_is_reported() {
    for (usage, cost) in [
        (r#"{"prompt_tokens":1,"estimated_cost":0.0000076}"#, Some("0.0000076")),
        (r#"{"estimated_cost":"1.5e-6"}"#, Some("1.5e-6")),
        (r#"{"cost":0.5,"estimated_cost":0.1}"#, Some("0.5")),
        (r#"{"cost":{"total_cost":0.25},"estimated_cost":0.1}"#, Some("0.25")),
        (r#"{"estimated_cost":-1}"#, None),
        (r#"{"estimated_cost":null}"#, None),
        (r#"{"estimated_cost":"dear"}"#, None),
    ] {
        let read = Usage::from_json(usage.as_bytes()).unwrap();
        assert_eq!(read.reported_cost().as_deref(), cost, "{usage}");
        let counts = usage_counts(usage.as_bytes()).unwrap();
        assert_eq!(counts.cost.as_deref(), cost, "{usage}");
    }
}

#[test]
fn a_wrong_type_costs_its_field_alone() {
    let text = r#"{"id":5,"created":"x","model":null,"service_tier":[],"choices":[{"index":null,"finish_reason":7,"message":{"content":"x","tool_calls":null,
        "reasoning":{},"images":"no","audio":null}}],"usage":{"prompt_tokens":"a","completion_tokens":9,"cost":"0.10","is_byok":"no","prompt_tokens_details":3}}"#;
    let answer = ChatResponse::from_json(text.as_bytes()).unwrap();
    assert_eq!(answer.text(), Some("x"));
    assert_eq!(
        (answer.id.as_str(), answer.created, answer.finish_reason()),
        ("", 0, None)
    );
    let usage = answer.usage.unwrap();
    assert_eq!(
        (usage.prompt_tokens, usage.completion_tokens, usage.is_byok),
        (None, Some(9), None)
    );
    assert_eq!(usage.reported_cost().as_deref(), Some("0.10"));
    assert!(ChatResponse::from_json(b"[]").is_err());
    assert!(ChatResponse::from_json(b"   \n ").is_err());
    let twice = ChatResponse::from_json(br#"{"id":"a","id":"b","choices":[]}"#).unwrap();
    assert_eq!(twice.id, "b");
    assert_eq!(twice.text(), None);
}

#[test]
fn finish_reasons_keep_their_names() {
    for (name, reason) in [
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("tool_calls", FinishReason::ToolCalls),
        ("content_filter", FinishReason::ContentFilter),
        ("error", FinishReason::Error),
        ("weary", FinishReason::Other("weary".into())),
    ] {
        let chunk =
            ChatChunk::from_json(format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{name}"}}]}}"#).as_bytes())
                .unwrap();
        assert_eq!(chunk.finish_reason(), Some(&reason));
        assert_eq!(serde_json::to_value(&reason).unwrap(), name);
    }
}

#[test]
fn the_text_may_stand_in_another_choice_than_the_first() {
    let read = |choices: &str| ChatResponse::from_json(format!(r#"{{"choices":[{choices}]}}"#).as_bytes()).unwrap();
    let called = r#"{"message":{"content":null,"tool_calls":[{"id":"c"}]},"finish_reason":null}"#;
    let said = r#"{"message":{"content":"Let me look."},"finish_reason":"tool_calls"}"#;
    for choices in [format!("{called},{said}"), format!("{said},{called}")] {
        let answer = read(&choices);
        assert_eq!(answer.text(), Some("Let me look."), "{choices}");
        assert_eq!(answer.finish_reason(), Some(&FinishReason::ToolCalls), "{choices}");
    }
    // Of two texts the first counts, and an empty one is a text if there is no other.
    let other = r#"{"message":{"content":"Hi."},"finish_reason":"stop"}"#;
    assert_eq!(read(&format!("{said},{other}")).text(), Some("Let me look."));
    assert_eq!(read(r#"{"message":{"content":""}}"#).text(), Some(""));
    assert_eq!(read("").text(), None);
}

#[test]
fn a_canned_answer_is_an_answer() {
    let written = serde_json::to_value(ChatResponse::canned("a/b", "Later, please.")).unwrap();
    assert_eq!(written["object"], "chat.completion");
    assert_eq!(written["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        written["choices"][0]["message"],
        json!({"role": "assistant", "content": "Later, please."})
    );
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
