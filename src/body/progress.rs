//! How far a streamed answer has come, and whether its end can be believed.

use crate::{Api, Error};
use openrouter_wire::{chat::ChunkProbe, events::StreamState};

/// What was seen of a stream.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Something was shown, or the answer ended honestly.
    pub(super) began: bool,
    /// Content was shown in a `delta`.
    pub(super) shown: bool,
    /// Usage came with the finish or behind it.
    pub(super) usage: bool,
    /// `[DONE]` came.
    pub(super) done: bool,
    /// Choices that were seen, and those of them that have ended: a bit each.
    seen: u64,
    ended: u64,
    /// A choice went on behind its finish: this upstream's finish means nothing.
    taken_back: bool,
    /// The last finish came together with content, and nothing behind it has confirmed it.
    doubtful: bool,
    /// Something beside reasoning was shown.
    answered: bool,
    /// The last finish was a bare stop.
    is_stop: bool,
    /// Text was shown in a `delta`.
    pub(super) text_in_delta: bool,
    pub(super) shown_reasoning: bool,
    pub(super) shown_calls: bool,
    /// A choice had a delta or a message, however empty.
    pub(super) has_message: bool,
    /// The text of the messages so far, where a server sends messages and no deltas.
    pub(super) said: String,
    pub(super) generation_id: Option<String>,
    /// What a document without choices said before the answer began: why there is none, if none begins.
    pub(super) explained: Option<Error>,
    /// The last words that were no event: what an error may be explained by.
    pub(super) words: Vec<u8>,
    /// Of a stream whose events have types: it decides in place of the choices.
    pub(super) course: Option<Box<StreamState>>,
}

/// The most that is kept of lines that are no events.
const MOST_WORDS: usize = 16 * 1024;

impl Progress {
    pub(super) fn of(generation_id: Option<String>, api: Api) -> Self {
        Self {
            generation_id,
            course: StreamState::of(api).map(Box::new),
            ..Self::default()
        }
    }

    /// Takes note of one chunk.
    pub(super) fn chunk(&mut self, probe: &ChunkProbe<'_>, shows: bool) {
        let (seen, showing, ended) = probe.choice_bits();
        self.seen |= seen;
        self.answered |= shows && (probe.has_text() || probe.has_beside_text());
        if shows {
            let back = self.ended & showing;
            self.taken_back |= back != 0;
            self.ended &= !showing;
        }
        if ended != 0 {
            // With content, or with another choice still open, this says little about the end of the stream.
            self.doubtful = shows && ended & showing != 0;
            self.ended |= ended;
            self.is_stop = probe.finish_is_stop();
        } else if probe.has_usage() && seen == 0 && self.has_finished() {
            // What follows an answer has come.
            self.doubtful = false;
        }
        self.usage |= probe.has_usage() && self.has_finished();
    }

    /// The last finish is believed.
    pub(super) const fn confirm(&mut self) {
        self.doubtful = false;
    }

    /// Whether this choice, a bit, is the only one of the stream, and has shown more than reasoning.
    pub(super) const fn has_answered(&self, choice: u64) -> bool {
        self.answered && self.seen == choice && choice.count_ones() == 1
    }

    /// Whether the answer is whole, and its usage has come.
    pub(super) fn is_billed(&self) -> bool {
        self.began && self.usage && self.is_whole(false)
    }

    /// Every choice that was seen has said why it ended.
    pub(super) const fn has_finished(&self) -> bool {
        self.seen != 0 && self.seen & !self.ended == 0
    }

    /// Whether the answer is whole if nothing more comes. `is_sure` says that the framing shows the body to be complete.
    pub(super) fn is_whole(&self, is_sure: bool) -> bool {
        if let Some(course) = &self.course {
            return self.done || (is_sure && course.is_whole_without_end());
        }
        self.done || (self.has_finished() && (is_sure || !(self.taken_back || self.doubtful)))
    }

    /// Whether nothing but usage is to be expected: a timeout may end the waiting for it.
    pub(super) fn may_end_by_time(&self) -> bool {
        // A bare stop behind reasoning alone may be a filler of a server whose answer is still to come; events with types have an end of their own.
        let is_credible = self.course.is_some() || self.answered || self.usage || !self.is_stop;
        // One choice's finish is not the others'.
        let is_alone = self.course.is_some() || self.seen.count_ones() == 1;
        self.began && is_credible && is_alone && self.is_whole(false)
    }

    /// Whether the answer is complete, so that nothing behind it is believed.
    pub(super) fn is_over(&self) -> bool {
        self.done || (self.course.is_none() && self.began && self.is_whole(true))
    }

    /// `[DONE]` came. Returns whether that ends the answer.
    pub(super) fn ends_when_done(&mut self) -> bool {
        self.done |= self.course.as_ref().is_none_or(|course| course.is_whole_when_done());
        self.done
    }

    /// Keeps a line that is no event.
    pub(super) fn say(&mut self, line: &[u8]) {
        if self.words.len() + line.len() < MOST_WORDS {
            self.words.extend_from_slice(line);
            self.words.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    use bytes::Bytes;
    use http_body::Body;
    use http_body_util::Full;

    use crate::{
        Api, ChatFrame,
        body::{ChatBody, Kind, ReadLimits, Reader, unread::Form, wire::Wire},
    };

    /// Messages in the place of deltas are pieces unless they begin with what was shown, which no event can that is shorter.
    #[test]
    fn the_text_of_messages_is_kept_within_the_bound_of_an_event() {
        const LARGEST: usize = 1024;
        let texts: Vec<String> = (0..100).map(|number| format!("{number:03}").repeat(150)).collect();
        let events = texts.iter().map(|text| {
            format!("data: {{\"choices\":[{{\"index\":0,\"message\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n")
        });
        let limits = ReadLimits {
            max_event_bytes: LARGEST,
            ..ReadLimits::default()
        };
        let wire = Wire::boxed(Full::new(Bytes::from(events.collect::<String>())));
        let mut body = ChatBody::of(Reader::new(Some(Api::Chat), true, limits).read(wire, Form::Events));
        let mut context = Context::from_waker(Waker::noop());
        let mut shown = String::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) {
            shown.extend(frame.data_ref().and_then(ChatFrame::text));
            let Kind::Stream(stream) = &body.kind else {
                unreachable!()
            };
            assert!(stream.progress.said.len() <= 2 * LARGEST);
        }
        assert_eq!(shown, texts.concat());
    }
}
