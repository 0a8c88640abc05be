//! What one JSON document of an answer means for the call.

use bytes::Bytes;
use http::HeaderMap;
use tower_llm_layers::Stage;

use crate::{
    ChatFrame, Error, FailureKind,
    frame::FrameKind,
    request::JsonError,
    response::{ChunkProbe, UpstreamError},
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
    Ok(Reading {
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

fn malformed(bytes: &[u8], form: FrameKind, cause: JsonError) -> Error {
    let what = match form {
        FrameKind::Answer if bytes.trim_ascii().is_empty() => "the answer is white space only: the connection was cut",
        FrameKind::Answer if bytes.trim_ascii_start().starts_with(b"<") => "an HTML page instead of an answer",
        FrameKind::Answer => "the answer is no JSON",
        FrameKind::Chunk | FrameKind::KeepAlive => "an event of the stream is no JSON",
    };
    Error::caused(FailureKind::Malformed, what, cause)
}
