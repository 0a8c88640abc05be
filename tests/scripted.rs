//! An upstream of whole answers in a row, and what it was sent.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use http::{Request, Response};
use serde_json::{Value, json};
use tower::util::BoxCloneSyncService;
use tower_openrouter::{ApiRequest, ChatBody, Error, Stack, layers::LlmRequest as _, stack::StackBuilder};

/// The requests that came.
#[derive(Clone, Default)]
pub(crate) struct Sent(Arc<Mutex<Vec<Value>>>);

impl Sent {
    pub(crate) fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }
}

type Inner = BoxCloneSyncService<Request<ApiRequest>, Response<ChatBody>, Error>;

/// A stack over it, set up by `with`.
pub(crate) fn stack(
    answers: impl IntoIterator<Item = Value>,
    with: impl FnOnce(StackBuilder) -> StackBuilder,
) -> (Stack, Sent) {
    let answers: VecDeque<Value> = answers.into_iter().collect();
    let (answers, sent) = (Arc::new(Mutex::new(answers)), Sent::default());
    let seen = sent.clone();
    let service = tower::service_fn(move |request: Request<ApiRequest>| {
        let bytes = request.body().as_chat().unwrap().to_bytes();
        seen.0.lock().unwrap().push(serde_json::from_slice(&bytes).unwrap());
        let next = answers.lock().unwrap().pop_front();
        let is_streaming = request.body().is_streaming();
        async move {
            let answer =
                next.ok_or_else(|| Error::new(tower_openrouter::FailureKind::Upstream, "no answer is left"))?;
            let body = if is_streaming {
                ChatBody::from_event_stream(events(&answer))
            } else {
                ChatBody::from_plain(answer.to_string())
            };
            Ok::<_, Error>(Response::new(body))
        }
    });
    let inner: Inner = BoxCloneSyncService::new(service);
    let builder = with(Stack::builder().chain(["a/b"]).attempts_per_candidate(1));
    (builder.build_over(inner).unwrap(), sent)
}

/// An answer with this message.
#[expect(clippy::needless_pass_by_value, reason = "each caller makes the message for it")]
pub(crate) fn answer(message: Value, finish: &str) -> Value {
    json!({
        "id": "gen-1", "object": "chat.completion", "created": 1, "model": "a/b",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.001},
    })
}

pub(crate) fn says(text: &str) -> Value {
    answer(json!({"role": "assistant", "content": text}), "stop")
}

/// An answer that calls these tools: name and arguments.
pub(crate) fn calls(calls: &[(&str, &str)]) -> Value {
    let calls = calls.iter().enumerate().map(|(at, (name, arguments))| {
        json!({"id": format!("call_{at}"), "type": "function", "function": {"name": name, "arguments": arguments}})
    });
    let calls: Vec<Value> = calls.collect();
    answer(
        json!({"role": "assistant", "content": null, "tool_calls": calls}),
        "tool_calls",
    )
}

/// The same answer as a stream whose texts and arguments come in two pieces.
fn events(answer: &Value) -> String {
    let message = &answer["choices"][0]["message"];
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    if let Some(text) = message["content"].as_str() {
        let (first, second) = text.split_at(text.len() / 2);
        deltas.extend([first, second].map(|text| json!({"content": text})));
    }
    for (at, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
        let arguments = call["function"]["arguments"].as_str().unwrap();
        let (first, second) = arguments.split_at(arguments.len() / 2);
        let function = json!({"name": call["function"]["name"], "arguments": first});
        deltas.push(json!({"tool_calls": [{"index": at, "id": call["id"], "type": "function", "function": function}]}));
        deltas.push(json!({"tool_calls": [{"index": at, "function": {"arguments": second}}]}));
    }
    let chunk = |delta: &Value, finish: &Value| {
        let chunk = json!({"id": "gen-1", "object": "chat.completion.chunk", "created": 1, "model": "a/b",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let mut events: String = deltas.iter().map(|delta| chunk(delta, &Value::Null)).collect();
    events.push_str(&chunk(&json!({}), &answer["choices"][0]["finish_reason"]));
    let usage = json!({"id": "gen-1", "object": "chat.completion.chunk", "created": 1, "model": "a/b", "choices": [], "usage": answer["usage"]});
    events.push_str(&format!("data: {usage}\n\ndata: [DONE]\n\n"));
    events
}
