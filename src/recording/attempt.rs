//! Watches one exchange, and adds it to its call.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, header::RETRY_AFTER, response::Parts};
use tokio::time::Instant;
use tower_llm_layers::{Failure as _, FailureKind, FailureScope, Frame as _, Stage, pause::RateLimitStatus};

use super::{
    call::millis,
    chunks::Chunks,
    record::{AttemptEnd, ChunkStage, LimitLeft, Reach, RecordedAttempt, RecordedTokens},
};
use crate::{
    ChatFrame, Error,
    response::FinishReason,
    transport::{Exchange, ExchangeWatch},
};

/// Longest name of a model or an upstream that is written, in characters.
const LONGEST_NAME: usize = 256;
/// Longest value of a hint.
const LONGEST_HINT: usize = 64;
/// The most hints of one response.
const MOST_HINTS: usize = 16;
/// The most attempts of one call that are written.
const MOST_ATTEMPTS: usize = 64;

/// The attempts of one call, in the extensions of its request.
#[derive(Debug, Clone, Default)]
pub(super) struct CallSlot(Arc<Mutex<Vec<RecordedAttempt>>>);

impl CallSlot {
    fn attempts(&self) -> MutexGuard<'_, Vec<RecordedAttempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that have ended, in order.
    pub(super) fn take(&self) -> Vec<RecordedAttempt> {
        let mut attempts = std::mem::take(&mut *self.attempts());
        attempts.sort_by_key(|attempt| (attempt.number, attempt.at_ms));
        attempts
    }
}

/// One exchange.
pub(super) struct AttemptWatch {
    slot: CallSlot,
    began: Instant,
    attempt: RecordedAttempt,
    chunks: Chunks,
    has_finish: bool,
    is_over: bool,
}

impl AttemptWatch {
    pub(super) fn new(slot: CallSlot, exchange: &Exchange<'_>, recording: Instant) -> Self {
        let began = Instant::now();
        Self {
            slot,
            began,
            attempt: RecordedAttempt {
                number: exchange.attempt.unwrap_or(1),
                at_ms: millis(began.saturating_duration_since(recording)),
                upstream: name(exchange.upstream),
                model: exchange.model.map(name).unwrap_or_default(),
                stream: exchange.is_streaming,
                status: None,
                head_ms: None,
                chunks: Vec::new(),
                end: AttemptEnd::Dropped,
                end_ms: 0,
                kind: None,
                hints: BTreeMap::new(),
                retry_after_ms: None,
                reach: Reach::Candidate,
                affordable_tokens: None,
                limit: None,
                tokens: None,
                cost: None,
                finish: None,
            },
            chunks: Chunks::default(),
            has_finish: false,
            is_over: false,
        }
    }

    fn since(&self) -> u64 {
        millis(self.began.elapsed())
    }

    fn end(&mut self, end: AttemptEnd) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        self.attempt.end = end;
        self.attempt.end_ms = self.since();
        self.attempt.chunks = std::mem::take(&mut self.chunks).into_list();
        let mut attempts = self.slot.attempts();
        if attempts.len() < MOST_ATTEMPTS {
            attempts.push(self.attempt.clone());
        }
    }
}

impl ExchangeWatch for AttemptWatch {
    fn head(&mut self, head: &Parts) {
        let after = self.since();
        self.attempt.status = Some(head.status.as_u16());
        self.attempt.head_ms = Some(after);
        self.attempt.hints = hints(&head.headers);
        let limit = head.extensions.get::<RateLimitStatus>();
        self.attempt.limit = limit.map(|limit| LimitLeft {
            remaining: limit.remaining,
            limit: limit.limit,
            reset_ms: millis(limit.reset),
        });
        self.chunks.start(after);
    }

    fn piece(&mut self, bytes: usize) {
        self.chunks.push(self.since(), bytes as u64, ChunkStage::Preamble);
    }

    fn frame(&mut self, frame: &ChatFrame) {
        let at = self.since();
        let stage = frame.stage();
        self.chunks.push(at, frame.bytes().len() as u64, of_stage(stage));
        if let Some(usage) = frame.token_usage() {
            self.attempt.tokens = Some(RecordedTokens {
                prompt: usage.prompt,
                answer: usage.answer,
            });
            self.attempt.cost = usage.bill().or(self.attempt.cost);
        }
        // Its words are read only if there can be some.
        if stage != Stage::KeepAlive
            && self.attempt.finish.is_none()
            && let Some(reason) = frame.finish_reason()
            && let Some(reason) = FinishReason::from(&*reason).normalized()
        {
            self.attempt.finish = Some(finish(&reason).to_owned());
        }
        self.has_finish |= stage == Stage::Finish || self.attempt.finish.is_some();
    }

    fn failed(&mut self, error: &Error) {
        let kind = error.kind();
        self.attempt.kind = Some(kind);
        // An error in the body may name another one.
        self.attempt.status = self.attempt.status.or(error.status().map(|status| status.as_u16()));
        self.attempt.retry_after_ms = error.retry_after().map(millis);
        self.attempt.affordable_tokens = error.affordable_tokens();
        self.attempt.reach = match error.scope() {
            FailureScope::Pool => Reach::Pool,
            FailureScope::Upstream => Reach::Upstream,
            FailureScope::Candidate if error.limits_key() => Reach::Key,
            _ => Reach::Candidate,
        };
        self.end(match kind {
            FailureKind::Connect if self.attempt.head_ms.is_none() => AttemptEnd::Refused,
            FailureKind::Reset if self.attempt.head_ms.is_none() => AttemptEnd::Reset,
            FailureKind::Reset | FailureKind::Truncated => AttemptEnd::Cut,
            _ => AttemptEnd::Error,
        });
    }

    fn ended(&mut self) {
        self.end(AttemptEnd::Complete);
    }
}

/// What was read up to its finish is whole; the rest is dropped on our side.
impl Drop for AttemptWatch {
    fn drop(&mut self) {
        self.end(if self.has_finish {
            AttemptEnd::Complete
        } else {
            AttemptEnd::Dropped
        });
    }
}

/// The retry hints among these headers, cut, and without any character that hints do not have.
fn hints(headers: &HeaderMap) -> BTreeMap<String, String> {
    let is_hint = |name: &str| name == RETRY_AFTER.as_str() || name.starts_with("x-ratelimit-");
    let found = headers.iter().filter(|(name, _)| is_hint(name.as_str()));
    let found = found.filter_map(|(name, value)| {
        let value: String = value.to_str().ok()?.chars().take(LONGEST_HINT).collect();
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || " .,:;=+-".contains(letter);
        (value.chars().all(is_plain) && name.as_str().len() <= LONGEST_HINT).then(|| (name.to_string(), value))
    });
    found.take(MOST_HINTS).collect()
}

/// A name as it is written.
pub(super) fn name(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

const fn of_stage(stage: Stage) -> ChunkStage {
    match stage {
        Stage::KeepAlive => ChunkStage::KeepAlive,
        Stage::Content => ChunkStage::Content,
        Stage::Finish => ChunkStage::Finish,
        Stage::Trailer => ChunkStage::Trailer,
        _ => ChunkStage::Preamble,
    }
}

/// A word of a fixed list: an upstream's own could be anything.
const fn finish(reason: &FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        _ => "other",
    }
}
