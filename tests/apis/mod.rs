//! Responses, Messages and embeddings through the layers of a stack, over upstreams that send what real ones send.

#[cfg(feature = "cache")]
mod cached;
mod direct;
mod embeddings;
mod fewer_vectors;
mod layers;
pub(crate) mod money;
mod rescue;
mod resume;

use bytes::Bytes;
use tower::ServiceExt;
use tower_openrouter::{
    Answer, Api, ApiRequest, Attempt, AttemptLog, ChatFrame, Error, FailureKind, FrameKind, Outcome, Stack,
    layers::Degraded,
};

use crate::support::{
    FIRST,
    raw::{Raw, Step, events, json, send},
};

pub(crate) const SKY: &str = "The sky is blue.";
/// The text APIs beside chat.
const TYPED: [Api; 2] = [Api::Responses, Api::Messages];
/// The vector of a good answer.
const VECTOR: &str = "[0.5,-1.0]";
const CHAT_USAGE: &str = r#"{"prompt_tokens":120,"completion_tokens":6,"total_tokens":126,"prompt_tokens_details":{"cached_tokens":100},"cost":0.000123}"#;

/// Whether its answers are streamed: embeddings come whole.
pub(crate) const fn forms(api: Api) -> &'static [bool] {
    match api {
        Api::Embeddings => &[false],
        _ => &[true, false],
    }
}

/// A request with fields and white space of its own.
fn body(api: Api, streamed: bool) -> String {
    match api {
        Api::Responses => format!(
            r#"{{ "model":"{FIRST}","max_output_tokens":50, "input" : [ {{"role":"user","content":"Why?","x":1.0}} ],"new":[null],"stream":{streamed}}}"#
        ),
        // Long enough that a reservation for it is worth something.
        Api::Embeddings => format!(
            r#"{{ "model":"{FIRST}", "input" : [ "Why is the sky blue at noon, and why is it red in the evening?" ],"new":[null, 1.0]}}"#
        ),
        _ => format!(
            r#"{{ "model":"{FIRST}","max_tokens":50, "messages" : [ {{"role":"user","content":"Why?","x":1.0}} ],"new":[null],"stream":{streamed}}}"#
        ),
    }
}

pub(crate) fn request(api: Api, streamed: bool) -> ApiRequest {
    ApiRequest::from_json(api, body(api, streamed)).unwrap()
}

pub(crate) fn event(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    format!("event: {}\ndata: {json}\n\n", value["type"].as_str().unwrap())
}

/// The events of a good answer, up to the end and from there.
pub(crate) fn stream(api: Api) -> (String, String) {
    if api == Api::Chat {
        return chat_stream();
    }
    let (begun, ended) = if api == Api::Responses {
        (
            vec![
                r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"a/b","output":[]}}"#.to_owned(),
                r#"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"m","role":"assistant","content":[]}}"#.to_owned(),
                r#"{"type":"response.output_text.delta","sequence_number":2,"item_id":"m","output_index":0,"content_index":0,"delta":"The sky "}"#.to_owned(),
                r#"{"type":"response.output_text.delta","sequence_number":3,"item_id":"m","output_index":0,"content_index":0,"delta":"is blue."}"#.to_owned(),
            ],
            vec![
                format!(r#"{{"type":"response.output_item.done","sequence_number":4,"output_index":0,"item":{}}}"#, item()),
                format!(r#"{{"type":"response.completed","sequence_number":5,"response":{}}}"#, plain(api)),
            ],
        )
    } else {
        (
            vec![
                r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"a/b","content":[],"stop_reason":null,"usage":{"input_tokens":20,"cache_read_input_tokens":100,"output_tokens":1}}}"#.to_owned(),
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#.to_owned(),
                r#"{"type":"ping"}"#.to_owned(),
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"The sky "}}"#.to_owned(),
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"is blue."}}"#.to_owned(),
            ],
            vec![
                r#"{"type":"content_block_stop","index":0}"#.to_owned(),
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":6,"cost":0.000123}}"#.to_owned(),
                r#"{"type":"message_stop"}"#.to_owned(),
            ],
        )
    };
    let text = |events: Vec<String>| events.iter().map(|json| event(json)).collect();
    (text(begun), text(ended))
}

fn chat_stream() -> (String, String) {
    let chunk = |choices: &str| {
        format!(
            "data: {{\"id\":\"gen-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"a/b\",\"choices\":[{choices}]}}\n\n"
        )
    };
    let text = |text: &str| {
        chunk(&format!(
            r#"{{"index":0,"delta":{{"role":"assistant","content":"{text}"}},"finish_reason":null}}"#
        ))
    };
    let end = chunk(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#);
    let usage = format!("data: {{\"id\":\"gen-1\",\"choices\":[],\"usage\":{CHAT_USAGE}}}\n\n");
    (
        text("The sky ") + &text("is blue."),
        format!("{end}{usage}data: [DONE]\n\n"),
    )
}

fn item() -> String {
    format!(
        r#"{{"type":"message","id":"m","role":"assistant","status":"completed","content":[{{"type":"output_text","text":"{SKY}","annotations":[]}}]}}"#
    )
}

/// A good answer as one document.
pub(crate) fn plain(api: Api) -> String {
    match api {
        Api::Chat => format!(
            r#"{{"id":"gen-1","object":"chat.completion","created":1,"model":"a/b","choices":[{{"index":0,"message":{{"role":"assistant","content":"{SKY}"}},"finish_reason":"stop"}}],"usage":{CHAT_USAGE}}}"#
        ),
        Api::Responses => {
            let item = item();
            format!(
                r#"{{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"a/b","output":[{item}],"error":null,"usage":{{"input_tokens":120,"input_tokens_details":{{"cached_tokens":100}},"output_tokens":6,"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":126,"cost":0.000123}}}}"#
            )
        }
        Api::Messages => format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","model":"a/b","content":[{{"type":"text","text":"{SKY}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":20,"cache_read_input_tokens":100,"output_tokens":6,"cost":0.000123}}}}"#
        ),
        _ => format!(
            r#"{{"id":"emb_1","object":"list","model":"a/b","data":[{{"object":"embedding","index":0,"embedding":{VECTOR}}}],"usage":{{"prompt_tokens":126,"total_tokens":126,"cost":0.000123}}}}"#
        ),
    }
}

/// The good answer that a request asks for.
pub(crate) fn good(api: Api, request: &str) -> Vec<Step> {
    if request.contains("\"stream\":true") {
        let (begun, ended) = stream(api);
        vec![events(), send(begun), send(ended)]
    } else {
        vec![json(), send(plain(api))]
    }
}

/// What a caller got.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) text: String,
    frames: Vec<ChatFrame>,
    error: Option<Error>,
    pub(crate) lines: Vec<Attempt>,
    degraded: Option<Degraded>,
}

impl Got {
    pub(crate) fn kind(&self) -> Option<FailureKind> {
        self.error.as_ref().map(Error::kind)
    }

    /// The JSON of all frames, as it came.
    pub(crate) fn bytes(&self) -> Vec<Bytes> {
        let frames = self.frames.iter().filter(|frame| frame.kind() != FrameKind::KeepAlive);
        frames.map(|frame| frame.bytes().clone()).collect()
    }

    /// Whether what the answer took is known.
    pub(crate) fn has_usage(&self) -> bool {
        self.frames.iter().any(ChatFrame::has_usage)
    }

    /// How many attempts were sent.
    fn sent(&self) -> usize {
        self.lines
            .iter()
            .filter(|line| line.outcome != Outcome::Skipped)
            .count()
    }
}

pub(crate) async fn call(stack: &Stack, request: ApiRequest) -> Got {
    let mut got = Got::default();
    match stack.clone().oneshot(request.into_http()).await {
        Ok(response) => {
            let mut answer = Answer::new(response);
            got.degraded = answer.degraded();
            while let Some(frame) = answer.next_frame().await {
                match frame {
                    Ok(frame) => {
                        got.text.push_str(&frame.text().unwrap_or_default());
                        got.frames.push(frame);
                    }
                    Err(error) => got.error = Some(error),
                }
            }
            got.lines = answer.attempts().as_ref().map(AttemptLog::attempts).unwrap_or_default();
        }
        Err(error) => {
            got.lines = error.attempts().map(AttemptLog::attempts).unwrap_or_default();
            got.error = Some(error);
        }
    }
    got
}

/// Whether it is the good answer of this API: all of its text, or its vector.
pub(crate) fn is_good(api: Api, got: &Got) -> bool {
    let is_whole = if api == Api::Embeddings {
        String::from_utf8_lossy(&got.bytes().concat()).contains(VECTOR)
    } else {
        got.text == SKY
    };
    is_whole && got.kind().is_none()
}

/// The body of a request that an upstream saw.
pub(crate) fn sent_body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

/// An upstream where the first model does this and every other one is well.
pub(crate) async fn first_does(api: Api, steps: Vec<Step>) -> Raw {
    Raw::start(move |request| {
        if request.contains(&format!("\"{FIRST}\"")) {
            steps.clone()
        } else {
            good(api, request)
        }
    })
    .await
}
