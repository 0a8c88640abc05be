//! What fails a check and what does not, in each API, and in bounded time.

use bytes::Bytes;
use serde_json::{Value, json};
use tower_llm_layers::conformance::{ConformanceCheck as _, Nonconformity};

use super::JsonSchemaCheck;
use crate::{Api, ApiRequest, ChatFrame, FrameKind};
use tower_llm_layers::Stage;

const CITY: &str = r#"{"type":"object","properties":{"name":{"type":"string"},"size":{"type":"integer"}},"required":["name"],"additionalProperties":false}"#;

fn city() -> Value {
    serde_json::from_str(CITY).unwrap()
}

fn chat(format: &Value, tools: &Value) -> ApiRequest {
    let mut body = json!({"messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in [("response_format", format), ("tools", tools)] {
        if !value.is_null() {
            body[name] = value.clone();
        }
    }
    ApiRequest::from_json(Api::Chat, body.to_string()).unwrap()
}

fn asks_for(schema: &Value) -> ApiRequest {
    let format = json!({"type": "json_schema", "json_schema": {"name": "city", "strict": true, "schema": schema}});
    chat(&format, &Value::Null)
}

fn frame(api: Api, body: &Value) -> ChatFrame {
    ChatFrame::new(Bytes::from(body.to_string()), FrameKind::Answer, Stage::Content, false).of(api)
}

fn says(text: &str) -> ChatFrame {
    answer(&json!({"role": "assistant", "content": text}), "stop")
}

fn answer(message: &Value, finish: &str) -> ChatFrame {
    frame(
        Api::Chat,
        &json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]}),
    )
}

fn check(request: &ApiRequest, frame: ChatFrame) -> Result<(), Nonconformity> {
    JsonSchemaCheck::new().check(request, &[frame])
}

#[track_caller]
fn fails(request: &ApiRequest, frame: ChatFrame, reason: &str) {
    let wrong = check(request, frame).expect_err("it does not conform");
    assert!(wrong.reason().contains(reason), "{}", wrong.reason());
}

#[test]
fn a_text_must_be_json_and_fit() {
    let request = asks_for(&city());
    let good = [
        r#"{"name":"Oslo"}"#,
        " \n{\"name\":\"Oslo\",\"size\":7}\n",
        "\u{feff}{\"name\":\"Oslo\",\"size\":7.0}",
    ];
    for text in good {
        check(&request, says(text)).unwrap();
    }
    fails(&request, says("It is Oslo."), "not JSON: line 1, column 1");
    fails(&request, says("```json\n{\"name\":\"Oslo\"}\n```"), "not JSON");
    fails(&request, says(r#"{"size":7}"#), "`` does not fit `/required`");
    fails(
        &request,
        says(r#"{"name":7}"#),
        "`/name` does not fit `/properties/name/type`",
    );
    fails(
        &request,
        says(r#"{"name":"a","secret":1}"#),
        "`` does not fit `/additionalProperties`",
    );
    let wrong = check(&request, says(r#"{"name":7}"#)).unwrap_err();
    assert_eq!(wrong.text().as_str(), r#"{"name":7}"#);

    let object = chat(&json!({"type": "json_object"}), &Value::Null);
    check(&object, says("{}")).unwrap();
    fails(&object, says("[]"), "not an object");
    fails(&object, says("Oslo"), "not JSON");
    let text = chat(&json!({"type": "text"}), &Value::Null);
    assert!(!JsonSchemaCheck::new().applies_to(&text));
}

#[test]
fn the_models_own_names_stay_out_of_the_reason() {
    let request = asks_for(&json!({"type": "object", "additionalProperties": {"type": "integer"}}));
    fails(
        &request,
        says(r#"{"secret":"x"}"#),
        "`/*` does not fit `/additionalProperties/type`",
    );
}

#[test]
fn tool_arguments_must_parse_and_fit() {
    let tool =
        |name: &str, schema: Value| json!({"type": "function", "function": {"name": name, "parameters": schema}});
    let tools =
        json!([tool("find", city()), tool("list", json!({"type": "object"})), {"type": "openrouter:web_search"}]);
    let request = chat(&Value::Null, &tools);
    let call = |name: &str, arguments: &str| {
        let call = json!({"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}});
        answer(
            &json!({"role": "assistant", "content": "I look.", "tool_calls": [call]}),
            "tool_calls",
        )
    };
    check(&request, call("find", r#"{"name":"Oslo"}"#)).unwrap();
    check(&request, call("list", "")).unwrap();
    check(&request, call("made_up", "no JSON")).unwrap();
    fails(
        &request,
        call("find", r#"{"name":"#),
        "the arguments for the tool `find`: it is not JSON",
    );
    fails(&request, call("find", ""), "does not fit `/required`");
    fails(&request, call("find", r#"{"name":7}"#), "`/name`");
    // Text next to a call is not what the format is for.
    let both = chat(&json!({"type": "json_object"}), &tools);
    check(&both, call("list", "{}")).unwrap();
}

#[test]
fn refusals_and_answers_that_were_cut_short_are_no_failures() {
    let request = asks_for(&city());
    check(
        &request,
        answer(&json!({"content": null, "refusal": "I cannot."}), "stop"),
    )
    .unwrap();
    check(&request, answer(&json!({"content": "{\"name\":"}), "length")).unwrap();
    check(&request, answer(&json!({"content": "no"}), "content_filter")).unwrap();
    fails(&request, answer(&json!({"content": "{\"name\":"}), "stop"), "not JSON");
}

#[test]
fn the_other_apis_are_checked_in_their_own_words() {
    let text = json!({"format": {"type": "json_schema", "name": "city", "schema": city()}});
    let tools = json!([{"type": "function", "name": "find", "parameters": city()}]);
    let body = json!({"model": "a/b", "input": "Hi", "text": text, "tools": tools});
    let request = ApiRequest::from_json(Api::Responses, body.to_string()).unwrap();
    let response = |item: Value| {
        frame(
            Api::Responses,
            &json!({"object": "response", "status": "completed", "output": [item]}),
        )
    };
    let says = |text: &str| response(json!({"type": "message", "content": [{"type": "output_text", "text": text}]}));
    check(&request, says(r#"{"name":"Oslo"}"#)).unwrap();
    fails(&request, says("Oslo"), "not JSON");
    fails(
        &request,
        response(json!({"type": "function_call", "name": "find", "arguments": "{}"})),
        "`find`",
    );
    check(
        &request,
        response(json!({"type": "message", "content": [{"type": "refusal", "refusal": "No."}]})),
    )
    .unwrap();

    let format = json!({"format": {"type": "json_schema", "schema": city()}});
    let tools = json!([{"name": "find", "input_schema": city()}]);
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let body = json!({"model": "a/b", "max_tokens": 9, "messages": messages, "output_config": format, "tools": tools});
    let request = ApiRequest::from_json(Api::Messages, body.to_string()).unwrap();
    let message = |block: Value, stop: &str| {
        frame(
            Api::Messages,
            &json!({"type": "message", "content": [block], "stop_reason": stop}),
        )
    };
    check(
        &request,
        message(json!({"type": "text", "text": "{\"name\":\"Oslo\"}"}), "end_turn"),
    )
    .unwrap();
    fails(
        &request,
        message(json!({"type": "text", "text": "{}"}), "end_turn"),
        "/required",
    );
    fails(
        &request,
        message(
            json!({"type": "tool_use", "name": "find", "input": {"name": 1}}),
            "tool_use",
        ),
        "`/name`",
    );
    check(&request, message(json!({"type": "text", "text": "{"}), "max_tokens")).unwrap();
    check(&request, message(json!({"type": "text", "text": "{"}), "refusal")).unwrap();
}

#[test]
fn a_wrong_schema_fails_no_json() {
    for schema in [
        json!({"type": "strin"}),
        json!({"$ref": "https://127.0.0.1:1/never-fetched"}),
        json!({"$ref": "#/$defs/missing"}),
        json!({"$schema": "https://example.com/unknown", "type": "object"}),
        json!({"type": "object", "properties": {"a": {"pattern": "("}}}),
        json!({"type": "object", "properties": {"a": {"pattern": "(?=a)b"}}}),
        json!({"type": "object", "properties": {"a": {"pattern": "^(((a{0,100}){0,100}){0,100})$"}}}),
        json!(7),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
    ] {
        let request = asks_for(&schema);
        check(&request, says(r#"{"a":"any"}"#)).unwrap_or_else(|wrong| panic!("{schema}: {}", wrong.reason()));
        fails(&request, says("Oslo"), "not JSON");
    }
}

#[test]
fn json_that_cannot_be_held_is_no_failure() {
    let request = asks_for(&json!({"type": "object"}));
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let deeper = format!("{}{}", "[".repeat(3_000), "]".repeat(3_000));
    for text in [&*deep, &*deeper, r#"{"a":1e999}"#] {
        check(&request, says(text)).unwrap();
    }
}

/// Each of these asks a validator without bounds for exponential work.
#[test]
fn pathological_schemas_and_answers_take_bounded_work() {
    let branch = json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/a"}}, "required": ["x"]});
    let recursive = json!({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [branch, branch, {"const": 1}]}}});
    let nested = |levels: usize, inside: &str| format!("{}{inside}{}", "{\"x\":".repeat(levels), "}".repeat(levels));
    fails(&asks_for(&recursive), says(&nested(60, "2")), "does not fit");
    check(&asks_for(&recursive), says(&nested(60, "1"))).unwrap();

    let mut defs = serde_json::Map::new();
    for level in 0..60 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        defs.insert(format!("d{level}"), json!({"anyOf": [next, next]}));
    }
    defs.insert("d60".to_owned(), json!({"type": "string"}));
    check(&asks_for(&json!({"$ref": "#/$defs/d0", "$defs": defs})), says("1")).unwrap();

    let pattern = asks_for(&json!({"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}}));
    let text = json!({"a": format!("{}b", "a".repeat(100_000))}).to_string();
    fails(&pattern, says(&text), "/properties/a/pattern");

    // A recursive schema of many levels in a row, over a value of many levels.
    let mut defs = serde_json::Map::new();
    for level in 0..50 {
        defs.insert(
            format!("d{level}"),
            json!({"allOf": [{"$ref": format!("#/$defs/d{}", level + 1)}]}),
        );
    }
    defs.insert("d50".to_owned(), json!({"properties": {"x": {"$ref": "#/$defs/d0"}}}));
    check(
        &asks_for(&json!({"$ref": "#/$defs/d0", "$defs": defs})),
        says(&nested(120, "1")),
    )
    .unwrap();
}

/// A value is compared with each of a long list that has more than one type in it: a long answer would take minutes.
#[test]
fn many_values_against_a_long_list_of_them_are_not_compared() {
    let mut values: Vec<Value> = (10_000..25_000).map(Value::from).collect();
    values.extend([true.into(), 7.into()]);
    let schema = json!({"type": "object", "properties": {"list": {"type": "array", "items": {"enum": values}}}, "required": ["list"]});
    let request = asks_for(&schema);
    let list = |item: &str, items: usize| says(&format!("{{\"list\":[{}7]}}", item.repeat(items)));
    // With values that do not fit: it passes only if it is not compared.
    check(&request, list("8,", 50_000)).unwrap();
    fails(&request, list("8,", 10), "does not fit");
    check(&request, list("7,", 10)).unwrap();
    fails(&request, says(r#"{"list":[7,8]}"#), "does not fit");
}

#[test]
fn a_stream_is_checked_as_what_it_brings() {
    let request = asks_for(&city());
    let chunk = |text: &str, finish: Value| {
        let body = json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]});
        ChatFrame::new(Bytes::from(body.to_string()), FrameKind::Chunk, Stage::Content, false)
    };
    let frames = |name: &str| {
        [
            chunk("{\"name\":", Value::Null),
            chunk(name, Value::Null),
            chunk("}", json!("stop")),
        ]
    };
    let checks = JsonSchemaCheck::new();
    checks.check(&request, &frames("\"Oslo\"")).unwrap();
    assert!(checks.check(&request, &frames("7")).is_err());
}
