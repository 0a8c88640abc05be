//! An answer as it came then: its pieces at their times, with filler in the place of its content.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame};
use openrouter_wire::chat::ChunkProbe;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_llm_layers::{AttemptHandle, FailureKind, FailureScope, Stage};

use super::{
    index::RecordedPosition,
    upstream::{RecordedUpstream, ReplaySlot},
};
use crate::{
    ChatFrame, Error, FrameKind,
    error::Inner,
    frame_facts::FrameFacts,
    recording::record::{AttemptEnd, Chunk, ChunkStage, Reach, RecordedAttempt, RecordedTokens},
};

/// About how many bytes of an event are its envelope.
const ENVELOPE: u64 = 240;
/// The most tokens that one frame shows.
const MOST_TOKENS: u64 = 4_096;

/// What an attempt asks for.
pub(super) struct ReplayRequest {
    /// Whether a stream is requested.
    pub(super) is_streaming: bool,
    /// Its line in the log of its call.
    pub(super) line: Option<AttemptHandle>,
}

/// The body of an answer of a [`RecordedUpstream`].
pub(in super::super) struct ReplayBody {
    upstream: RecordedUpstream,
    slot: ReplaySlot,
    place: RecordedPosition,
    /// The model's name as JSON.
    model: String,
    /// Whether a piece of its own ends the answer.
    has_own_end: bool,
    /// Where pieces of a plain answer are noted.
    line: Option<AttemptHandle>,
    began: Instant,
    /// When the piece before came, after the beginning.
    last_ms: u64,
    next: usize,
    /// Whether the answer comes whole, in one frame.
    is_plain: bool,
    /// Tokens of each piece of content, if the upstream counted them.
    tokens: Option<u64>,
    /// Numbers the words, so that no text repeats another.
    words: u64,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether it has waited longer than the recorded silence.
    is_silent: bool,
    is_ended: bool,
}

impl ReplayBody {
    pub(super) fn new(
        upstream: RecordedUpstream,
        slot: ReplaySlot,
        place: RecordedPosition,
        attempt: &RecordedAttempt,
        began: Instant,
        ReplayRequest { is_streaming, line }: ReplayRequest,
    ) -> Self {
        let pieces = attempt
            .chunks
            .iter()
            .filter(|chunk| chunk.2 == ChunkStage::Content)
            .count() as u64;
        let tokens = attempt
            .tokens
            .filter(|_| pieces > 0)
            .map(|tokens| tokens.answer / pieces);
        Self {
            upstream,
            slot,
            place,
            model: serde_json::Value::from(attempt.model.as_str()).to_string(),
            has_own_end: attempt.chunks.iter().any(|chunk| chunk.2 == ChunkStage::Finish),
            line,
            began,
            last_ms: attempt.head_ms.unwrap_or(0),
            next: 0,
            is_plain: !is_streaming,
            tokens,
            words: (place.call as u64) << 32 | (place.attempt as u64) << 24,
            timer: None,
            is_silent: false,
            is_ended: false,
        }
    }

    /// Waits until so long after the beginning.
    fn poll_at(&mut self, at_ms: u64, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.began + Duration::from_millis(at_ms);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        timer.as_mut().poll(cx)
    }

    fn text(&mut self, tokens: u64) -> String {
        let count = tokens.clamp(1, MOST_TOKENS);
        let from = self.words;
        self.words = self.words.wrapping_add(count);
        // About four bytes are a token.
        let mut text = String::new();
        for word in 0..count {
            let letters = mixed(from.wrapping_add(word));
            text.push(' ');
            text.extend([letters, letters >> 8, letters >> 16].map(|letter| char::from(b'a' + (letter % 26) as u8)));
        }
        text
    }

    fn shows(&self, bytes: u64) -> u64 {
        self.tokens
            .unwrap_or(bytes.saturating_sub(ENVELOPE) / 4)
            .clamp(1, MOST_TOKENS)
    }

    /// One event of a stream.
    fn chunk(&mut self, attempt: &RecordedAttempt, chunk: Chunk, is_last: bool) -> ChatFrame {
        let Chunk(_, bytes, stage) = chunk;
        let (tokens, delta) = match stage {
            ChunkStage::KeepAlive => return ChatFrame::keep_alive(),
            ChunkStage::Content => {
                let tokens = self.shows(bytes);
                (tokens, format!("{{\"content\":\"{}\"}}", self.text(tokens)))
            }
            _ => (0, "{\"role\":\"assistant\"}".to_owned()),
        };
        let ends = stage == ChunkStage::Finish || (is_last && !self.has_own_end && stage == ChunkStage::Content);
        let reason = if ends { finish(attempt) } else { "null" };
        let choices = match stage {
            ChunkStage::Trailer => String::new(),
            _ => format!("{{\"index\":0,\"delta\":{delta},\"finish_reason\":{reason}}}"),
        };
        let has_usage = is_last && attempt.tokens.is_some();
        self.frame(attempt, &choices, FrameKind::Chunk, of(stage), has_usage)
            .ending(ends)
            .showing(u32::try_from(tokens).unwrap_or(u32::MAX))
    }

    /// The whole answer.
    fn whole(&mut self, attempt: &RecordedAttempt) -> ChatFrame {
        let pieces = attempt.chunks.iter().filter(|chunk| chunk.2 == ChunkStage::Content);
        let bytes = pieces.fold(0_u64, |sum, chunk| sum.saturating_add(chunk.1));
        let tokens = attempt.tokens.map_or(bytes / 4, |tokens| tokens.answer);
        let (text, reason) = (self.text(tokens), finish(attempt));
        let message = format!("{{\"role\":\"assistant\",\"content\":\"{text}\"}}");
        let choices = format!("{{\"index\":0,\"message\":{message},\"finish_reason\":{reason}}}");
        let has_usage = attempt.tokens.is_some();
        self.frame(attempt, &choices, FrameKind::Answer, Stage::Content, has_usage)
            .ending(true)
            .showing(u32::try_from(tokens).unwrap_or(u32::MAX))
    }

    /// A document with these choices. It is written by hand, since there are many: a text of filler needs no escapes.
    fn frame(
        &self,
        attempt: &RecordedAttempt,
        choices: &str,
        kind: FrameKind,
        stage: Stage,
        has_usage: bool,
    ) -> ChatFrame {
        let usage = if has_usage { usage(attempt) } else { String::new() };
        if has_usage {
            self.slot.pays(attempt.cost);
        }
        let model = &self.model;
        let bytes = format!("{{\"id\":\"gen-replay\",\"model\":{model},\"choices\":[{choices}]{usage}}}");
        let bytes = Bytes::from(bytes);
        let known = ChunkProbe::read(&bytes).ok().and_then(|probe| FrameFacts::of(&probe));
        ChatFrame::new(bytes, kind, stage, has_usage).with_facts(known)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<ChatFrame, Error>>> {
        let upstream = self.upstream.clone();
        let Some(attempt) = upstream.attempt(self.place).filter(|_| !self.is_ended) else {
            return Poll::Ready(None);
        };
        let is_complete = attempt.end == AttemptEnd::Complete;
        if !self.is_plain
            && let Some(chunk) = attempt.chunks.get(self.next)
        {
            let at = self.last_ms.saturating_add(chunk.0);
            ready!(self.poll_at(at, cx));
            (self.last_ms, self.next) = (at, self.next + 1);
            let is_last = is_complete && self.next == attempt.chunks.len();
            self.is_ended = is_last;
            return Poll::Ready(Some(Ok(self.chunk(attempt, *chunk, is_last))));
        }
        // Of a plain answer the pieces before the whole.
        while self.is_plain
            && !attempt.stream
            && let Some(chunk) = attempt.chunks.get(self.next)
            && chunk.2 == ChunkStage::Preamble
        {
            let at = self.last_ms.saturating_add(chunk.0);
            ready!(self.poll_at(at, cx));
            (self.last_ms, self.next) = (at, self.next + 1);
            if let Some(line) = &self.line {
                line.received();
            }
        }
        if !self.is_silent {
            ready!(self.poll_at(attempt.end_ms.max(self.last_ms), cx));
        }
        if matches!(attempt.end, AttemptEnd::Silent | AttemptEnd::Dropped) {
            // Nothing wakes it: what would have come is not known.
            if !std::mem::replace(&mut self.is_silent, true) {
                upstream.outlives();
            }
            return Poll::Pending;
        }
        self.is_ended = true;
        Poll::Ready(match (is_complete, self.is_plain) {
            (true, true) => Some(Ok(self.whole(attempt))),
            (true, false) => None,
            (false, true) => Some(Err(Error::recorded(attempt).unseen())),
            (false, false) => Some(Err(Error::recorded(attempt))),
        })
    }
}

impl Body for ReplayBody {
    type Data = ChatFrame;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<ChatFrame>, Error>>> {
        self.poll_next(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.is_ended
    }
}

impl Error {
    /// The failure of this attempt.
    pub(super) fn recorded(attempt: &RecordedAttempt) -> Self {
        let kind = attempt.kind.unwrap_or(match attempt.end {
            AttemptEnd::Refused => FailureKind::Connect,
            AttemptEnd::Reset => FailureKind::Reset,
            AttemptEnd::Cut => FailureKind::Truncated,
            _ => FailureKind::Upstream,
        });
        let inner = Inner {
            status: attempt.status.and_then(|status| StatusCode::from_u16(status).ok()),
            message: "as recorded".into(),
            retry_after: attempt.retry_after_ms.map(Duration::from_millis),
            affordable_tokens: attempt.affordable_tokens,
            scope: match attempt.reach {
                Reach::Pool => FailureScope::Pool,
                Reach::Upstream => FailureScope::Upstream,
                Reach::Candidate | Reach::Key => FailureScope::Candidate,
            },
            limits_key: attempt.reach == Reach::Key,
            ..Inner::default()
        };
        Self::with(kind, inner)
    }
}

/// A number that tells nothing of the one before (splitmix64).
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number ^ (number >> 27)
}

/// The member of what was counted.
fn usage(attempt: &RecordedAttempt) -> String {
    let Some(RecordedTokens { prompt, answer }) = attempt.tokens else {
        return String::new();
    };
    let cost = attempt.cost.map(|cost| format!(",\"cost\":{}", cost.decimal()));
    let (total, cost) = (prompt.saturating_add(answer), cost.unwrap_or_default());
    format!(",\"usage\":{{\"prompt_tokens\":{prompt},\"completion_tokens\":{answer},\"total_tokens\":{total}{cost}}}")
}

/// Why the answer ended, in quotes.
fn finish(attempt: &RecordedAttempt) -> &'static str {
    match attempt.finish.as_deref() {
        Some("length") => "\"length\"",
        Some("content_filter") => "\"content_filter\"",
        // Filler calls no tools.
        _ => "\"stop\"",
    }
}

const fn of(stage: ChunkStage) -> Stage {
    match stage {
        ChunkStage::KeepAlive => Stage::KeepAlive,
        ChunkStage::Preamble => Stage::Preamble,
        ChunkStage::Content => Stage::Content,
        ChunkStage::Finish => Stage::Finish,
        ChunkStage::Trailer => Stage::Trailer,
    }
}
