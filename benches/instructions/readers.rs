//! What reads bytes: the cost of one more unit of text, of members, tool calls, choices, events or blanks.
//!
//! Here a call is one unit of the input, and there is one input: twice the units must cost twice the instructions.

use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower::Service;
use tower_openrouter::stream_upstream::StreamUpstreamLayer;
use tower_openrouter::{Api, ApiRequest, ChatBody, ChatRequest, Error};

use crate::pieces::Pieces;
use crate::{leaf, ours};

/// How often a body that yields is polled again.
const POLLS: usize = 1 << 20;

pub(super) fn count(subject: &str, units: usize) -> bool {
    match subject {
        "plain/text" => plain(message(&"x".repeat(units * 1024))),
        "plain/escapes" => plain(message(&r"\n\u00e9".repeat(units * 128))),
        "plain/members" => plain(answer(&numbered(units, |at| format!(r#""m{at}":{at}"#)), CHOICE)),
        "plain/choices" => plain(answer(r#""new":1"#, &numbered(units, choice))),
        "plain/tool_calls" => plain(answer(r#""new":1"#, &calling(&numbered(units, call)))),
        "plain/blanks" => plain(format!(
            "{{{}{}",
            " ".repeat(units * 1024),
            message("so").trim_start_matches('{')
        )),
        "stream/events" => stream(leaf::event().repeat(units)),
        "stream/comments" => stream(": waiting\n\n".repeat(units) + leaf::event()),
        "stream/choices" => stream(numbered_events(units, |at| {
            format!(r#"{{"index":{},"delta":{{"content":"so"}}}}"#, at % 8)
        })),
        "stream/tool_calls" => stream(numbered_events(units, |at| {
            format!(r#"{{"index":0,"delta":{{"tool_calls":[{}]}}}}"#, call(at))
        })),
        "stream/arguments" => stream(numbered_events(units, arguments)),
        "stream/blanks" => stream("\n".repeat(units * 64) + leaf::event()),
        "wire/packed" => pieces(vec![Bytes::from(leaf::event().repeat(units))]),
        "wire/alone" => pieces(vec![Bytes::from_static(leaf::event().as_bytes()); units]),
        "assembled/text" => assembled(leaf::event().repeat(units)),
        "assembled/tool_calls" => assembled(numbered_events(units, |at| {
            format!(r#"{{"index":0,"delta":{{"tool_calls":[{}]}}}}"#, call(at))
        })),
        "assembled/arguments" => assembled(numbered_events(units, arguments)),
        "assembled/choices" => assembled(numbered_events(units, |at| {
            format!(r#"{{"index":{at},"delta":{{"content":"so"}}}}"#)
        })),
        "request/text" => request(&format!(
            r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#,
            "x".repeat(units * 1024)
        )),
        "request/messages" => request(&format!(r#"{{"messages":[{}]}}"#, numbered(units, turn))),
        "request/members" => request(&format!(
            r#"{{"messages":[{}],{}}}"#,
            turn(0),
            numbered(units, |at| format!(r#""m{at}":{at}"#))
        )),
        _ => return false,
    }
    true
}

const CHOICE: &str = r#"{"index":0,"message":{"role":"assistant","content":"so"},"finish_reason":"stop"}"#;

pub(super) fn numbered(units: usize, unit: impl Fn(usize) -> String) -> String {
    (0..units).map(unit).collect::<Vec<_>>().join(",")
}

fn answer(members: &str, choices: &str) -> String {
    format!(
        r#"{{"id":"gen-1","model":"m",{members},"choices":[{choices}],"usage":{{"prompt_tokens":1,"completion_tokens":1}}}}"#
    )
}

fn message(text: &str) -> String {
    let choice = format!(r#"{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}"#);
    answer(r#""new":1"#, &choice)
}

fn choice(at: usize) -> String {
    format!(r#"{{"index":{at},"message":{{"role":"assistant","content":"so"}},"finish_reason":"stop"}}"#)
}

fn call(at: usize) -> String {
    format!(r#"{{"index":{at},"id":"c{at}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}"#)
}

fn arguments(_: usize) -> String {
    r#"{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"x"}}]}}"#.to_owned()
}

fn calling(calls: &str) -> String {
    format!(r#"{{"index":0,"message":{{"role":"assistant","tool_calls":[{calls}]}},"finish_reason":"tool_calls"}}"#)
}

fn turn(at: usize) -> String {
    format!(r#"{{"role":"user","content":"question {at}"}}"#)
}

fn numbered_events(units: usize, choice: impl Fn(usize) -> String) -> String {
    let event = |at| format!("data: {{\"id\":\"gen-1\",\"choices\":[{}]}}\n\n", choice(at));
    (0..units).map(event).collect()
}

/// The end of a stream that is whole.
const END: &str = concat!(
    r#"data: {"id":"gen-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\ndata: [DONE]\n\n"
);

fn plain(answer: String) {
    read(ChatBody::from_plain(Full::new(Bytes::from(answer))));
}

fn stream(events: String) {
    read(ChatBody::from_event_stream(Full::new(Bytes::from(events + END))));
}

fn pieces(mut pieces: Vec<Bytes>) {
    pieces.push(Bytes::from_static(END.as_bytes()));
    read(ChatBody::from_event_stream(Pieces::new(pieces)));
}

fn request(json: &str) {
    assert!(
        ChatRequest::from_json(Bytes::from(json.to_owned())).is_ok(),
        "it is read"
    );
}

/// Reads a body that is whole; one that yields is polled again.
pub(super) fn read<B: Body<Error: std::fmt::Debug>>(body: B) {
    let mut context = Context::from_waker(Waker::noop());
    let mut body = pin!(body);
    for _ in 0..POLLS {
        match body.as_mut().poll_frame(&mut context) {
            Poll::Ready(None) => return,
            Poll::Ready(Some(frame)) => assert!(frame.is_ok(), "{:?}", frame.err()),
            Poll::Pending => {}
        }
    }
    unreachable!("the body has an end");
}

/// A stream that is put together to a plain answer.
fn assembled(events: String) {
    let request = ChatRequest::user("Why is the sky blue?").model(ours::MODEL);
    through(Api::Chat, request.into(), events + END, true);
}

/// The events of a stream through the whole stack, as they come or put together to a plain answer.
pub(super) fn through(api: Api, request: ApiRequest, events: String, assembled: bool) {
    let settings = match assembled {
        true => ours::settings().stream_upstream(StreamUpstreamLayer::new()),
        false => ours::settings(),
    };
    let mut stack = ours::stack(settings, Streams(api, Bytes::from(events)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(stack.poll_ready(&mut context).is_ready(), "it is ready");
    let mut call = pin!(stack.call(request.into_http()));
    for _ in 0..POLLS {
        if let Poll::Ready(response) = call.as_mut().poll(&mut context) {
            let body = response.map(Response::into_body);
            assert!(body.is_ok(), "{:?}", body.err());
            body.into_iter().for_each(read);
            return;
        }
    }
    unreachable!("the answer has an end");
}

/// An inner service that streams these bytes.
#[derive(Clone)]
struct Streams(Api, Bytes);

impl Service<Request<ApiRequest>> for Streams {
    type Response = Response<ChatBody>;
    type Error = Error;
    type Future = Ready<Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ApiRequest>) -> Self::Future {
        let events = Full::new(self.1.clone());
        ready(Ok(Response::new(ChatBody::from_event_stream_of(self.0, events))))
    }
}
