//! What each API streams: an event that shows a word, and what stands before and behind.

use tower_openrouter::{Api, ApiRequest};

use crate::leaf;

/// So many words are made for each stream: what making them costs is then not in the difference of two counts.
const MADE: usize = 1_200;

/// A whole stream with so many words.
#[must_use]
pub fn stream(api: Api, words: usize) -> String {
    let words = |word: fn(usize) -> String| {
        let made: Vec<String> = (0..words.max(MADE)).map(word).collect();
        made.iter().take(words).map(String::as_str).collect::<String>()
    };
    match api {
        Api::Responses => format!("{RESPONSE_BEGINS}{}{RESPONSE_ENDS}", words(response_word)),
        Api::Messages => format!("{MESSAGE_BEGINS}{}{MESSAGE_ENDS}", words(|_| MESSAGE_WORD.to_owned())),
        _ => format!("{}{CHAT_ENDS}", words(|_| leaf::event().to_owned())),
    }
}

const CHAT_ENDS: &str = concat!(
    r#"data: {"id":"gen-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\ndata: [DONE]\n\n"
);

/// What a stream of a response has before its first word.
pub const RESPONSE_BEGINS: &str = concat!(
    "event: response.created\n",
    r#"data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"openai/gpt-5","output":[]}}"#,
    "\n\nevent: response.output_item.added\n",
    r#"data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","status":"in_progress","content":[]}}"#,
    "\n\nevent: response.content_part.added\n",
    r#"data: {"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}"#,
    "\n\n"
);

/// What it has behind its last.
pub const RESPONSE_ENDS: &str = concat!(
    "event: response.completed\n",
    r#"data: {"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","object":"response","status":"completed","model":"openai/gpt-5","output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"so","annotations":[]}]}],"usage":{"input_tokens":15,"output_tokens":9,"total_tokens":24,"cost":0.00001}}}"#,
    "\n\n"
);

/// A word of a response, as OpenRouter sends it: the events are numbered.
#[must_use]
pub fn response_word(at: usize) -> String {
    format!(
        concat!(
            "event: response.output_text.delta\n",
            r#"data: {{"type":"response.output_text.delta","sequence_number":{},"item_id":"msg_1","output_index":0,"content_index":0,"delta":" word","logprobs":[]}}"#,
            "\n\n"
        ),
        at + 3
    )
}

/// What a stream of a message has before its first word.
pub const MESSAGE_BEGINS: &str = concat!(
    "event: message_start\n",
    r#"data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"openai/gpt-5","content":[],"stop_reason":null,"usage":{"input_tokens":15,"output_tokens":1}}}"#,
    "\n\nevent: content_block_start\n",
    r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    "\n\n"
);

/// A word of a message.
pub const MESSAGE_WORD: &str = concat!(
    "event: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}"#,
    "\n\n"
);

/// What it has behind its last.
pub const MESSAGE_ENDS: &str = concat!(
    "event: content_block_stop\n",
    r#"data: {"type":"content_block_stop","index":0}"#,
    "\n\nevent: message_delta\n",
    r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}}"#,
    "\n\nevent: message_stop\n",
    r#"data: {"type":"message_stop"}"#,
    "\n\n"
);

/// A short request.
///
/// # Panics
///
/// Never: the requests are constants.
#[must_use]
pub fn request(api: Api, streamed: bool) -> ApiRequest {
    let json = match api {
        Api::Responses => format!(r#"{{"model":"openai/gpt-5","stream":{streamed},"input":"Why is the sky blue?"}}"#),
        Api::Embeddings => r#"{"model":"openai/gpt-5","input":"Why is the sky blue?"}"#.to_owned(),
        _ => format!(
            r#"{{"model":"openai/gpt-5","stream":{streamed},"max_tokens":99,"messages":[{{"role":"user","content":"Why?"}}]}}"#
        ),
    };
    let Ok(request) = ApiRequest::from_json(api, json) else {
        unreachable!("it is a request")
    };
    request
}
