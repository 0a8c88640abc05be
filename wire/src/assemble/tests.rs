//! Streams as servers write them, put together.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Assembler, whole::JsonCompleteness};
use crate::{Api, chat::ChatResponse};

fn add(answer: &mut Assembler, chunk: &str) {
    answer.add(Api::Chat, &chunk.to_owned().into(), false).unwrap();
}

fn text_of(chunks: &[String]) -> String {
    let mut gathered = Assembler::default();
    for chunk in chunks {
        add(&mut gathered, chunk);
    }
    String::from_utf8(gathered.whole().to_vec()).unwrap()
}

/// Chunks with these choices.
fn choices(choices: &[&str]) -> Value {
    let chunks: Vec<String> = choices
        .iter()
        .map(|choice| format!("{{\"choices\":[{choice}]}}"))
        .collect();
    serde_json::from_str(&text_of(&chunks)).unwrap()
}

/// Chunks with these deltas.
fn message(deltas: &[&str]) -> Value {
    let deltas: Vec<String> = deltas
        .iter()
        .map(|delta| format!("{{\"index\":0,\"delta\":{delta}}}"))
        .collect();
    let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
    choices(&deltas)["choices"][0]["message"].take()
}

#[test]
fn halves_of_a_character_in_two_chunks_become_one() {
    let read = message(&[r#"{"content":"Hello \ud83d"}"#, r#"{"content":"\ude00!"}"#]);
    assert_eq!(read["content"], "Hello \u{1f600}!");
    // A half without its other half is no character.
    let read = message(&[r#"{"content":"Hello \ud83d"}"#, r#"{"content":" \ude00"}"#]);
    assert_eq!(read["content"], "Hello \u{fffd} \u{fffd}");
    let read = message(&[
        r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{\"x\":\"\ud83d"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"arguments":"\ude00\"}"}}]}"#,
    ]);
    assert_eq!(read["tool_calls"][0]["function"]["arguments"], "{\"x\":\"\u{1f600}\"}");
}

#[test]
fn it_is_json_whatever_came() {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let text = text_of(&[
        r#"{"x":NaN,"choices":[{"delta":{"content":"a\ud83d","odd":[-Infinity,"\ude00"]},"logprobs":{"content":[{"logprob":-Infinity}]}}]}"#.to_owned(),
        r#"{"y":1e999,"choices":[null,7,{"delta":{"content":"b","odd":[1e999]},"logprobs":null}]}"#.to_owned(),
        r#"{"choices":null,"usage":{"cost":0.000000765,"z":Infinity}}"#.to_owned(),
    ]);
    let read: Value = serde_json::from_str(&text).unwrap();
    let choice = &read["choices"][0];
    assert_eq!(
        choice["message"],
        json!({"content": "a\u{fffd}b", "odd": [null, "\u{fffd}", null]})
    );
    assert_eq!(choice["logprobs"]["content"], json!([{"logprob": null}]));
    assert!(
        text.contains("\"cost\":0.000000765,"),
        "amounts keep every digit: {text}"
    );
    let text = text_of(&[format!(
        "{{\"choices\":[{{\"delta\":{{\"content\":\"x\",\"deep\":{deep}}}}}]}}"
    )]);
    assert!(text.contains(&deep));
    assert_eq!(ChatResponse::from_json(text.as_bytes()).unwrap().text(), Some("x"));
}

#[test]
fn of_a_member_that_stands_twice_the_last_counts() {
    let read = message(&[r#"{"content":"Hello"}"#, r#"{"content":"x","content":" world"}"#]);
    assert_eq!(read["content"], "Hello world");
    let read = message(&[
        r#"{"tool_calls":[{"index":0,"function":{"name":"g","arguments":"x"},"function":{"name":"f","arguments":"{}"}}]}"#,
    ]);
    assert_eq!(
        read["tool_calls"][0]["function"],
        json!({"name": "f", "arguments": "{}"})
    );
    let read = choices(&[r#"{"delta":{"content":"x"},"delta":{"content":"Hello"}}"#]);
    assert_eq!(read["choices"][0]["message"]["content"], "Hello");
}

#[test]
fn a_message_beside_deltas_is_the_answer_so_far() {
    // Perplexity.
    let read = choices(&[
        r#"{"index":0,"finish_reason":null,"message":{"role":"assistant","content":"Hello"},"delta":{"role":"assistant","content":"Hello"}}"#,
        r#"{"index":0,"finish_reason":null,"message":{"role":"assistant","content":"Hello world"},"delta":{"role":"assistant","content":" world"}}"#,
        r#"{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello world"},"delta":{"role":"assistant","content":""}}"#,
    ]);
    let whole =
        json!([{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello world"}}]);
    assert_eq!(read["choices"], whole);
    for last in [
        // All of it, once more.
        r#"{"index":0,"message":{"role":"assistant","content":"Hello world"},"finish_reason":"stop"}"#,
        // An empty one.
        r#"{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}"#,
        r#"{"index":0,"message":{"role":"assistant","content":null},"delta":{},"finish_reason":"stop"}"#,
        // One that was filtered or trimmed: the text that was sent counts.
        r#"{"index":0,"message":{"role":"assistant","content":"Hell"},"delta":null,"finish_reason":"stop"}"#,
    ] {
        let read = choices(&[
            r#"{"index":0,"delta":{"role":"assistant","content":"Hello"}}"#,
            r#"{"index":0,"delta":{"content":" world"}}"#,
            last,
        ]);
        assert_eq!(read["choices"], whole, "{last}");
    }
    // It has what the deltas did not bring.
    let read = choices(&[
        r#"{"index":0,"delta":{"content":"Hello"}}"#,
        r#"{"index":0,"message":{"content":"Hello world","annotations":[{"type":"x"}],"tool_calls":[{"id":"c"}]}}"#,
    ]);
    let expected = json!({"content": "Hello world", "annotations": [{"type": "x"}], "tool_calls": [{"id": "c"}]});
    assert_eq!(read["choices"][0]["message"], expected);
}

#[test]
fn messages_without_deltas_are_snapshots_or_pieces() {
    let read = choices(&[
        r#"{"message":{"role":"assistant","content":""}}"#,
        r#"{"message":{"role":"assistant","content":"Hello"}}"#,
        r#"{"message":{"role":"assistant","content":"Hello world"}}"#,
    ]);
    assert_eq!(read["choices"][0]["message"]["content"], "Hello world");
    let read = choices(&[
        r#"{"message":{"content":"Hello"}}"#,
        r#"{"message":{"content":" world"}}"#,
    ]);
    assert_eq!(read["choices"][0]["message"]["content"], "Hello world");
}

#[test]
fn an_answer_in_one_piece_stays_as_it_came() {
    let plain = "{ \"choices\" : [{\"message\":{\"content\":\"Hello \\ud83d\"}}], \"x\": NaN }";
    let mut gathered = Assembler::default();
    gathered.add(Api::Chat, &plain.into(), true).unwrap();
    assert_eq!(gathered.text(), "Hello \u{fffd}");
    assert_eq!(gathered.whole(), plain);
}

#[test]
fn texts_under_any_name_are_joined() {
    for name in [
        "content",
        "refusal",
        "reasoning",
        "reasoning_content",
        "reasoning_text",
        "thinking",
        "thoughts",
        "thinking_content",
        "x_new_text",
    ] {
        let read = message(&[
            &format!(r#"{{"role":"assistant","{name}":"I "}}"#),
            &format!(r#"{{"role":"assistant","{name}":null}}"#),
            &format!(r#"{{"role":"assistant","{name}":"think"}}"#),
            &format!(r#"{{"role":"assistant","{name}":""}}"#),
        ]);
        assert_eq!(read, json!({"role": "assistant", name: "I think"}));
    }
    // The same piece twice is twice the piece if it is a text, and a label if that is not known.
    assert_eq!(
        message(&[r#"{"reasoning_content":"ha"}"#, r#"{"reasoning_content":"ha"}"#])["reasoning_content"],
        "haha"
    );
    let read = message(&[r#"{"phase":"final","n":1}"#, r#"{"phase":"final","n":2}"#]);
    assert_eq!(read, json!({"phase": "final", "n": 2}));
    let read = message(&[r#"{"x":"a"}"#, r#"{"x":"a"}"#, r#"{"x":"b"}"#]);
    assert_eq!(read["x"], "aab");
    // A completion's text.
    let read = choices(&[
        r#"{"text":"Hel","index":0}"#,
        r#"{"text":"lo","index":0,"finish_reason":"stop"}"#,
    ]);
    assert_eq!(read["choices"][0]["text"], "Hello");
}

#[test]
fn a_function_call_comes_in_pieces() {
    let read = message(&[
        r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}"#,
        r#"{"function_call":{"arguments":"{\"x\""}}"#,
        r#"{"function_call":{"name":"f","arguments":":1}"}}"#,
        r#"{"function_call":null}"#,
    ]);
    let call = json!({"name": "f", "arguments": "{\"x\":1}"});
    assert_eq!(
        read,
        json!({"role": "assistant", "content": null, "function_call": call})
    );
    let read = message(&[
        r#"{"tool_calls":[{"id":"c","type":"custom","custom":{"name":"g","input":"a"}}]}"#,
        r#"{"tool_calls":[{"custom":{"input":"a"}}]}"#,
    ]);
    assert_eq!(read["tool_calls"][0]["custom"], json!({"name": "g", "input": "aa"}));
}

#[test]
fn content_in_parts_is_joined_part_by_part() {
    // Mistral's reasoning models.
    let read = message(&[
        r#"{"role":"assistant","content":""}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"I "}]}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"think"}]}]}"#,
        r#"{"content":[{"type":"text","text":"Hello"}]}"#,
        r#"{"content":" world"}"#,
        r#"{"content":[{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
    ]);
    let expected = json!([
        {"type": "thinking", "thinking": [{"type": "text", "text": "I think"}]},
        {"type": "text", "text": "Hello world"},
        {"type": "image_url", "image_url": {"url": "u"}},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]);
    assert_eq!(read["content"], expected);
    let mut gathered = Assembler::default();
    add(&mut gathered, r#"{"choices":[{"delta":{"content":"So"}}]}"#);
    add(
        &mut gathered,
        r#"{"choices":[{"delta":{"content":[{"type":"text","text":" it is"}]}}]}"#,
    );
    assert_eq!(gathered.text(), "So it is");
}

#[test]
fn calls_without_places_and_names_are_distinguished() {
    // Gemini's compatible endpoint: each call whole, without a place, with an empty id or none.
    for id in [r#""id":"","#, ""] {
        let call = |name| {
            format!(r#"{{"tool_calls":[{{{id}"type":"function","function":{{"name":"{name}","arguments":"{{}}"}}}}]}}"#)
        };
        let read = message(&[&call("f"), &call("g"), &call("g")]);
        assert_eq!(read["tool_calls"].as_array().map(Vec::len), Some(3), "{read}");
    }
    // A place that is a text, arguments that are JSON, an odd element.
    let read = message(&[
        r#"{"tool_calls":[{"index":"0","id":"c","function":{"name":"f","arguments":{"x":1}}},"odd",null]}"#,
        r#"{"tool_calls":[{"index":0.0,"function":{}}]}"#,
    ]);
    assert_eq!(
        read["tool_calls"][0]["function"],
        json!({"name": "f", "arguments": {"x": 1}})
    );
    assert_eq!(read["tool_calls"][1], "odd");
    // The places count, not the order of the first pieces.
    let read = message(&[
        r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},{"index":1,"function":{"arguments":"}"}}]}"#,
    ]);
    let expected = json!([
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}},
    ]);
    assert_eq!(read["tool_calls"], expected);
    // The first id is the one that the stream was shown with.
    let read = message(&[
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}]}"#,
        r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":":1}"}}]}"#,
    ]);
    assert_eq!(
        read["tool_calls"],
        json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\":1}"}}])
    );
}

#[test]
fn what_comes_empty_behind_the_end_takes_nothing_back() {
    // Azure: a filter's chunk behind the end, without id and model.
    let text = text_of(&[
        r#"{"id":"","model":"","choices":[],"prompt_filter_results":[{"a":1}]}"#.to_owned(),
        r#"{"id":"c-1","model":"gpt-5","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop","content_filter_results":{"hate":{"severity":"safe"}}}]}"#.to_owned(),
        r#"{"id":"","model":"","choices":[{"index":0,"delta":{},"finish_reason":"","content_filter_results":{"hate":{"severity":"low"}}}]}"#.to_owned(),
    ]);
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&read["id"], &read["model"]), (&json!("c-1"), &json!("gpt-5")));
    let choice = &read["choices"][0];
    assert_eq!(
        (
            &choice["finish_reason"],
            &choice["content_filter_results"]["hate"]["severity"]
        ),
        (&json!("stop"), &json!("low"))
    );
}

#[test]
fn token_ids_and_plain_logprobs_are_appended() {
    let read = choices(&[
        r#"{"delta":{"content":"a"},"token_ids":[1],"logprobs":{"tokens":["a"],"token_logprobs":[-0.1]}}"#,
        r#"{"delta":{"content":"b"},"token_ids":[2],"logprobs":{"tokens":["b"],"token_logprobs":[null]}}"#,
    ]);
    let choice = &read["choices"][0];
    assert_eq!(choice["token_ids"], json!([1, 2]));
    assert_eq!(
        choice["logprobs"],
        json!({"tokens": ["a", "b"], "token_logprobs": [-0.1, null]})
    );
}

/// Doubling the pieces doubles the bytes that are looked at to tell whether a call is whole: each is looked at once.
#[test]
fn each_byte_of_the_arguments_is_looked_at_once() {
    let mut balance = JsonCompleteness::default();
    for (piece, whole) in [
        ("{\"a\":", false),
        ("\"}\\\"", false),
        ("\"", false),
        ("}", true),
        (" ", true),
        ("{", false),
    ] {
        balance.feed(piece.as_bytes());
        assert_eq!(balance.is_whole(), whole, "{piece}");
    }
    assert_eq!(balance.seen, 13);
}

/// The work on a piece does not grow with what is there: 20 000 pieces, each with an id and the name, which took minutes when it did.
#[test]
fn many_pieces_of_one_call_and_many_calls_are_put_together() {
    let pieces = 10_000;
    let mut gathered = Assembler::default();
    for at in 0..pieces {
        let begin = if at == 0 { "[" } else { "" };
        let chunk = format!(
            r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"id":"c{at}","function":{{"name":"f","arguments":"{begin}0,"}}}},{{"index":{},"id":"d{at}","function":{{"name":"g","arguments":"{{}}"}}}}]}}}}]}}"#,
            at + 1
        );
        add(&mut gathered, &chunk);
    }
    let read = ChatResponse::from_json(&gathered.whole()).unwrap();
    let calls = &read.choices[0].message.tool_calls;
    assert_eq!(calls.len(), pieces + 1);
    let arguments = calls[0]
        .function
        .as_ref()
        .and_then(|function| function.arguments.as_deref());
    assert_eq!(arguments.map(str::len), Some(1 + 2 * pieces));
    assert_eq!(calls[pieces].index, Some(10_000));
}

proptest! {
    /// Any text, written with any escapes and cut between any two of its units, is put together as it was: pairs of surrogates are cut as well.
    #[test]
    fn a_text_cut_anywhere_is_the_same(text in "[a-z\u{e9}\u{1f600}\"\\\\\n]{0,16}", cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4), name in prop::sample::select(vec!["content", "reasoning_text", "refusal"])) {
        let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(units.len() + 1)).collect();
        cuts.extend([0, units.len()]);
        cuts.sort_unstable();
        let deltas: Vec<String> = cuts.windows(2).map(|pair| format!("{{\"{name}\":\"{}\"}}", units[pair[0]..pair[1]].concat())).collect();
        let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
        prop_assert_eq!(&message(&deltas)[name], &text);
    }

    /// Whatever chunks are read, what comes of them is JSON.
    #[test]
    fn any_chunks_become_json(chunks in proptest::collection::vec(r#"\{("(content|tool_calls|x|reasoning|id)":("\\\\ud83d"|"a"|NaN|1e999|null|\[\{"index":0,"text":"\\\\ude00"\},"b",7\]|\{"type":"a","a":[0-9]\}),){0,4}"role":"assistant"\}"#, 0..6)) {
        let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
        prop_assert!(chunks.is_empty() || message(&chunks).is_object());
    }
}

/// Each report is read once: to read all of the earlier ones again would take minutes here.
#[test]
fn usage_in_many_parts_is_read_once() {
    let large = "x".repeat(1 << 20);
    let mut answer = Assembler::default();
    add(&mut answer, r#"{"usage":null}"#);
    add(
        &mut answer,
        &format!(r#"{{"usage":{{"note":"{large}","prompt_tokens":3}}}}"#),
    );
    for count in 0..20_000 {
        add(&mut answer, &format!(r#"{{"usage":{{"completion_tokens":{count}}}}}"#));
    }
    let whole: Value = serde_json::from_slice(&answer.whole()).unwrap();
    let usage = &whole["usage"];
    assert_eq!(
        (usage["prompt_tokens"].as_u64(), usage["completion_tokens"].as_u64()),
        (Some(3), Some(19_999))
    );
    assert_eq!(usage["note"].as_str().map(str::len), Some(1 << 20));
}
