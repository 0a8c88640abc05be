//! The parts of a request keep what is not known.

use serde_json::{Value, json};

use openrouter_wire::chat::{
    Content, Cutoff, MaxPrice, Message, Part, ProviderPreferences, ResponseFormat, Role, ServiceTier, Sort, Tool,
    ToolCall, ToolChoice,
};

/// Reads a value as a type, and writes it again.
fn again<T: serde::de::DeserializeOwned + serde::Serialize>(value: &Value) -> Value {
    let text = value.to_string();
    serde_json::to_value(serde_json::from_str::<T>(&text).unwrap()).unwrap()
}

#[test]
fn messages_keep_what_is_not_known() {
    for message in [
        json!({"role": "assistant", "content": "x", "annotations": [1], "images": [{}], "odd": null,
            "reasoning": "r", "reasoning_details": [{"type": "reasoning.encrypted", "data": "d", "index": 0, "new": 1}]}),
        json!({"role": "critic", "content": [{"type": "hologram", "x": 1}, {"type": "text", "text": 5}, {"type": "text", "text": "t", "prompt_cache_breakpoint": {"mode": "explicit"}}]}),
        json!({"role": "tool", "tool_call_id": "c1", "content": "42"}),
        json!({"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{\"a\":1}"}}]}),
    ] {
        assert_eq!(again::<Message>(&message), message);
    }
    let read: Message = serde_json::from_value(json!({"role": "critic", "content": [{"type": "hologram"}]})).unwrap();
    assert_eq!(read.role, Role::Other("critic".into()));
    assert!(matches!(read.content, Some(Content::Parts(parts)) if matches!(parts[0], Part::Other(_))));
    assert!(serde_json::from_value::<Message>(json!({"content": "x"})).is_err());
}

#[test]
fn tool_loops_have_their_messages() {
    let call = ToolCall::new("c1", "f", "{\"a\":1}");
    assert_eq!(call.arguments::<Value>().unwrap(), json!({"a": 1}));
    assert!(ToolCall::new("c1", "f", "{\"a\":").arguments::<Value>().is_err());
    assert_eq!(
        serde_json::to_value([Message::calls([call]), Message::tool("c1", "42").name("f")]).unwrap(),
        json!([
            {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
            {"role": "tool", "name": "f", "tool_call_id": "c1", "content": "42"},
        ])
    );
}

#[test]
fn tools_and_choices_keep_what_is_not_known() {
    let tool = json!({"type": "function", "function": {"name": "f", "new": 1}, "cache_control": {"type": "ephemeral"}});
    assert_eq!(again::<Tool>(&tool), tool);
    for choice in [
        json!("none"),
        json!("auto"),
        json!("required"),
        json!({"type": "function", "function": {"name": "f"}}),
        json!({"type": "new"}),
        json!("any"),
    ] {
        assert_eq!(again::<ToolChoice>(&choice), choice);
    }
    for format in [
        json!({"type": "text"}),
        json!({"type": "json_object"}),
        json!({"type": "grammar", "grammar": "x"}),
    ] {
        assert_eq!(again::<ResponseFormat>(&format), format);
    }
    assert_eq!(again::<ServiceTier>(&json!("turbo")), json!("turbo"));
    assert_eq!(ServiceTier::from("flex"), ServiceTier::Flex);
}

#[test]
fn provider_preferences_have_every_field() {
    let full = json!({
        "order": ["a"], "only": ["b"], "ignore": ["c"], "allow_fallbacks": false, "require_parameters": true, "data_collection": "deny", "zdr": true,
        "enforce_distillable_text": true, "quantizations": ["fp8"], "sort": {"by": "latency", "partition": "none"},
        "max_price": {"prompt": 1, "completion": 2, "request": 3, "image": 4, "audio": 5},
        "preferred_min_throughput": 50.0, "preferred_max_latency": {"p50": 1.0, "p99": 5.5}, "options": {"x": {"y": 1}}, "brand_new": [1],
    });
    assert_eq!(again::<ProviderPreferences>(&full), full);
    let read: ProviderPreferences = serde_json::from_str(&full.to_string()).unwrap();
    assert_eq!(read.extra.names().collect::<Vec<_>>(), ["brand_new"]);
    assert_eq!(read.extra.get("brand_new"), Some(json!([1])));
    assert!(matches!(read.sort, Some(Sort::By { .. })));
    assert!(matches!(read.preferred_max_latency, Some(Cutoff::Percentiles(cutoffs)) if cutoffs.p99 == Some(5.5)));
    let odd: ProviderPreferences = serde_json::from_str(r#"{"order":5,"sort":null,"zdr":"yes","only":["a"]}"#).unwrap();
    assert_eq!(
        (odd.order, odd.sort, odd.zdr, odd.only),
        (None, None, None, Some(vec!["a".to_owned()]))
    );
}

#[test]
fn prices_keep_every_digit_however_they_are_written() {
    let price: MaxPrice =
        serde_json::from_str(r#"{"prompt":0.12345678901234567890,"completion":"3.50","image":"cheap"}"#).unwrap();
    assert_eq!(price.prompt.as_ref().unwrap().as_str(), "0.12345678901234567890");
    assert_eq!(price.image, None);
    assert_eq!(
        serde_json::to_string(&price).unwrap(),
        r#"{"prompt":0.12345678901234567890,"completion":3.50,"image":"cheap"}"#,
        "what is no price goes out as it came"
    );
}
