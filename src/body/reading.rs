//! What one JSON document of an answer means for the call.

use bytes::Bytes;
use http::HeaderMap;
use tower_llm_layers::Stage;

use crate::{
    ChatFrame, Error, FailureKind,
    frame::Form,
    response::{AnswerProbe, UpstreamError},
    transport::error_in_body,
};

/// What was learnt from one document.
pub(super) struct Reading {
    pub(super) frame: ChatFrame,
    pub(super) finished: bool,
    /// Choices beyond the first: each ends on its own.
    pub(super) several: bool,
}

/// Reads one document: a frame, or the failure it reports.
pub(super) fn read(bytes: Bytes, form: Form, headers: &HeaderMap) -> Result<Reading, Error> {
    let probe = AnswerProbe::read(&bytes).map_err(|cause| malformed(&bytes, form, cause))?;
    if probe.has_error {
        return Err(match UpstreamError::parse(&bytes) {
            Some(error) => error_in_body(headers, &error),
            None => Error::new(
                FailureKind::Upstream,
                "the upstream reports an error without words",
            ),
        }
        .of_generation(probe.id.as_deref()));
    }
    if probe.finish_is_error {
        let native = probe.native_finish_reason.as_deref().unwrap_or("no reason");
        let message = format!("the model failed ({native})");
        return Err(Error::new(FailureKind::Upstream, message).of_generation(probe.id.as_deref()));
    }
    let stage = stage(&probe);
    let reading = Reading {
        finished: probe.has_finish,
        several: probe.max_index > 0,
        frame: ChatFrame::keep_alive(),
    };
    let has_usage = probe.has_usage;
    Ok(Reading {
        frame: ChatFrame::new(bytes, form, stage, has_usage),
        ..reading
    })
}

/// How far along the answer a document is.
///
/// A bare `stop` without anything to show begins nothing: it is what an empty answer looks like. Tokens that were spent, on
/// hidden reasoning say, make it an answer after all.
fn stage(probe: &AnswerProbe<'_>) -> Stage {
    let spent = probe.completion_tokens.is_some_and(|tokens| tokens > 0);
    if probe.has_content {
        Stage::Content
    } else if (probe.has_finish && !probe.finish_is_stop) || spent {
        Stage::Finish
    } else if probe.has_usage {
        Stage::Trailer
    } else {
        Stage::Preamble
    }
}

fn malformed(bytes: &[u8], form: Form, cause: serde_json::Error) -> Error {
    let what = match form {
        Form::Answer if bytes.trim_ascii().is_empty() => {
            "the answer is white space only: the connection was cut"
        }
        Form::Answer if bytes.trim_ascii_start().starts_with(b"<") => {
            "an HTML page instead of an answer"
        }
        Form::Answer => "the answer is no JSON",
        Form::Chunk | Form::KeepAlive => "an event of the stream is no JSON",
    };
    Error::caused(FailureKind::Malformed, what, cause)
}
