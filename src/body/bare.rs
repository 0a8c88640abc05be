//! What a stream says outside of its events: documents that lack their `data:`, an error, a page, words.

use bytes::Bytes;

use super::{event::Taken, reading, stream::StreamBody};
use crate::{Error, FailureKind, classify::error_in_body};
use openrouter_wire::loose::{documents, is_done, is_markup, repaired, separator_len, summary};
use openrouter_wire::sse::SseItem;
use openrouter_wire::{
    assemble::JsonCompleteness,
    chat::ChunkProbe,
    error::{UpstreamError, is_failure_text},
};

/// A document that comes line by line without `data:`, as far as it has come.
#[derive(Default)]
pub(super) struct Bare {
    text: Vec<u8>,
    balance: JsonCompleteness,
}

impl StreamBody {
    /// A line that is no field of an event.
    pub(super) fn stray(&mut self, line: &Bytes) -> Taken {
        if self.bare.is_some() {
            return self.bare_line(line);
        }
        let line = line.slice_ref(line.trim_ascii());
        let is_over = self.progress.is_over();
        if let Some(value) = field(&line, b"data") {
            return self.data(line.slice_ref(value));
        }
        if let Some(value) = field(&line, b"error").filter(|_| !is_over) {
            return Err(reading::named_error(value, &self.headers));
        }
        if is_done(&line) {
            return self.take(SseItem::Done);
        }
        let inner = line.get(separator_len(&line)..).unwrap_or_default();
        if inner.first() == Some(&b'{') {
            return self.bare_line(&line);
        }
        if !is_over && !inner.is_empty() {
            self.progress.say(&line);
        }
        Ok(None)
    }

    /// One line of a document, which is read once it is whole.
    fn bare_line(&mut self, line: &[u8]) -> Taken {
        let bare = self.bare.get_or_insert_default();
        let begins = bare.text.is_empty();
        let line = line
            .get(if begins { separator_len(line) } else { 0 }..)
            .unwrap_or_default();
        bare.balance.feed(line);
        bare.text.extend_from_slice(line);
        bare.text.push(b'\n');
        if !bare.balance.is_whole() {
            if bare.text.len() > self.decoder.limit() {
                // Nothing that is read has no end.
                self.drop_bare();
            }
            return Ok(None);
        }
        let text = Bytes::from(self.bare.take().unwrap_or_default().text);
        let Some(found) = documents(&text).filter(|found| !found.is_empty()) else {
            // One look more: it may be garbled in a way that can be repaired.
            if repaired(&text).is_some() {
                return self.data(text);
            }
            self.judge_bare(&text);
            return Ok(None);
        };
        self.is_bare = true;
        let taken = self.several(found);
        self.is_bare = false;
        taken
    }

    /// The document that was begun will not be whole.
    pub(super) fn drop_bare(&mut self) {
        if let Some(bare) = self.bare.take() {
            self.judge_bare(&bare.text);
        }
    }

    fn judge_bare(&mut self, text: &[u8]) {
        if !self.progress.is_over() {
            self.progress.say(text);
        }
    }

    /// The failure that the lines tell which were no events.
    pub(super) fn told(&mut self) -> Option<Error> {
        let words = std::mem::take(&mut self.progress.words);
        if words.trim_ascii().is_empty() {
            return None;
        }
        if let Some(error) = UpstreamError::parse(&words) {
            return Some(error_in_body(&self.headers, &error));
        }
        let what = match (is_markup(&words), self.progress.began) {
            (true, _) => "an HTML page instead of an answer",
            (false, true) => "the stream was cut before the answer was whole",
            (false, false) => "the stream ended before the answer began",
        };
        let what = reading::quoted(what, &summary(&words));
        Some(Error::new(self.broken(FailureKind::Malformed), what))
    }

    /// Whether words outside of the events tell of a failure that nothing behind them contradicts: the answer has no finish.
    pub(super) fn has_failure_text(&self) -> bool {
        !self.progress.words.is_empty()
            && self.progress.course.is_none()
            && !self.progress.has_finished()
            && is_failure_text(&String::from_utf8_lossy(&self.progress.words))
    }

    /// Keeps the words of an event that is not whole.
    pub(super) fn keep_words(&mut self, data: &[u8]) {
        let is_chunk = memchr::memmem::find(data, b"\"choices\"").is_some();
        if !is_chunk && !self.progress.is_over() && data.iter().any(u8::is_ascii_alphabetic) {
            self.progress.say(data);
        }
    }
}

/// The value of a field whose name is written with blanks around it, or in other case.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    let rest = start.eq_ignore_ascii_case(name).then(|| rest.trim_ascii_start())?;
    rest.strip_prefix(b":").map(<[u8]>::trim_ascii)
}

/// Whether an event that lacks its blank line lacks nothing else.
pub(super) fn is_whole_event(data: &[u8]) -> bool {
    let last = data.rsplit(|byte| matches!(byte, b'\n' | b'\r')).next();
    last.is_some_and(|last| ChunkProbe::read(last).is_ok()) || ChunkProbe::read(data).is_ok()
}
