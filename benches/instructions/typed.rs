//! What reads the bytes of Responses, Messages and embeddings: as `readers` for chat, twice the units must cost twice the instructions.

use bytes::Bytes;
use http_body_util::Full;
use tower_openrouter::{Api, ApiRequest, ChatBody};

use crate::events::{
    MESSAGE_BEGINS, MESSAGE_ENDS, MESSAGE_WORD, RESPONSE_BEGINS, RESPONSE_ENDS, request, response_word,
};
use crate::readers::{numbered, read, through};

pub(super) fn count(subject: &str, units: usize) -> bool {
    let Some((api, what)) = subject.split_once('/') else {
        return false;
    };
    match api {
        "responses" => responses(what, units),
        "messages" => messages(what, units),
        "embeddings" => embeddings(what, units),
        _ => false,
    }
}

fn responses(what: &str, units: usize) -> bool {
    let message = |text: &str| {
        format!(
            r#"{{"type":"message","id":"m","role":"assistant","status":"completed","content":[{{"type":"output_text","text":"{text}","annotations":[]}}]}}"#
        )
    };
    let answer = |members: &str, output: &str| {
        format!(
            r#"{{"id":"resp_1","object":"response","status":"completed","model":"m",{members}"output":[{output}],"usage":{{"input_tokens":1,"output_tokens":1}}}}"#
        )
    };
    let events = |unit: fn(usize) -> String| -> String {
        let units: String = (0..units).map(unit).collect();
        format!("{RESPONSE_BEGINS}{units}{RESPONSE_ENDS}")
    };
    match what {
        "plain/text" => plain(Api::Responses, answer("", &message(&text(units)))),
        "plain/escapes" => plain(Api::Responses, answer("", &message(&escapes(units)))),
        "plain/members" => plain(Api::Responses, answer(&members(units), &message("so"))),
        "plain/items" => plain(Api::Responses, answer("", &numbered(units, |_| message("so")))),
        "plain/tool_calls" => plain(Api::Responses, answer("", &numbered(units, function_call))),
        "plain/blanks" => plain(Api::Responses, blanks(units) + &answer("", &message("so"))),
        "stream/events" => stream(Api::Responses, events(response_word)),
        "stream/items" => stream(Api::Responses, events(item_events)),
        "stream/arguments" => stream(Api::Responses, events(|_| ARGUMENTS.to_owned())),
        "assembled/text" => assembled(Api::Responses, events(response_word)),
        "assembled/items" => assembled(Api::Responses, events(item_events)),
        "assembled/arguments" => assembled(Api::Responses, events(|_| ARGUMENTS.to_owned())),
        "request/text" => asked(Api::Responses, &format!(r#""input":"{}""#, text(units))),
        "request/items" => asked(Api::Responses, &format!(r#""input":[{}]"#, numbered(units, turn))),
        "request/members" => asked(Api::Responses, &format!(r#"{}"input":"so""#, members(units))),
        _ => return false,
    }
    true
}

fn messages(what: &str, units: usize) -> bool {
    let block = |text: &str| format!(r#"{{"type":"text","text":"{text}"}}"#);
    let answer = |members: &str, content: &str| {
        format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","model":"m",{members}"content":[{content}],"stop_reason":"end_turn","usage":{{"input_tokens":1,"output_tokens":1}}}}"#
        )
    };
    let events = |unit: fn(usize) -> String| -> String {
        let units: String = (0..units).map(unit).collect();
        format!("{MESSAGE_BEGINS}{units}{MESSAGE_ENDS}")
    };
    match what {
        "plain/text" => plain(Api::Messages, answer("", &block(&text(units)))),
        "plain/escapes" => plain(Api::Messages, answer("", &block(&escapes(units)))),
        "plain/members" => plain(Api::Messages, answer(&members(units), &block("so"))),
        "plain/blocks" => plain(Api::Messages, answer("", &numbered(units, |_| block("so")))),
        "plain/tool_calls" => plain(Api::Messages, answer("", &numbered(units, tool_use))),
        "plain/blanks" => plain(Api::Messages, blanks(units) + &answer("", &block("so"))),
        "stream/events" => stream(Api::Messages, events(|_| MESSAGE_WORD.to_owned())),
        "stream/blocks" => stream(Api::Messages, events(block_events)),
        "stream/arguments" => stream(Api::Messages, events(|_| PARTIAL_JSON.to_owned())),
        "assembled/text" => assembled(Api::Messages, events(|_| MESSAGE_WORD.to_owned())),
        "assembled/blocks" => assembled(Api::Messages, events(block_events)),
        "assembled/arguments" => assembled(Api::Messages, events(|_| PARTIAL_JSON.to_owned())),
        "request/text" => asked(
            Api::Messages,
            &format!(
                r#""max_tokens":9,"messages":[{{"role":"user","content":"{}"}}]"#,
                text(units)
            ),
        ),
        "request/turns" => asked(
            Api::Messages,
            &format!(r#""max_tokens":9,"messages":[{}]"#, numbered(units, turn)),
        ),
        "request/members" => asked(
            Api::Messages,
            &format!(r#"{}"max_tokens":9,"messages":[{}]"#, members(units), turn(0)),
        ),
        _ => return false,
    }
    true
}

fn embeddings(what: &str, units: usize) -> bool {
    let answer = |members: &str, data: &str| {
        format!(
            r#"{{"object":"list","model":"m",{members}"data":[{data}],"usage":{{"prompt_tokens":1,"total_tokens":1}}}}"#
        )
    };
    let row = |at: usize| format!(r#"{{"object":"embedding","index":{at},"embedding":[0.25,-0.5]}}"#);
    match what {
        "plain/vectors" => plain(Api::Embeddings, answer("", &numbered(units, row))),
        "plain/members" => plain(Api::Embeddings, answer(&members(units), &row(0))),
        "plain/blanks" => plain(Api::Embeddings, blanks(units) + &answer("", &row(0))),
        "request/text" => asked(Api::Embeddings, &format!(r#""input":"{}""#, text(units))),
        "request/inputs" => asked(
            Api::Embeddings,
            &format!(r#""input":[{}]"#, numbered(units, |at| format!(r#""question {at}""#))),
        ),
        "request/members" => asked(Api::Embeddings, &format!(r#"{}"input":"so""#, members(units))),
        _ => return false,
    }
    true
}

/// A piece of the arguments of one call.
const ARGUMENTS: &str = concat!(
    "event: response.function_call_arguments.delta\n",
    r#"data: {"type":"response.function_call_arguments.delta","sequence_number":3,"item_id":"fc_1","output_index":1,"delta":"x"}"#,
    "\n\n"
);
const PARTIAL_JSON: &str = concat!(
    "event: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"x"}}"#,
    "\n\n"
);

/// A call that begins and ends, with its arguments at the end.
fn item_events(at: usize) -> String {
    let (call, index) = (function_call(at), at + 1);
    format!(
        "event: response.output_item.added\ndata: {{\"type\":\"response.output_item.added\",\"output_index\":{index},\"item\":{}}}\n\n\
         event: response.output_item.done\ndata: {{\"type\":\"response.output_item.done\",\"output_index\":{index},\"item\":{call}}}\n\n",
        call.replace(r#""{}""#, r#""""#)
    )
}

fn block_events(at: usize) -> String {
    let (block, index) = (tool_use(at), at + 1);
    format!(
        "event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":{index},\"content_block\":{block}}}\n\n\
         event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":{index}}}\n\n"
    )
}

fn function_call(at: usize) -> String {
    format!(r#"{{"type":"function_call","id":"fc_{at}","call_id":"c{at}","name":"f","arguments":"{{}}"}}"#)
}

fn tool_use(at: usize) -> String {
    format!(r#"{{"type":"tool_use","id":"c{at}","name":"f","input":{{}}}}"#)
}

fn turn(at: usize) -> String {
    format!(r#"{{"role":"user","content":"question {at}"}}"#)
}

fn text(units: usize) -> String {
    "x".repeat(units * 1024)
}

fn escapes(units: usize) -> String {
    r"\n\u00e9".repeat(units * 128)
}

fn blanks(units: usize) -> String {
    " ".repeat(units * 1024)
}

fn members(units: usize) -> String {
    numbered(units, |at| format!(r#""m{at}":{at}"#)) + ","
}

fn plain(api: Api, answer: String) {
    read(ChatBody::from_plain_of(api, Full::new(Bytes::from(answer))));
}

fn stream(api: Api, events: String) {
    read(ChatBody::from_event_stream_of(api, Full::new(Bytes::from(events))));
}

/// A stream that is put together to a plain answer.
fn assembled(api: Api, events: String) {
    through(api, request(api, false), events, true);
}

fn asked(api: Api, members: &str) {
    let request = ApiRequest::from_json(api, format!(r#"{{"model":"m",{members}}}"#));
    assert!(request.is_ok(), "{:?}", request.err());
}
