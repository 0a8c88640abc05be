//! What is seen of an answer as it passes: no text of it.

use std::time::Duration;

use http::Extensions;
use tokio::time::Instant;
use tracing::{Level, Span, level_filters::LevelFilter};

use super::{end::End, names, title::whole};
use crate::{
    Coalesced, Degraded, DegradedSource, Frame, LlmRequest, Replayed, Stage, TokenUsage, protocol::is_end,
    util::bounded_name,
};

/// The span, if any subscriber has spans of this level enabled. The macro asks as well, but reads all fields before where `tracing` has the feature `log`.
pub(super) fn span_if_enabled(span: impl FnOnce() -> Span) -> Span {
    if Level::DEBUG <= LevelFilter::current() {
        span()
    } else {
        Span::none()
    }
}

/// What an operation and an attempt have in common.
#[derive(Debug)]
pub(super) struct CallObservation {
    pub(super) operation: &'static str,
    pub(super) streamed: bool,
    began: Instant,
    /// To the first frame that shows something.
    pub(super) first: Option<Duration>,
    last: Option<Instant>,
    pub(super) usage: Option<TokenUsage>,
    pub(super) model: Option<Box<str>>,
    id: Option<Box<str>>,
    /// The provider behind the upstream that serves the answer.
    pub(super) provider: Option<Box<str>>,
    finish_reason: Option<Box<str>>,
    /// The end of the answer has come, though more may follow it.
    finished: bool,
    looked: bool,
    /// Whether frames are read for what the span or the metrics show of them.
    reads: bool,
    /// Another call pays for it: its usage is not to be counted again.
    shared: bool,
    /// The degraded source, if no model has made the answer for this call.
    stood_in: Option<DegradedSource>,
}

impl CallObservation {
    pub(super) fn of<R: LlmRequest>(request: &R, span: &Span) -> Self {
        Self {
            reads: !span.is_disabled() || cfg!(feature = "metrics"),
            operation: request.operation(),
            streamed: request.is_streaming(),
            began: crate::util::now(),
            first: None,
            last: None,
            usage: None,
            model: None,
            id: None,
            provider: None,
            finish_reason: None,
            finished: false,
            looked: false,
            shared: false,
            stood_in: None,
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        crate::util::since(self.began)
    }

    /// The response is there.
    pub(super) fn responded(&mut self, extensions: &Extensions) {
        self.shared = extensions.get::<Coalesced>().is_some() || extensions.get::<Replayed>().is_some();
        let source = extensions.get::<Degraded>().map(|mark| mark.source);
        self.stood_in = source.filter(|source| *source != DegradedSource::CheaperModel);
    }

    /// Whether it has begun, and was made by a model for this call.
    pub(super) const fn is_of_a_model(&self) -> bool {
        self.first.is_some() && self.stood_in.is_none()
    }

    /// A frame has come. Returns the time since the frame before, if both show something.
    pub(super) fn frame<F: Frame>(&mut self, frame: &F) -> Option<Duration> {
        let stage = frame.stage();
        if stage == Stage::KeepAlive {
            return None;
        }
        let ends = is_end(frame);
        // Reading may parse the frame again, so not every frame is read, and none if nothing is recorded of it.
        if self.reads && (!self.looked || ends) {
            self.looked = true;
            // A canned reply names the requested model.
            let model = frame
                .model()
                .filter(|_| self.stood_in != Some(DegradedSource::CannedReply));
            self.model = self.model.take().or_else(|| model.map(Box::from));
            self.id = self.id.take().or_else(|| frame.generation_id().map(Box::from));
            let provider = || frame.provider().map(|name| bounded_name(&name));
            self.provider = self.provider.take().or_else(provider);
        }
        if self.reads && (ends || !self.streamed) {
            let reason = frame.finish_reason().map(Box::from);
            self.finish_reason = reason.or_else(|| self.finish_reason.take());
        }
        self.finished |= ends;
        if self.reads
            && let Some(usage) = frame.token_usage().filter(|_| !self.shared)
        {
            let (usage, is_plausible) = usage.plausible();
            if is_plausible || usage != TokenUsage::default() {
                self.usage = Some(usage.after(self.usage));
            }
        }
        if !stage.begins_answer() {
            return None;
        }
        let now = crate::util::now();
        let since = |start| now.saturating_duration_since(start);
        let began = self.began;
        self.first.get_or_insert_with(|| since(began));
        (stage == Stage::Content).then(|| self.last.replace(now).map(since))?
    }

    /// A caller that leaves after the end of the answer has it whole.
    pub(super) const fn left(&self) -> End {
        if self.finished { End::Answered } else { End::Cancelled }
    }

    /// Writes down all that is known at the end.
    pub(super) fn write(&self, span: &Span, end: End) {
        let text = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                span.record(name, value);
            }
        };
        text(names::RESPONSE_MODEL, self.model.as_deref());
        text(names::RESPONSE_ID, self.id.as_deref());
        text(names::SERVED_BY, self.provider.as_deref());
        text(names::FINISH_REASONS, self.finish_reason.as_deref());
        text(names::ERROR_TYPE, end.error_type());
        text(names::STATUS_CODE, end.status_code());
        if let Some(status) = end.http_status() {
            span.record(names::HTTP_STATUS, i64::from(status));
        }
        if let Some(first) = self.first.filter(|_| self.streamed) {
            span.record(names::RESPONSE_TIME_TO_FIRST_CHUNK, first.as_secs_f64());
        }
        if let Some(usage) = &self.usage {
            span.record(names::INPUT_TOKENS, whole(usage.prompt));
            span.record(names::OUTPUT_TOKENS, whole(usage.answer));
            for (name, tokens) in [
                (names::CACHE_READ_TOKENS, usage.cached),
                (names::CACHE_WRITE_TOKENS, usage.cache_written),
                (names::REASONING_TOKENS, usage.reasoning),
            ] {
                if tokens > 0 {
                    span.record(name, whole(tokens));
                }
            }
        }
    }
}
