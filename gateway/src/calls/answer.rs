//! What the bytes of a response say of its end: the error of a failed call, the failure of an interrupted stream, the model of a cached
//! answer. The bytes are shared with the body, not copied, and read once, at the end.

use bytes::Bytes;
use serde::Deserialize;

use super::record::name;

/// The longest part of a response that is read.
const LONGEST: usize = 64 * 1024;

/// What the bytes say.
#[derive(Debug, Default)]
pub(super) struct TailFacts {
    /// Why there is no whole answer.
    pub(super) failure: Option<String>,
    /// The model that the answer names.
    pub(super) model: Option<Box<str>>,
}

/// The parts of a response that are read at its end.
#[derive(Debug)]
pub(super) struct Tail {
    is_stream: bool,
    is_error: bool,
    /// Whether the model is to be found: no attempt will tell it.
    wants_model: bool,
    first: Option<Bytes>,
    last: Bytes,
}

impl Tail {
    pub(super) const fn new(is_stream: bool, is_error: bool, wants_model: bool) -> Self {
        Self {
            is_stream,
            is_error,
            wants_model,
            first: None,
            last: Bytes::new(),
        }
    }

    /// These bytes are passed on.
    pub(super) fn passes(&mut self, bytes: &Bytes) {
        if bytes.len() > LONGEST {
            self.last = Bytes::new();
            return;
        }
        if self.wants_model && self.first.is_none() {
            self.first = Some(bytes.clone());
        }
        if self.is_stream || self.is_error {
            self.last = bytes.clone();
        }
    }

    /// What they say.
    pub(super) fn told(&self) -> TailFacts {
        let failure = if self.is_error {
            Some(error_of(&self.last).unwrap_or_else(|| "an error without a message".to_owned()))
        } else if self.is_stream {
            error_of(last_data(&self.last))
        } else {
            None
        };
        let first = self
            .first
            .as_deref()
            .map(|first| if self.is_stream { first_data(first) } else { first });
        let model = first.and_then(model_of);
        TailFacts { failure, model }
    }
}

/// The data of the last event.
fn last_data(bytes: &[u8]) -> &[u8] {
    let line = bytes.split(|byte| *byte == b'\n').rev().find(|line| !line.is_empty());
    line.and_then(|line| line.strip_prefix(b"data: ")).unwrap_or_default()
}

/// The data of the first event.
fn first_data(bytes: &[u8]) -> &[u8] {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    lines.find_map(|line| line.strip_prefix(b"data: ")).unwrap_or_default()
}

/// The message in the envelope of any API.
fn error_of(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Envelope {
        error: Option<Detail>,
    }
    #[derive(Deserialize)]
    struct Detail {
        message: Option<String>,
    }
    if !json.starts_with(b"{") {
        return None;
    }
    let error = serde_json::from_slice::<Envelope>(json).ok()?.error?;
    Some(error.message.unwrap_or_else(|| "an error without a message".to_owned()))
}

/// The model that an answer, or the first event of one, names.
fn model_of(json: &[u8]) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct Answer {
        model: Option<String>,
        response: Option<Inner>,
        message: Option<Inner>,
    }
    #[derive(Deserialize)]
    struct Inner {
        model: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(json).ok()?;
    let inner = [answer.response, answer.message];
    let model = answer
        .model
        .or_else(|| inner.into_iter().flatten().find_map(|inner| inner.model))?;
    Some(name(&model))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(is_stream: bool, is_error: bool, pieces: &[&'static str]) -> TailFacts {
        let mut tail = Tail::new(is_stream, is_error, true);
        for piece in pieces {
            tail.passes(&Bytes::from_static(piece.as_bytes()));
        }
        tail.told()
    }

    #[test]
    fn a_stream_tells_its_failure_in_its_last_event() {
        let chunk =
            "data: {\"model\":\"a/b\",\"choices\":[{\"delta\":{\"content\":\"data: {\\\"error\\\":{}}\"}}]}\n\n";
        let whole = told(true, false, &[chunk, "data: [DONE]\n\n"]);
        assert_eq!((whole.failure.as_deref(), whole.model.as_deref()), (None, Some("a/b")));
        let cut = told(
            true,
            false,
            &[chunk, "data: {\"error\":{\"message\":\"it broke\",\"code\":502}}\n\n"],
        );
        assert_eq!(cut.failure.as_deref(), Some("it broke"));
        let message = "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"late\"}}\n\n";
        assert_eq!(told(true, false, &[message]).failure.as_deref(), Some("late"));
        let done = "data: {\"type\":\"response.completed\",\"response\":{\"error\":null}}\n\n";
        assert_eq!(told(true, false, &[done]).failure, None);
    }

    #[test]
    fn what_cannot_be_read_has_no_message() {
        assert_eq!(
            told(false, true, &["<html>"]).failure.as_deref(),
            Some("an error without a message")
        );
        assert_eq!(told(true, false, &["data: {\"error\":"]).failure, None);
        assert_eq!(told(false, false, &["[1]"]).model, None);
    }
}
