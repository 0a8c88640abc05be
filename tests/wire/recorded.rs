//! The parts that recorded responses are made of.

use std::time::Duration;

use super::Case;
use crate::support::raw::{Step, events, head, send};

pub(super) const USAGE: &str = r#"{"prompt_tokens":15,"completion_tokens":9,"total_tokens":24,"cost":0.0000076}"#;

/// A chunk whose first choice has this delta and this finish reason, both JSON.
pub(super) fn part(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"gen-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

pub(super) fn say(text: &str) -> String {
    part(&format!("{{\"content\":\"{text}\"}}"), "null")
}

pub(super) fn stop() -> String {
    part("{}", "\"stop\"")
}

pub(super) fn bill() -> String {
    format!("data: {{\"id\":\"gen-1\",\"choices\":[],\"usage\":{USAGE}}}\n\n")
}

pub(super) const DONE: &str = "data: [DONE]\n\n";

/// `Hello world`, its finish and its usage.
pub(super) fn hello() -> String {
    [say("Hello"), say(" world"), stop(), bill()].concat()
}

pub(super) fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// A stream that ends with its connection.
pub(super) fn stream(what: &'static str, body: impl Into<Vec<u8>>) -> Case {
    Case {
        what,
        streamed: true,
        steps: vec![events(), send(body)],
    }
}

/// A stream in one piece, whose framing shows that it is complete.
pub(super) fn chunked(what: &'static str, body: &str) -> Case {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    Case {
        what,
        streamed: true,
        steps: vec![send(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))],
    }
}

pub(super) fn measured(what: &'static str, body: &str) -> Case {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Case {
        what,
        streamed: true,
        steps: vec![send(head + body)],
    }
}

/// A plain answer of this type with its length.
pub(super) fn measured_as(kind: &str, what: &'static str, body: &[u8]) -> Case {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Case {
        what,
        streamed: false,
        steps: vec![send(head), send(body)],
    }
}

/// A stream in pieces, each after so many milliseconds.
pub(super) fn paused(what: &'static str, pieces: impl IntoIterator<Item = (u64, String)>) -> Case {
    let pieces = pieces
        .into_iter()
        .flat_map(|(wait, piece)| [Step::Wait(Duration::from_millis(wait)), send(piece)]);
    Case {
        what,
        streamed: true,
        steps: [events()].into_iter().chain(pieces).collect(),
    }
}

pub(super) fn with_type(what: &'static str, streamed: bool, kind: &str, body: impl Into<Vec<u8>>) -> Case {
    Case {
        what,
        streamed,
        steps: vec![head("200 OK", kind), send(body)],
    }
}

/// A plain answer.
pub(super) fn plain(what: &'static str, body: impl Into<Vec<u8>>) -> Case {
    with_type(what, false, "application/json", body)
}

pub(super) fn status(what: &'static str, status: &str, body: impl Into<Vec<u8>>) -> Case {
    Case {
        what,
        streamed: false,
        steps: vec![head(status, "application/json"), send(body)],
    }
}

/// A plain answer with this message and these further members.
pub(super) fn answer(message: &str, more: &str) -> String {
    format!(
        "{{\"id\":\"gen-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"message\":{message},\"finish_reason\":\"stop\"}}],\"usage\":{USAGE}{more}}}"
    )
}

pub(super) fn good_answer(more: &str) -> String {
    answer(r#"{"role":"assistant","content":"Hello world"}"#, more)
}

/// Bytes as gzip, in a stored block: what it takes to test a decoder, and no more.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    encoded.extend(deflate(bytes));
    encoded.extend(crc32(bytes).to_le_bytes());
    encoded.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    encoded
}

/// Bytes as a stored block of deflate.
pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let mut encoded = vec![1];
    encoded.extend(length.to_le_bytes());
    encoded.extend((!length).to_le_bytes());
    encoded.extend(bytes);
    encoded
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// A response with this content encoding.
pub(super) fn encoded(what: &'static str, streamed: bool, status: &str, encoding: &str, body: &[u8]) -> Case {
    let kind = if streamed {
        "text/event-stream"
    } else {
        "application/json"
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Case {
        what,
        streamed,
        steps: vec![send(head), send(body)],
    }
}
