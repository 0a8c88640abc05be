//! An event of a stream whose events have types: one of Responses or of Messages.

use bytes::Bytes;
use tower_llm_layers::Stage;

use super::{event::Taken, stream::StreamBody, typed_reading as reading};
use crate::{Api, ChatFrame, Error, FailureKind, frame::FrameKind, frame_facts::FrameFacts};
use openrouter_wire::{
    assemble::merged,
    events::{EventProbe, Step},
    json::raw_member,
};

/// The names of events of messages that are their types as well.
const TYPES_OF_MESSAGES: [&[u8]; 6] = [
    b"message_start",
    b"content_block_start",
    b"content_block_delta",
    b"content_block_stop",
    b"message_delta",
    b"message_stop",
];

/// How long usage may become by what a repeated beginning adds to it, in bytes: with new members in each it would have no end.
const LARGEST_USAGE: usize = 16 * 1024;

impl StreamBody {
    /// Takes an event of this name, which may be empty.
    pub(super) fn typed(&mut self, api: Api, data: Bytes, name: &[u8]) -> Taken {
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
        if piece.step == Step::Envelope
            && let Some(data) = with_type(api, &data, name)
        {
            return self.typed(api, data, b"");
        }
        if piece.step == Step::Ping {
            return Ok(Some(ChatFrame::ping(api, data)));
        }
        let Some(course) = self.progress.course.as_mut() else {
            return Ok(None);
        };
        let taken = course.apply(&piece);
        if taken.is_splice {
            let what = "another message begins within the answer: the stream is no longer one answer";
            return Err(Error::new(self.broken(FailureKind::Malformed), what));
        }
        let began = self.progress.began || taken.shows;
        let failed = reading::failure(&piece, &self.headers).or_else(|| {
            // Where something was shown, a filter has only cut the answer off.
            let withheld = !began && (taken.finishes || piece.step == Step::Ends);
            let has_items = || course.has_items();
            withheld
                .then(|| reading::withheld(&piece, has_items, &self.headers))
                .flatten()
        });
        if let Some(failed) = failed {
            // The usage of a message that failed stands behind what its first event reported.
            let usage = failed.usage.and(piece.usage).map(|own| {
                let parts: Vec<Bytes> = course.usage.iter().cloned().chain([data.slice_ref(own)]).collect();
                ChatFrame::usage_alone(api, merged(&parts).as_deref().unwrap_or(own))
            });
            self.put_failure(usage, *failed.error);
            return Ok(None);
        }
        let is_start = api == Api::Messages && piece.step == Step::Envelope;
        if is_start && let Some(usage) = piece.usage {
            // Of the prompt it is all, of the answer a floor. If the same beginning comes twice, each count that says something stays.
            let own = data.slice_ref(usage);
            course.usage = Some(match course.usage.take() {
                Some(known) if known.len() + own.len() > LARGEST_USAGE => known,
                Some(known) => merged(&[known, own.clone()]).unwrap_or(own),
                None => own,
            });
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

/// The event with the type that its name alone has: by the standard of events that is their type, and some proxies leave the copy in the data out.
fn with_type(api: Api, data: &Bytes, name: &[u8]) -> Option<Bytes> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    let is_type = match api {
        Api::Messages => TYPES_OF_MESSAGES.contains(&name),
        _ => name.starts_with(b"response.") && name.iter().all(is_word),
    };
    if !is_type || raw_member(data, "type").is_some() {
        return None;
    }
    let rest = data.trim_ascii_start().strip_prefix(b"{")?;
    let comma: &[u8] = if rest.trim_ascii_start().starts_with(b"}") {
        b""
    } else {
        b","
    };
    Some([&b"{\"type\":\""[..], name, b"\"", comma, rest].concat().into())
}
