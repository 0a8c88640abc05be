//! What one JSON document of an answer means for the call.

use bytes::Bytes;
use http::HeaderMap;
use tower_llm_layers::Stage;

use crate::{
    ChatFrame, Error, FailureKind,
    frame::FrameKind,
    request::JsonError,
    response::{ChunkProbe, UpstreamError},
    transport::{error_in_body, generation_id},
};

/// What was learnt from one document.
pub(super) struct Reading {
    pub(super) frame: ChatFrame,
    pub(super) finished: bool,
    /// Choices beyond the first: each ends on its own.
    pub(super) several: bool,
    /// It finishes without anything to show.
    ends_empty: bool,
}

impl Reading {
    /// The failure of an answer that was withheld, if nothing was shown before.
    pub(super) fn refuse_withheld(&self, headers: &HeaderMap) -> Result<(), Error> {
        if !self.ends_empty {
            return Ok(());
        }
        let Ok(probe) = ChunkProbe::read(self.frame.bytes()) else {
            return Ok(());
        };
        let error = match withheld(&probe, self.frame.bytes()) {
            Some(FailureKind::ContextLengthExceeded) => Error::new(
                FailureKind::ContextLengthExceeded,
                "the answer is empty: the model's context is full",
            ),
            Some(kind) => Error::new(kind, "the answer is empty: a content filter withheld it"),
            None => return Ok(()),
        };
        Err(error
            .of_generation(probe.id().as_deref())
            .of_generation(generation_id(headers)))
    }
}

/// Reads one document: a frame, or the failure it reports.
pub(super) fn read(bytes: Bytes, form: FrameKind, headers: &HeaderMap) -> Result<Reading, Error> {
    let probe = ChunkProbe::read(&bytes).map_err(|cause| malformed(&bytes, form, cause))?;
    if probe.is_failure() {
        let error = probe
            .upstream_error()
            .map_or_else(without_words, |error| error_in_body(headers, &error));
        return Err(error.of_generation(probe.id().as_deref()));
    }
    let (stage, has_usage) = (stage(&probe), probe.has_usage());
    // A filtered answer is not the one that was asked for.
    let ends_well = (form == FrameKind::Answer || probe.has_finish()) && !probe.finish_is_filter();
    let tokens = probe.shown_tokens();
    let (finished, several) = (probe.has_finish(), probe.max_index() > 0);
    let ends_empty = finished && !several && !probe.has_content() && !probe.finish_is_stop();
    Ok(Reading {
        ends_empty,
        frame: ChatFrame::new(bytes, form, stage, has_usage)
            .ending(ends_well)
            .showing(tokens),
        finished,
        several,
    })
}

/// An event that is named an error: its data is what otherwise stands under `error`.
pub(super) fn named_error(data: &[u8], headers: &HeaderMap) -> Error {
    let wrapped = [b"{\"error\":", data, b"}"].concat();
    UpstreamError::parse(data)
        .or_else(|| UpstreamError::parse(&wrapped))
        .map_or_else(without_words, |error| error_in_body(headers, &error))
}

fn without_words() -> Error {
    Error::new(FailureKind::Upstream, "the upstream reports an error without words")
}

/// How far along the answer a document is.
///
/// A bare `stop` without anything to show begins nothing: it is what an empty answer looks like. Tokens that were spent, on
/// hidden reasoning say, make it an answer after all.
fn stage(probe: &ChunkProbe<'_>) -> Stage {
    let spent = probe.completion_tokens().is_some_and(|tokens| tokens > 0);
    if probe.has_content() {
        Stage::Content
    } else if (probe.has_finish() && !probe.finish_is_stop()) || spent {
        Stage::Finish
    } else if probe.has_usage() {
        Stage::Trailer
    } else {
        Stage::Preamble
    }
}

/// Why an answer without anything to show is none: a content filter, or a context that was full.
fn withheld(probe: &ChunkProbe<'_>, bytes: &[u8]) -> Option<FailureKind> {
    let is_full = |word: &str| {
        let word = word.to_ascii_lowercase();
        word.contains("context") || matches!(word.as_str(), "model_length" | "prompt_too_long" | "input_too_long")
    };
    let native = || {
        let whole: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        whole
            .pointer("/choices/0/native_finish_reason")?
            .as_str()
            .map(str::to_owned)
    };
    if probe.finish_word().is_some_and(|word| is_full(&word)) || native().is_some_and(|word| is_full(&word)) {
        Some(FailureKind::ContextLengthExceeded)
    } else {
        probe.finish_is_filter().then_some(FailureKind::ContentFiltered)
    }
}

fn malformed(bytes: &[u8], form: FrameKind, cause: JsonError) -> Error {
    let what = match form {
        FrameKind::Answer if bytes.trim_ascii().is_empty() => "the answer is white space only: the connection was cut",
        FrameKind::Answer if bytes.trim_ascii_start().starts_with(b"<") => "an HTML page instead of an answer",
        FrameKind::Answer => "the answer is no JSON",
        FrameKind::Chunk | FrameKind::KeepAlive => "an event of the stream is no JSON",
    };
    Error::caused(FailureKind::Malformed, what, cause)
}
