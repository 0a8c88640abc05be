//! An event of a stream whose events have types: one of Responses or of Messages.

use bytes::Bytes;
use tower_llm_layers::Stage;

use super::{event::Taken, stream::StreamBody, typed_reading as reading};
use crate::{Api, ChatFrame, frame::FrameKind, frame_facts::FrameFacts};
use openrouter_wire::{
    assemble::merged,
    events::{EventProbe, Step},
};

impl StreamBody {
    pub(super) fn typed(&mut self, api: Api, data: Bytes) -> Taken {
        if self.progress.done {
            // Nothing counts behind the end.
            return Ok(None);
        }
        if let Some(frame) = self.like_the_last(&data) {
            if let (Some(course), Some(bytes)) = (self.progress.course.as_mut(), frame.text_bytes()) {
                course.apply_text(bytes);
            }
            return Ok(Some(frame));
        }
        self.last = None;
        let piece = match EventProbe::read(api, &data) {
            Ok(piece) => piece,
            Err(cause) => return self.no_object(&data, cause),
        };
        if piece.step == Step::Ping {
            return Ok(Some(ChatFrame::ping(api, data)));
        }
        let Some(course) = self.progress.course.as_mut() else {
            return Ok(None);
        };
        let taken = course.apply(&piece);
        let began = self.progress.began || taken.shows;
        let failed = reading::failure(&piece, &self.headers).or_else(|| {
            // Where something was shown, a filter has only cut the answer off.
            let withheld = !began && (taken.finishes || piece.step == Step::Ends);
            withheld.then(|| reading::withheld(&piece, &self.headers)).flatten()
        });
        if let Some(failed) = failed {
            // The usage of a message that failed stands behind what its first event reported.
            let usage = failed.usage.and(piece.usage).map(|own| {
                let parts: Vec<Bytes> = course.usage.iter().cloned().chain([data.slice_ref(own)]).collect();
                ChatFrame::usage_alone(api, merged(&parts).as_deref().unwrap_or(own))
            });
            self.ready.extend(usage.map(Ok));
            self.ready.push_back(Err(*failed.error));
            return match self.ready.pop_front() {
                Some(first) => first.map(Some),
                None => Ok(None),
            };
        }
        let is_start = api == Api::Messages && piece.step == Step::Envelope;
        if is_start && let Some(usage) = piece.usage {
            // Of the prompt it is all, of the answer a floor.
            course.usage = Some(data.slice_ref(usage));
        }
        let has_usage = piece.usage.is_some();
        let base = course
            .usage
            .clone()
            .filter(|_| has_usage && !is_start && api == Api::Messages);
        let is_end = matches!(piece.step, Step::Ends | Step::Document);
        let ended = course.is_ended();
        let stage = if taken.shows {
            Stage::Content
        } else if taken.finishes || is_end {
            reading::stage(&piece, began, course.has_items())
        } else {
            Stage::Preamble
        };
        let kind = if piece.step == Step::Document {
            FrameKind::Answer
        } else {
            FrameKind::Chunk
        };
        let tokens = taken.tokens;
        let ends_well = taken.finishes && reading::ends_well(&piece);
        if stage == Stage::Preamble {
            self.explain(api, &data);
        }
        self.progress.began |= stage.begins_answer();
        self.progress.shown |= taken.shows;
        self.progress.done |= ended;
        // Nothing is waited for behind the last event.
        self.progress.usage |= ended;
        if taken.shows || taken.finishes || (has_usage && !is_start) {
            self.restart_timer();
        }
        let is_snapshot = taken.is_snapshot;
        // Layers ask each frame what it says; of most the answer is one text.
        let known = taken.shows.then(|| FrameFacts::of_delta(&piece)).flatten();
        let is_alone = known.is_some();
        let frame = ChatFrame::new(data, kind, stage, has_usage)
            .of(api)
            .ending(ends_well)
            .showing(tokens)
            .repeating(is_snapshot)
            .based_on(base)
            .with_facts(known);
        self.set_last(is_alone.then(|| frame.clone()));
        Ok(Some(frame))
    }
}
