//! Answers as servers write them: what cannot be read as its type is kept, never taken for absent.

use serde_json::{Value, json};

use crate::{
    chat::{ChatChunk, ChatResponse, ChunkProbe, Content, Part},
    usage::Usage,
};

fn answer(message: &str) -> ChatResponse {
    let body = format!(r#"{{"id":"gen-1","choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}]}}"#);
    ChatResponse::from_json(body.as_bytes()).unwrap()
}

fn written(answer: &ChatResponse) -> Value {
    serde_json::from_str(&serde_json::to_string(answer).unwrap()).unwrap()
}

#[test]
fn the_text_of_any_content_is_read() {
    for (content, text) in [
        (r#"[{"type":"text","text":"Hello world"}]"#, "Hello world"),
        // Mistral: reasoning first.
        (
            r#"[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"Hello world"}]"#,
            "Hello world",
        ),
        (
            r#"[{"type":"text","text":"Hello"},{"type":"image_url","image_url":{"url":"data:x"}},{"type":"text","text":" world"}]"#,
            "Hello world",
        ),
        (r#"["Hello"," world"]"#, "Hello world"),
        (
            r#"[null,5,{"type":"output_text","text":"Hello world","annotations":[]}]"#,
            "Hello world",
        ),
        (
            r#"[{"type":"text","text":{"value":"Hello world","annotations":[]}}]"#,
            "Hello world",
        ),
        (
            r#"[{"type":"reference","reference_ids":[1]},{"text":"Hello world"}]"#,
            "Hello world",
        ),
        (r#"{"type":"text","text":"Hello world"}"#, "Hello world"),
        // Structured output as JSON instead of JSON text.
        (r#"{"answer": 42}"#, r#"{"answer": 42}"#),
        ("42", "42"),
        (r#""Hello \ud83d world""#, "Hello \u{fffd} world"),
        (r#""Hello \ud83d""#, "Hello \u{fffd}"),
        (r#""\ude00\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
    ] {
        let read = answer(&format!(r#"{{"role":"assistant","content":{content}}}"#));
        assert_eq!(read.text(), Some(text), "{content}");
        let message = &read.choices[0].message;
        assert_eq!(
            message.extra.raw("content"),
            Some(content),
            "the text that came is kept"
        );
        // It goes out as it came, as far as strict JSON can say it.
        let again = ChatResponse::from_json(&serde_json::to_vec(&read).unwrap()).unwrap();
        assert_eq!(again.text(), Some(text), "{content}");
        if !content.contains("ud83d") {
            let came: Value = serde_json::from_str(content).unwrap();
            assert_eq!(written(&read)["choices"][0]["message"]["content"], came);
        }
    }
    for (content, text) in [
        ("null", None),
        ("\"\"", Some("")),
        ("[]", None),
        (r#"[{"type":"thinking","thinking":"hm"}]"#, None),
    ] {
        assert_eq!(answer(&format!(r#"{{"content":{content}}}"#)).text(), text, "{content}");
    }
}

#[test]
fn a_changed_field_is_written_and_what_came_is_not() {
    let mut read = answer(r#"{"content":[{"type":"text","text":"Hello"}]}"#);
    read.choices[0].message.content = Some("Bye".to_owned());
    assert_eq!(written(&read)["choices"][0]["message"], json!({"content": "Bye"}));
}

#[test]
fn one_odd_element_does_not_cost_the_others() {
    let read = answer(
        r#"{"content":"x",
            "tool_calls":[null,"odd",{"id":"c0","function":{"name":"f","arguments":"{}"}},7],
            "annotations":["odd",{"type":"url_citation","url_citation":{"url":"u","start_index":1.0,"end_index":"2"}}],
            "reasoning_details":[{"type":"reasoning.text","text":"hm"},[]],
            "images":[{"type":"image_url"}]}"#,
    );
    let message = &read.choices[0].message;
    assert_eq!(message.tool_calls.len(), 1);
    assert_eq!(message.tool_calls[0].id.as_deref(), Some("c0"));
    let cited = message.annotations[0].url_citation.as_ref().unwrap();
    assert_eq!(
        (message.annotations.len(), cited.start_index, cited.end_index),
        (1, Some(1), Some(2))
    );
    assert_eq!(message.reasoning_details.len(), 1);
    let back = &written(&read)["choices"][0]["message"];
    assert_eq!(
        back["tool_calls"].as_array().map(Vec::len),
        Some(4),
        "nothing is lost: {back}"
    );
    assert_eq!(back["annotations"][0], "odd");
    assert_eq!(back["reasoning_details"][1], json!([]));
    // The next turn gets all of the reasoning.
    let next = message.to_message();
    assert_eq!(next.reasoning_details.map(|details| details.len()), Some(2));
    assert_eq!(next.tool_calls.map(|calls| calls.len()), Some(1));
    // A choice that is none does not hide the one that is.
    let body = r#"{"choices":[null,{"message":{"content":"x"}}]}"#;
    assert_eq!(ChatResponse::from_json(body.as_bytes()).unwrap().text(), Some("x"));
}

#[test]
fn arguments_are_read_as_text_whatever_they_are() {
    for (arguments, text) in [
        (r#""{\"x\":1}""#, r#"{"x":1}"#),
        (r#"{"x":1}"#, r#"{"x":1}"#),
        ("{}", "{}"),
        ("[1, 2]", "[1, 2]"),
        ("\"\"", ""),
    ] {
        let read = answer(&format!(
            r#"{{"content":null,"tool_calls":[{{"id":"c0","type":"function","extra_content":{{"google":{{"thought_signature":"s"}}}},"function":{{"name":"f","arguments":{arguments}}}}}]}}"#
        ));
        let call = read.choices[0].message.tool_calls[0].to_call();
        assert_eq!(call.function.arguments, text, "{arguments}");
        assert_eq!(
            call.extra["extra_content"]["google"]["thought_signature"], "s",
            "it must be sent back"
        );
    }
    // Ollama's own form.
    let flat = answer(r#"{"tool_calls":[{"id":7,"name":"f","arguments":{"x":1}}]}"#);
    let call = flat.choices[0].message.tool_calls[0].to_call();
    assert_eq!((call.id.as_str(), call.function.name.as_str()), ("7", "f"));
    assert_eq!(call.arguments::<Value>().unwrap(), json!({"x": 1}));
    // One call that is not in a list.
    let single = answer(r#"{"tool_calls":{"id":"c0","function":{"name":"f"}}}"#);
    assert_eq!(single.choices[0].message.tool_calls.len(), 1);
    let legacy = answer(r#"{"content":null,"function_call":{"name":"f","arguments":{"x":1}}}"#);
    let call = legacy.choices[0].message.function_call.as_ref().unwrap();
    assert_eq!(
        (call.name.as_deref(), call.arguments.as_deref()),
        (Some("f"), Some("{\"x\":1}"))
    );
    assert_eq!(
        legacy.choices[0].message.to_message().extra["function_call"]["name"],
        "f"
    );
}

#[test]
fn counts_are_counts_however_they_are_written() {
    for (written, count) in [
        ("10", Some(10)),
        ("10.0", Some(10)),
        ("1e1", Some(10)),
        ("\"10\"", Some(10)),
        ("\" 10.0 \"", Some(10)),
        ("10.5", None),
        ("-1", None),
        ("NaN", None),
        ("\"ten\"", None),
    ] {
        let body =
            format!(r#"{{"choices":[],"usage":{{"prompt_tokens":{written},"cost":"0.5","completion_tokens":3.0}}}}"#);
        let usage = ChatResponse::from_json(body.as_bytes()).unwrap().usage.unwrap();
        assert_eq!(usage.prompt_tokens, count, "{written}");
        assert_eq!(usage.completion_tokens, Some(3));
        assert_eq!(usage.cost.unwrap().as_str(), "0.5");
        assert_eq!(
            usage.extra.raw("prompt_tokens"),
            count.is_none().then_some(written),
            "what cannot be read is kept"
        );
    }
    let usage: Usage = serde_json::from_str(r#"{"prompt_tokens":15.0,"total_tokens":"24"}"#).unwrap();
    assert_eq!((usage.prompt_tokens, usage.total_tokens), (Some(15), Some(24)));
}

#[test]
fn whatever_the_scan_accepts_is_read() {
    let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (what, value) in [
        ("deep", deep(200)),
        ("deeper", deep(509)),
        ("not a number", "[NaN, Infinity, -Infinity]".to_owned()),
        ("past a float", "[1e999, -1e999]".to_owned()),
        ("half", r#"["\ud83d", "\ude00x"]"#.to_owned()),
    ] {
        for (name, place) in [
            ("new", "{\"choices\":[{\"message\":{\"content\":\"Hello\"}}],\"new\":@}"),
            (
                "logprobs",
                "{\"choices\":[{\"logprobs\":@,\"message\":{\"content\":\"Hello\"}}]}",
            ),
            (
                "metadata",
                "{\"choices\":[{\"message\":{\"content\":\"Hello\"}}],\"openrouter_metadata\":@}",
            ),
            (
                "usage",
                "{\"choices\":[{\"message\":{\"content\":\"Hello\"}}],\"usage\":{\"new\":@,\"prompt_tokens\":3}}",
            ),
            (
                "images",
                "{\"choices\":[{\"message\":{\"images\":@,\"content\":\"Hello\"}}]}",
            ),
        ] {
            let body = place.replace('@', &value);
            if ChunkProbe::read(body.as_bytes()).is_err() {
                assert_eq!(what, "deeper", "{name}");
                continue;
            }
            let read =
                ChatResponse::from_json(body.as_bytes()).unwrap_or_else(|error| panic!("{what} in {name}: {error}"));
            assert_eq!(read.text(), Some("Hello"), "{what} in {name}");
            if name == "usage" {
                assert_eq!(read.usage.as_ref().and_then(|usage| usage.prompt_tokens), Some(3));
            }
            if name == "new" {
                assert_eq!(read.extra.raw("new"), Some(&*value));
                assert!(read.extra.get("new").is_some(), "{what} is not absent");
            }
            let again = serde_json::to_string(&read).unwrap();
            assert!(ChatResponse::from_json(again.as_bytes()).is_ok());
            if !what.starts_with("deep") {
                let strict: Value = serde_json::from_str(&again).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(strict["choices"][0]["message"]["content"], "Hello");
            }
            let chunk = ChatChunk::from_json(body.replace("\"message\"", "\"delta\"").as_bytes()).unwrap();
            assert_eq!(chunk.text(), Some("Hello"), "{what} in {name}");
        }
    }
    let logprobs = ChatResponse::from_json(
        br#"{"choices":[{"message":{"content":"x"},"logprobs":{"content":[{"token":"a","logprob":-Infinity}]}}]}"#,
    );
    let logprobs = logprobs.unwrap().choices[0].logprobs.clone().unwrap();
    assert_eq!(logprobs["content"][0], json!({"token": "a", "logprob": null}));
    for wrong in ["", "[]", "{\"choices\":[}", "{\"a\":nan}", "{} {}", "{\"a\":-}", "null"] {
        assert!(ChatResponse::from_json(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert!(
        ChatResponse::from_json(b"\xef\xbb\xbf {\"choices\":[]}").is_ok(),
        "a byte order mark does not matter"
    );
}

#[test]
fn an_answer_that_calls_its_message_a_delta_is_read() {
    let body = br#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]}"#;
    assert_eq!(ChatResponse::from_json(body).unwrap().text(), Some("Hello"));
    let completion = br#"{"choices":[{"text":"Hello","message":{"content":""}}]}"#;
    assert_eq!(ChatResponse::from_json(completion).unwrap().text(), Some("Hello"));
}

#[test]
fn reasoning_is_found_under_any_name() {
    for message in [
        r#"{"content":"x","reasoning":"I think"}"#,
        r#"{"content":"x","reasoning_content":"I think"}"#,
        r#"{"content":"x","reasoning":"","reasoning_text":"I think"}"#,
        r#"{"content":"x","thinking":"I think"}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"I "},{"type":"text","text":"think"}]},{"type":"text","text":"x"}]}"#,
        r#"{"content":[{"type":"thinking","thinking":"I think","signature":"s"},{"type":"text","text":"x"}]}"#,
    ] {
        let read = answer(message);
        assert_eq!(
            read.choices[0].message.reasoning_text().as_deref(),
            Some("I think"),
            "{message}"
        );
        assert_eq!(read.text(), Some("x"), "{message}");
    }
    assert_eq!(answer(r#"{"content":"x"}"#).choices[0].message.reasoning_text(), None);
    let next = answer(r#"{"content":"x","reasoning_content":"I think"}"#).choices[0]
        .message
        .to_message();
    assert_eq!(next.extra["reasoning_content"], "I think");
}

#[test]
fn parts_go_along_with_the_next_turn() {
    let content = r#"[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"x"}]"#;
    let next = answer(&format!(r#"{{"content":{content}}}"#)).choices[0]
        .message
        .to_message();
    let Some(Content::Parts(parts)) = &next.content else {
        panic!("{next:?}")
    };
    assert_eq!((parts.len(), &parts[1]), (2, &Part::text("x")));
    let came: Value = serde_json::from_str(content).unwrap();
    assert_eq!(serde_json::to_value(&next).unwrap()["content"], came);
}
