//! Any message, cut into any pieces, is put together as it was.

use http::HeaderMap;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::Index,
    test_runner::{Config, RngSeed},
};
use serde_json::{Map, Value, json};
use tower_llm_layers::Stage;

use crate::{ChatFrame, FrameKind, assemble::Gathered, body::put_together};

/// A text with characters of several bytes.
fn text() -> impl Strategy<Value = String> {
    "[a-z \u{e9}\u{1f600}\"\\\\]{1,24}"
}

fn tool_calls() -> impl Strategy<Value = Value> {
    vec(("[a-z]{1,8}", text()), 0..3).prop_map(|calls| {
        let call = |(index, (name, arguments))| json!({"index": index, "id": format!("call_{index}"), "type": "function", "function": {"name": name, "arguments": arguments}});
        calls.into_iter().enumerate().map(call).collect()
    })
}

fn reasoning_details() -> impl Strategy<Value = Value> {
    vec((text(), option::of("[a-z]{4}")), 0..3).prop_map(|details| {
        let detail = |(index, (text, signature))| match signature {
            Some(signature) => json!({"type": "reasoning.text", "index": index, "text": text, "signature": signature}),
            None => json!({"type": "reasoning.encrypted", "index": index, "data": text}),
        };
        details.into_iter().enumerate().map(detail).collect()
    })
}

fn wholes(name: &'static str) -> impl Strategy<Value = Value> {
    vec(text(), 0..4).prop_map(move |texts| {
        texts
            .into_iter()
            .map(|text| json!({"type": name, name: {"x": text}}))
            .collect()
    })
}

/// The message and the log-probabilities of a plain answer.
fn answers() -> impl Strategy<Value = (Map<String, Value>, Value)> {
    let parts = (
        text(),
        option::of(text()),
        option::of(text()),
        tool_calls(),
        reasoning_details(),
        wholes("image_url"),
        wholes("url_citation"),
        option::of(text()),
        vec(text(), 0..5),
        (option::of(text()), option::of(text())),
        option::of(("[a-z]{1,8}", text())),
    );
    parts.prop_map(
        |(
            content,
            refusal,
            reasoning,
            calls,
            details,
            images,
            annotations,
            new,
            tokens,
            (thinking, more),
            function,
        )| {
            let optional = [
                ("refusal", refusal),
                ("reasoning", reasoning),
                ("x_new", new),
                ("thinking", thinking),
                ("reasoning_text", more),
            ];
            let optional = optional.into_iter().map(|(name, text)| (name, text.map(Value::String)));
            let lists = [
                ("tool_calls", calls),
                ("reasoning_details", details),
                ("images", images),
                ("annotations", annotations),
            ];
            let lists = lists.map(|(name, list)| (name, Some(list).filter(|list| list != &json!([]))));
            let all = optional
                .chain(lists)
                .filter_map(|(name, value)| Some((name.to_owned(), value?)));
            let mut message: Map<_, _> = all.collect();
            message.insert("role".into(), "assistant".into());
            if let Some((name, arguments)) = function {
                message.insert("function_call".into(), json!({"name": name, "arguments": arguments}));
            }
            message.insert("content".into(), content.into());
            let tokens: Value = tokens
                .into_iter()
                .map(|token| json!({"token": token, "logprob": -0.5}))
                .collect();
            (message, tokens)
        },
    )
}

/// A text, cut between characters.
fn cut(text: &str, cuts: &[Index]) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(characters.len() + 1)).collect();
    cuts.extend([0, characters.len()]);
    cuts.sort_unstable();
    cuts.windows(2)
        .map(|pair| characters[pair[0]..pair[1]].iter().collect())
        .collect()
}

/// What stands in one entry of a list, as pieces: the first brings all but the end of its long text.
fn cut_entry(entry: &Value, path: &[&str], cuts: &[Index]) -> Vec<Value> {
    let pointer = format!("/{}", path.join("/"));
    let Some(text) = entry.pointer(&pointer).and_then(Value::as_str) else {
        return vec![entry.clone()];
    };
    let mut pieces = cut(text, cuts).into_iter();
    let mut first = entry.clone();
    if let (Some(long), Some(begin)) = (first.pointer_mut(&pointer), pieces.next()) {
        *long = begin.into();
    }
    let more = pieces.map(|piece| {
        let inner = path
            .iter()
            .rev()
            .fold(Value::String(piece), |inner, name| json!({ *name: inner }));
        let mut more = json!({"index": entry["index"], "type": entry["type"]});
        for (name, value) in inner.as_object().cloned().unwrap_or_default() {
            more[name] = value;
        }
        more
    });
    std::iter::once(first).chain(more).collect()
}

/// Each member of a message as the deltas that bring it, in their order.
fn tracks(message: &Map<String, Value>, cuts: &[Index]) -> Vec<Vec<Value>> {
    let member = |(name, value): (&String, &Value)| -> Vec<Value> {
        let values: Vec<Value> = match (name.as_str(), value) {
            ("content" | "refusal" | "reasoning" | "thinking" | "reasoning_text", Value::String(text)) => {
                cut(text, cuts).into_iter().map(Value::String).collect()
            }
            ("function_call", Value::Object(call)) => {
                let pieces = cut(call["arguments"].as_str().unwrap_or_default(), cuts).into_iter();
                let mut pieces = pieces.map(|piece| json!({"arguments": piece})).collect::<Vec<_>>();
                pieces[0]["name"] = call["name"].clone();
                pieces
            }
            ("tool_calls", Value::Array(calls)) => {
                let pieces = calls
                    .iter()
                    .flat_map(|call| cut_entry(call, &["function", "arguments"], cuts));
                pieces.map(|piece| json!([piece])).collect()
            }
            ("reasoning_details", Value::Array(details)) => {
                let long = |detail: &Value| {
                    if detail["type"] == "reasoning.text" {
                        "text"
                    } else {
                        "data"
                    }
                };
                let pieces = details
                    .iter()
                    .flat_map(|detail| cut_entry(detail, &[long(detail)], cuts));
                pieces.map(|piece| json!([piece])).collect()
            }
            (_, Value::Array(list)) => list.iter().map(|entry| json!([entry])).collect(),
            (_, value) => vec![value.clone()],
        };
        values.into_iter().map(|value| json!({ name: value })).collect()
    };
    message.iter().map(member).collect()
}

fn chunk(choice: &Value) -> ChatFrame {
    let value = json!({"id": "gen-1", "object": "chat.completion.chunk", "choices": [choice]});
    ChatFrame::new(value.to_string().into(), FrameKind::Chunk, Stage::Content, false)
}

fn config() -> Config {
    Config {
        cases: 400,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x5eed),
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn any_message_cut_into_any_pieces_is_put_together_as_it_was(
        (message, tokens) in answers(),
        cuts in vec(any::<Index>(), 0..4),
        order in vec(any::<Index>(), 64),
        snapshots in any::<bool>(),
    ) {
        let mut tracks: Vec<_> = tracks(&message, &cuts).into_iter().map(Vec::into_iter).collect();
        tracks.push(tokens.as_array().cloned().unwrap_or_default().into_iter().map(|token| json!({"logprobs": {"content": [token]}})).collect::<Vec<_>>().into_iter());
        let logprobs = tracks.len() - 1;
        let mut gathered = Gathered::default();
        let mut order = order.iter().cycle();
        let mut left: Vec<_> = (0..tracks.len()).collect();
        let mut so_far = String::new();
        while !left.is_empty() {
            let at = order.next().expect("it goes round").index(left.len());
            let track = left[at];
            let Some(piece) = tracks[track].next() else {
                left.remove(at);
                continue;
            };
            so_far += piece["content"].as_str().unwrap_or_default();
            let mut choice = if track == logprobs {
                json!({"index": 0, "delta": {}, "logprobs": piece["logprobs"]})
            } else {
                json!({"index": 0, "delta": piece, "logprobs": null})
            };
            if snapshots {
                choice["message"] = json!({"role": "assistant", "content": so_far});
            }
            gathered.take(&chunk(&choice)).expect("it is a chunk");
        }
        gathered.take(&chunk(&json!({"index": 0, "delta": {}, "finish_reason": "stop"}))).expect("it is a chunk");
        let frame = put_together(gathered, &HeaderMap::new()).expect("it is whole");
        let answer: Value = serde_json::from_slice(frame.bytes()).expect("it is JSON");
        let choice = &answer["choices"][0];
        prop_assert_eq!(&choice["message"], &Value::Object(message));
        let known = choice["logprobs"].get("content").cloned().unwrap_or_else(|| json!([]));
        prop_assert_eq!(known, tokens);
    }
}
