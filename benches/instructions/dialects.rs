//! The dialects beside one another: an event of each API's stream, read and through the whole stack, vectors, and a prompt of a megabyte.
//!
//! A call of `event/…` and `stack_event/…` is one event that shows a word, and of `vectors/…` a kibibyte; what else a stream has is the same however
//! many there are. A call of `prompt/…` is a whole call: the prompt is read, fails twice, and goes out to a second model.

use bytes::Bytes;
use http_body_util::Full;
use tower_openrouter::{Api, ApiRequest, ChatBody};

use crate::leaf;
use crate::prompt::{Road, prompt_of};
use crate::readers::{numbered, read, through};

pub(super) fn count(subject: &str, calls: usize) -> bool {
    let Some((what, api)) = subject.split_once('/') else {
        return false;
    };
    if what == "vectors" {
        return vectors(api, calls);
    }
    let Some(api) = Api::ALL.into_iter().find(|known| known.to_string() == api) else {
        return false;
    };
    match what {
        "event" => {
            let events = Full::new(Bytes::from(stream(api, calls)));
            read(ChatBody::from_event_stream_of(api, events));
        }
        "stack_event" => through(api, request(api, true), stream(api, calls), false),
        "prompt" => prompts(api, calls),
        _ => return false,
    }
    true
}

/// A whole stream with so many words.
fn stream(api: Api, words: usize) -> String {
    let words = |word: fn(usize) -> String| (0..words).map(word).collect::<String>();
    match api {
        Api::Responses => format!("{RESPONSE_BEGINS}{}{RESPONSE_ENDS}", words(response_word)),
        Api::Messages => format!("{MESSAGE_BEGINS}{}{MESSAGE_ENDS}", words(|_| MESSAGE_WORD.to_owned())),
        Api::Chat | Api::Embeddings => format!("{}{CHAT_ENDS}", words(|_| leaf::event().to_owned())),
    }
}

const CHAT_ENDS: &str = concat!(
    r#"data: {"id":"gen-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\ndata: [DONE]\n\n"
);

pub(super) const RESPONSE_BEGINS: &str = concat!(
    "event: response.created\n",
    r#"data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"openai/gpt-5","output":[]}}"#,
    "\n\nevent: response.output_item.added\n",
    r#"data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","status":"in_progress","content":[]}}"#,
    "\n\nevent: response.content_part.added\n",
    r#"data: {"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}"#,
    "\n\n"
);

pub(super) const RESPONSE_ENDS: &str = concat!(
    "event: response.completed\n",
    r#"data: {"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","object":"response","status":"completed","model":"openai/gpt-5","output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"so","annotations":[]}]}],"usage":{"input_tokens":15,"output_tokens":9,"total_tokens":24,"cost":0.00001}}}"#,
    "\n\n"
);

/// As OpenRouter sends it: the events are numbered.
pub(super) fn response_word(at: usize) -> String {
    format!(
        concat!(
            "event: response.output_text.delta\n",
            r#"data: {{"type":"response.output_text.delta","sequence_number":{},"item_id":"msg_1","output_index":0,"content_index":0,"delta":" word","logprobs":[]}}"#,
            "\n\n"
        ),
        at + 3
    )
}

pub(super) const MESSAGE_BEGINS: &str = concat!(
    "event: message_start\n",
    r#"data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"openai/gpt-5","content":[],"stop_reason":null,"usage":{"input_tokens":15,"output_tokens":1}}}"#,
    "\n\nevent: content_block_start\n",
    r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    "\n\n"
);

pub(super) const MESSAGE_WORD: &str = concat!(
    "event: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}"#,
    "\n\n"
);

pub(super) const MESSAGE_ENDS: &str = concat!(
    "event: content_block_stop\n",
    r#"data: {"type":"content_block_stop","index":0}"#,
    "\n\nevent: message_delta\n",
    r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}"#,
    "\n\nevent: message_stop\n",
    r#"data: {"type":"message_stop"}"#,
    "\n\n"
);

/// A short request.
pub(super) fn request(api: Api, streamed: bool) -> ApiRequest {
    let json = match api {
        Api::Responses => format!(r#"{{"model":"openai/gpt-5","stream":{streamed},"input":"Why is the sky blue?"}}"#),
        Api::Embeddings => r#"{"model":"openai/gpt-5","input":"Why is the sky blue?"}"#.to_owned(),
        Api::Chat | Api::Messages => format!(
            r#"{{"model":"openai/gpt-5","stream":{streamed},"max_tokens":99,"messages":[{{"role":"user","content":"Why?"}}]}}"#
        ),
    };
    let Ok(request) = ApiRequest::from_json(api, json) else {
        unreachable!("it is a request")
    };
    request
}

/// A plain answer with a kibibyte of vectors for each unit, and the same of a chat's text.
fn vectors(form: &str, units: usize) -> bool {
    let kibibyte = match form {
        "numbers" => {
            // 64 numbers of sixteen bytes with their commas.
            let numbers = numbered(64, |at| format!("-0.0{:011}", at * 1_234_567));
            numbered(units, |at| {
                format!(r#"{{"object":"embedding","index":{at},"embedding":[{numbers}]}}"#)
            })
        }
        "base64" => {
            let text = "gB2b".repeat(256);
            numbered(units, |at| {
                format!(r#"{{"object":"embedding","index":{at},"embedding":"{text}"}}"#)
            })
        }
        _ => return false,
    };
    let answer = format!(
        r#"{{"object":"list","model":"m","data":[{kibibyte}],"usage":{{"prompt_tokens":1,"total_tokens":1}}}}"#
    );
    let body = Full::new(Bytes::from(answer));
    read(ChatBody::from_plain_of(Api::Embeddings, body));
    true
}

fn prompts(api: Api, calls: usize) {
    let body = prompt_of(api);
    let road = Road::new();
    for _ in 0..calls {
        assert!(road.travel_as(api, &body).is_some(), "the last attempt answers");
    }
}
