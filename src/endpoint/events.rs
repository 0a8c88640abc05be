//! Frames as server-sent events, in the form of each API.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use tower_llm_layers::{Frame as _, Stage};

use super::{
    ending::Ending,
    envelope::{Envelope, Shape},
    failed::{failed, next_number, number_of},
    problem::Problem,
    unstreamed::as_events,
};
use crate::{Api, ChatFrame, frame::FrameKind};
use openrouter_wire::chat::as_chunk;
use openrouter_wire::json::Cursor;

/// The most of a first chunk that is kept for the case that the stream is interrupted: a chunk with more is no usual first one.
const LONGEST_KEPT: usize = 4096;

const DONE: &[u8] = b"data: [DONE]\n\n";
/// A sign of life of an API without an event for it, and that of Messages.
pub(super) const COMMENT: &[u8] = b": keep-alive\n\n";
pub(super) const PING: &[u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";
const MESSAGE_STOP: &[u8] = b"message_stop";
const STOPPED: &[u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// Writes the events of one stream, and remembers what an event about its interruption must repeat.
pub(super) struct EventWriter {
    shape: Shape,
    /// Of a chat the first chunk, which has its id; of a response the last event, which has its place in the sequence.
    seen: Bytes,
    /// Whether an event was written that is no sign of life.
    has_begun: bool,
    /// Of a message, whether its last event was written.
    is_stopped: bool,
    /// Of a response, what its last event repeats.
    ending: Option<Box<Ending>>,
}

impl EventWriter {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            seen: Bytes::new(),
            has_begun: false,
            is_stopped: false,
            ending: (shape.api == Api::Responses).then(Box::default),
        }
    }

    /// Writes a frame: its bytes as they came, on one line.
    pub(super) fn frame(&mut self, frame: &ChatFrame, out: &mut BytesMut) {
        if frame.kind() == FrameKind::KeepAlive {
            self.sign_of_life(frame, out);
            return;
        }
        // OpenRouter sends usage with every stream, whether it is requested or not.
        if frame.is_added_usage() && self.shape.envelope == Envelope::OpenAi {
            return;
        }
        self.has_begun = true;
        self.remember(frame.bytes());
        if frame.kind() == FrameKind::Answer {
            self.whole(frame.bytes(), out);
            return;
        }
        let name = match self.shape.api {
            Api::Responses | Api::Messages => event_name(frame.bytes()),
            _ => None,
        };
        self.is_stopped |= name == Some(MESSAGE_STOP);
        if let (Some(ending), Some(name)) = (&mut self.ending, name) {
            ending.take(name, frame.bytes());
        }
        event(name, &on_one_line(frame.bytes()), out);
    }

    /// Writes a sign of life. Within a stream of typed events it is an event, since clients look at nothing else: without one, Codex gives a stream
    /// up after 300 s. Before the first event and behind the last one it is a comment: no SDK expects another event there.
    fn sign_of_life(&mut self, frame: &ChatFrame, out: &mut BytesMut) {
        let has_ended = self.is_stopped || self.ending.as_ref().is_some_and(|ending| ending.has_ended());
        if !self.has_begun || has_ended || frame.stage() != Stage::KeepAlive {
            out.put_slice(COMMENT);
            return;
        }
        if let Some(name) = event_name(frame.bytes()) {
            if number_of(frame.bytes()).is_some() {
                self.remember(frame.bytes());
            }
            event(Some(name), &on_one_line(frame.bytes()), out);
            return;
        }
        match (self.shape.api, self.shape.envelope) {
            (Api::Messages, _) => out.put_slice(PING),
            (Api::Responses, Envelope::OpenAi) => {
                // The number of the event before: a client that continues behind it misses none.
                let number = number_of(&self.seen).unwrap_or_default();
                let data = format!("{{\"type\":\"keepalive\",\"sequence_number\":{number}}}");
                event(Some(b"keepalive"), data.as_bytes(), out);
            }
            // OpenRouter's own sign of life is a comment, and its SDKs refuse types that they do not know.
            _ => out.put_slice(COMMENT),
        }
    }

    /// A whole answer: some providers ignore `stream`.
    fn whole(&mut self, answer: &Bytes, out: &mut BytesMut) {
        let api = self.shape.api;
        if !matches!(api, Api::Responses | Api::Messages) {
            event(None, &as_chunk(answer), out);
            return;
        }
        let events = as_events(api, answer);
        for data in &events {
            event(event_name(data), data, out);
        }
        self.is_stopped = true;
        if let Some(ending) = &mut self.ending {
            ending.is_written();
        }
        self.seen = events.into_iter().next_back().unwrap_or_default().into();
    }

    fn remember(&mut self, bytes: &Bytes) {
        match self.shape.api {
            // A copy: a part of what the connection has read would keep all of it.
            Api::Chat if self.seen.is_empty() && bytes.len() <= LONGEST_KEPT => {
                self.seen = Bytes::copy_from_slice(bytes);
            }
            Api::Responses => self.seen = bytes.clone(),
            _ => {}
        }
    }

    /// Writes the last event of a stream that was interrupted. `model` is that of the candidate that answered.
    pub(super) fn failure(&self, problem: &Problem, model: &str, out: &mut BytesMut) {
        let name = match self.shape.api {
            Api::Responses | Api::Messages => Some(&b"error"[..]),
            _ => None,
        };
        let mut number = next_number(&self.seen);
        let failure = self
            .ending
            .as_ref()
            .and_then(|ending| ending.failed(number, problem, model));
        if let Some(failure) = failure {
            event(Some(b"response.failed"), &failure, out);
            number = number.saturating_add(1);
        }
        event(name, &failed(self.shape.api, problem, &self.seen, number, model), out);
    }

    /// Writes what stands behind the last event of a whole stream, and that event if the upstream has left it out. `model` is that of the
    /// candidate that answered.
    pub(super) fn end(&self, model: &str, out: &mut BytesMut) {
        let number = next_number(&self.seen);
        let completed = self.ending.as_ref().and_then(|ending| ending.completed(number, model));
        if let Some((name, data)) = completed {
            event(Some(name.as_bytes()), &data, out);
        }
        out.put_slice(self.mark().unwrap_or_default());
    }

    const fn mark(&self) -> Option<&'static [u8]> {
        match (self.shape.api, self.shape.envelope) {
            // OpenAI ends a stream of responses with its last event, and OpenRouter's schema names `[DONE]` as its sentinel: each mount
            // ends as its own API does, whatever the upstream has sent. The SDKs of both accept either.
            (Api::Responses, Envelope::OpenAi) => None,
            // Anthropic's has no sentinel at OpenRouter either. A server that writes one may leave out the event that clients wait for.
            (Api::Messages, _) if self.is_stopped => None,
            (Api::Messages, _) => Some(STOPPED),
            _ => Some(DONE),
        }
    }
}

/// The type that an event's data tells, if it can stand on a line by itself.
fn event_name(data: &[u8]) -> Option<&[u8]> {
    let name = match data.strip_prefix(b"{\"type\":\"") {
        // Where it stands as a rule: the rest is not read.
        Some(rest) => rest.get(..memchr::memchr(b'"', rest)?)?,
        None => {
            let mut found = None;
            let read = Cursor::lenient(data).object(|key, value| {
                if key.is("type") {
                    found = value.string_or_skip()?;
                    return Ok(());
                }
                value.skip()
            });
            read.ok()?;
            found?.plain()?
        }
    };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':');
    (!name.is_empty() && name.iter().all(is_name)).then_some(name)
}

/// JSON has no raw line breaks outside white space, and there a space is equivalent.
fn on_one_line(data: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\n', b'\r', data).is_none() {
        return Cow::Borrowed(data);
    }
    let on_line = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
    data.iter().map(on_line).collect()
}

fn event(name: Option<&[u8]>, data: &[u8], out: &mut BytesMut) {
    let name = name.unwrap_or_default();
    out.reserve(data.len() + name.len() + 16);
    if !name.is_empty() {
        out.put_slice(b"event: ");
        out.put_slice(name);
        out.put_slice(b"\n");
    }
    out.put_slice(b"data: ");
    out.put_slice(data);
    out.put_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_with_usage_and_no_choice_is_left_out_of_a_stream_whose_client_did_not_request_it() {
        let data = r#"{"id":"gen-1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
        let mut frame = ChatFrame::new(data.into(), FrameKind::Chunk, Stage::Trailer, true);
        let whole = format!("data: {data}\n\n");
        for of_openai in [&*whole, ""] {
            for (envelope, expected) in [(Envelope::OpenAi, of_openai), (Envelope::OpenRouter, &*whole)] {
                let shape = Shape {
                    api: Api::Chat,
                    envelope,
                };
                let mut out = BytesMut::new();
                EventWriter::new(shape).frame(&frame, &mut out);
                assert_eq!(out, expected.as_bytes(), "{envelope:?}");
            }
            frame.mark_added_usage();
        }
    }

    #[test]
    fn the_name_of_an_event_is_the_type_of_its_data() {
        for (data, name) in [
            (r#"{"type":"response.created","x":1}"#, Some("response.created")),
            (r#"{ "sequence_number": 3, "type" : "ping" }"#, Some("ping")),
            (
                r#"{"delta":{"type":"text_delta"},"type":"content_block_delta"}"#,
                Some("content_block_delta"),
            ),
            (r#"{"delta":{"type":"text_delta"}}"#, None),
            (r#"{"type":"two\nlines"}"#, None),
            ("{\"type\":\"a\r\ndata: x\"}", None),
            (r#"{"type":""}"#, None),
            (r#"{"type":7}"#, None),
            (r#"{"type":"cut"#, None),
            ("[]", None),
        ] {
            assert_eq!(event_name(data.as_bytes()), name.map(str::as_bytes), "{data}");
        }
    }
}
