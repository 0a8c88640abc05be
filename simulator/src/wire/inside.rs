//! The error inside a 200.

use serde_json::{Value, json};

use super::shape;
use crate::fault::{Fault, given};

/// What an error inside a 200 says.
#[derive(Clone, Debug)]
pub(crate) struct Inside {
    /// A number or a word.
    pub(crate) code: Value,
    /// The status that fits it.
    pub(crate) status: u16,
    pub(crate) message: String,
    /// The word for its kind; none if the code is a word.
    pub(crate) kind: Option<&'static str>,
}

impl Inside {
    /// The error of this code, with the message of a clause if there is one.
    pub(crate) fn new(code: &str, faults: &[Fault]) -> Self {
        let number = code.parse::<u16>().ok();
        let (message, kind) = match number {
            None => ("Provider disconnected unexpectedly", None),
            Some(429) => ("Rate limit exceeded", Some("rate_limit_exceeded")),
            Some(400) => ("Provider returned error", Some("invalid_request")),
            Some(503 | 529) => ("Provider overloaded", Some("provider_overloaded")),
            Some(504) => ("The operation was aborted due to timeout", Some("timeout")),
            Some(_) => ("Provider disconnected mid-stream", Some("provider_unavailable")),
        };
        Self {
            code: number.map_or_else(|| code.into(), Value::from),
            status: number.unwrap_or(502),
            message: given!(faults, Fault::Message).unwrap_or_else(|| message.to_owned()),
            kind,
        }
    }

    /// The error object of chat.
    pub(crate) fn object(&self) -> Value {
        match self.kind {
            Some(kind) => json!({"code": self.code, "message": self.message, "metadata": {"error_type": kind}}),
            None => json!({"code": self.code, "message": self.message}),
        }
    }

    /// The event of a stream in the shape of another server, if a clause asks for one.
    pub(crate) fn event_of_another(&self, faults: &[Fault], name: Option<&str>) -> Option<String> {
        shape::streamed(shape::of(faults)?, self.status, &self.message, name)
    }
}
