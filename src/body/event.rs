//! One event of a stream: a piece of the answer, a sign of life, an error, or something unreadable.

use bytes::Bytes;
use http::HeaderMap;
use tower_llm_layers::Stage;

use super::{
    part::Chunk,
    reading::{self, Failed},
    stream::StreamBody,
};
use crate::{Api, ChatFrame, Error, FailureKind, frame::FrameKind, frame_facts::FrameFacts};
use openrouter_wire::{
    chat::{ChunkProbe, UnshownPart, unshown_chunk},
    error::is_failure_text,
    events::{EventProbe, Step},
    json::{Cursor, JsonError},
    loose::{documents, is_done, is_markup, repaired, summary},
    sse::{SseEvent, SseItem},
};

pub(super) type Taken = Result<Option<ChatFrame>, Error>;

impl StreamBody {
    pub(super) fn event(&mut self, event: SseEvent) -> Taken {
        let name = event.event.as_deref().unwrap_or_default();
        if self.bare.is_some() {
            self.drop_bare();
        }
        if name.eq_ignore_ascii_case(b"error") && !self.progress.done {
            if self.progress.is_billed() {
                return Ok(self.alive());
            }
            return Err(reading::named_error(&event.data, &self.headers));
        }
        let is_end = self.progress.course.is_none() && is_end(name);
        if is_done(&event.data) || is_end && (event.data.trim_ascii().is_empty() || is_empty(&event.data)) {
            return self.take(SseItem::Done);
        }
        // A blank event is a sign of life as some providers send it.
        let is_blank = event.data.trim_ascii().is_empty();
        if is_blank || (is_alive(name) && !self.is_piece(&event.data)) {
            return Ok(self.alive_as(event.data));
        }
        let api = self.progress.course.as_ref().map(|course| course.api());
        match api {
            Some(api) => self.typed(api, event.data, name),
            None => self.data(event.data),
        }
    }

    /// Whether an event has a piece of the answer or its end, whatever its name says.
    fn is_piece(&self, data: &[u8]) -> bool {
        let Some(course) = &self.progress.course else {
            return ChunkProbe::read(data).is_ok_and(|probe| probe.has_content() || probe.has_finish());
        };
        EventProbe::read(course.api(), data).is_ok_and(|piece| {
            let says_nothing = matches!(piece.step, Step::Ping | Step::Envelope | Step::Document);
            !says_nothing || !piece.content.is_nothing()
        })
    }

    /// A sign of life that came with this data: an event of an API whose events have types keeps its bytes.
    fn alive_as(&self, data: Bytes) -> Option<ChatFrame> {
        let alive = self.alive()?;
        let api = self.progress.course.as_ref().map(|course| course.api());
        let is_ping = |api: &Api| EventProbe::read(*api, &data).is_ok_and(|piece| piece.step == Step::Ping);
        let Some(api) = api.filter(is_ping) else {
            return Some(alive);
        };
        Some(ChatFrame::ping(api, data))
    }

    /// A sign of life; behind the end it means nothing.
    pub(super) fn alive(&self) -> Option<ChatFrame> {
        (!self.progress.done).then(ChatFrame::keep_alive)
    }

    pub(super) fn data(&mut self, data: Bytes) -> Taken {
        if let Some(course) = &self.progress.course {
            let api = course.api();
            return self.typed(api, data, b"");
        }
        if let Some(frame) = self.like_the_last(&data) {
            return Ok(Some(frame));
        }
        self.last = None;
        match ChunkProbe::read(&data) {
            Ok(probe) => {
                let Some(mut chunk) = self.chunk(&probe)? else {
                    return Ok(None);
                };
                if let Some(news) = chunk.take_news() {
                    return Ok(Some(chunk.frame(news)));
                }
                let known = FrameFacts::of(&probe);
                // Of these the next one mostly differs in its text alone.
                let is_text = chunk.shows_text() && probe.choices() == 1 && !probe.has_reasoning();
                let frame = chunk.frame(data).with_facts(known);
                self.set_last(is_text.then(|| frame.clone()));
                Ok(Some(frame))
            }
            Err(cause) => self.no_object(&data, cause),
        }
    }

    /// The chunk, if it is the one before it with another text: what that one was in this place of the stream, this one is as well.
    pub(super) fn like_the_last(&mut self, data: &Bytes) -> Option<ChatFrame> {
        if self.progress.done {
            return None;
        }
        let frame = self.last.as_ref()?.with_other_text(data)?;
        self.restart_timer();
        Some(frame)
    }

    /// What a chunk is in this place of the stream.
    fn chunk(&mut self, probe: &ChunkProbe<'_>) -> Result<Option<Chunk>, Error> {
        if self.progress.done {
            // Nothing counts after the end but the bill.
            let is_bill = probe.has_usage() && !probe.has_content() && !probe.is_failure();
            self.progress.usage |= is_bill;
            return Ok(is_bill.then(Chunk::trailer));
        }
        // Where something was shown, a filter has only cut the answer off.
        let withheld = || {
            (!self.progress.began)
                .then(|| reading::withheld(probe, &self.headers))
                .flatten()
        };
        if self.progress.is_billed() && probe.choices() == 0 && probe.is_failure() {
            // The answer is whole and has its bill: what a server says behind that is not about it.
            return Ok(Some(Chunk::KeepAlive));
        }
        // What else has failed beside the end of an answer that came before is no failure of the answer.
        let is_extra = probe.has_error_beside_end_alone() && self.progress.has_answered(probe.choice_bits().0);
        let failure = || reading::failure(probe, &self.headers).filter(|_| !is_extra);
        if let Some(Failed { usage, error }) = failure().or_else(withheld) {
            if usage.is_none() && self.ready.is_empty() {
                return Err(*error);
            }
            self.put_failure(usage, *error);
            return Ok(None);
        }
        let (shows, news, is_snapshot) = self.message(probe);
        self.progress.chunk(probe, shows);
        if self.is_bare && probe.is_in_message() {
            // A document by itself is whole.
            self.progress.confirm();
        }
        let has_usage = probe.has_usage();
        self.progress.has_message |= probe.has_message();
        let has_message = self.progress.has_message;
        let mut stage = reading::stage(probe, has_message);
        if stage == Stage::Content && !shows {
            stage = if probe.has_finish() {
                Stage::Finish
            } else {
                Stage::Preamble
            };
        }
        let finished = self.progress.has_finished();
        if stage == Stage::Trailer && finished && !self.progress.began && has_message && reading::spent(probe) {
            // The finish came before: tokens that were not shown make it an answer.
            stage = Stage::Finish;
        }
        if stage == Stage::Preamble && probe.choices() == 0 && !finished {
            if is_ping(probe) {
                return Ok(Some(Chunk::KeepAlive));
            }
            self.explain(Api::Chat, probe.bytes());
        }
        self.progress.shown |= shows;
        self.progress.began |= stage.begins_answer();
        if probe.has_finish() || has_usage || shows {
            self.restart_timer();
        }
        Ok(Some(Chunk::Part {
            // Of several answers at once each message is a delta.
            form: if shows && probe.is_in_message() && news.is_none() {
                FrameKind::Answer
            } else {
                FrameKind::Chunk
            },
            news,
            stage,
            has_usage,
            ends_well: probe.has_finish() && !probe.finish_is_filter(),
            tokens: if shows { probe.shown_tokens() } else { 0 },
            is_snapshot,
        }))
    }

    /// Keeps what a document without an answer says before one has begun.
    pub(super) fn explain(&mut self, api: Api, document: &[u8]) {
        if self.progress.began {
            return;
        }
        if let Some(explained) = reading::explained(api, document, &self.headers) {
            self.progress.explained = Some(explained);
        }
    }

    /// What of a chunk is to be shown: whether there is something, its bytes if they are to be others, and whether it only repeats what was
    /// shown.
    ///
    /// A `message` where a delta was due is the answer so far: behind deltas it repeats them; without them the rest of it is a delta. One that
    /// does not begin with what was shown is a piece.
    fn message(&mut self, probe: &ChunkProbe<'_>) -> (bool, Option<Bytes>, bool) {
        let progress = &mut self.progress;
        if !probe.is_in_message() {
            if probe.has_content() {
                progress.text_in_delta |= probe.has_text();
                progress.shown_reasoning |= probe.has_reasoning();
                progress.shown_calls |= probe.has_tool_call();
                return (true, None, false);
            }
            // A client finds a delta in each chunk.
            let is_odd = progress.shown && probe.has_message_alone() && probe.choices() == 1;
            let news = is_odd
                .then(|| unshown_chunk(probe.bytes(), &UnshownPart::None))
                .flatten();
            return (false, news.map(Bytes::from), false);
        }
        // No longer text fits into an event: it would never be the beginning of another one.
        let most = self.decoder.limit();
        let text = probe.text().unwrap_or_default();
        if probe.choices() > 1 || (!progress.shown && probe.has_finish()) {
            // All of it at once.
            let is_snapshot = progress.shown;
            progress.said = text.into_owned();
            return (!is_snapshot, None, is_snapshot);
        }
        let rest = match text.strip_prefix(progress.said.as_str()) {
            _ if progress.text_in_delta => "",
            Some(rest) => rest,
            None => &text,
        };
        if progress.said.len() <= most {
            progress.said.push_str(rest);
        }
        let reasoning = probe.has_reasoning() && !progress.shown_reasoning;
        let tool_calls = probe.has_tool_call() && !progress.shown_calls;
        progress.shown_reasoning |= reasoning;
        progress.shown_calls |= tool_calls;
        let is_other = !progress.shown && !probe.has_text();
        let shows = !rest.is_empty() || reasoning || tool_calls || is_other;
        let news = UnshownPart::Some {
            text: rest,
            reasoning,
            tool_calls,
        };
        let bytes = unshown_chunk(probe.bytes(), &news);
        let is_snapshot = !shows && bytes.is_none();
        (shows, bytes.map(Bytes::from), is_snapshot)
    }

    /// An event that is no JSON object.
    pub(super) fn no_object(&mut self, data: &Bytes, cause: JsonError) -> Taken {
        if let Some(text) = repaired(data) {
            if is_done(&text) {
                return self.take(SseItem::Done);
            }
            return self.data(text);
        }
        if let Some(found) = documents(data) {
            // A list of chunks, several that are glued together, or one error; without objects a sign of life.
            return self.several(found);
        }
        let mut cursor = Cursor::lenient(data);
        if cursor.peek().is_ok() && cursor.skip().and_then(|()| cursor.end()).is_ok() {
            // `null`, a number, a string.
            return self.words(data.trim_ascii());
        }
        if memchr::memchr2(b'\n', b'\r', data).is_some() {
            return self.lines(data, cause);
        }
        self.unreadable(data, cause)
    }

    /// What is no JSON: words, a page, or a chunk that is garbled.
    pub(super) fn unreadable(&mut self, data: &[u8], cause: JsonError) -> Taken {
        if self.progress.is_over() {
            // Garbage behind a complete answer.
            return Ok(self.alive());
        }
        let data = data.trim_ascii();
        if is_markup(data) {
            let what = reading::quoted("an HTML page instead of an answer", &summary(data));
            return Err(Error::caused(self.broken(FailureKind::Malformed), what, cause));
        }
        if let Some(failed) = glued_failure(data, &self.headers) {
            self.put_failure(failed.usage, *failed.error);
            return Ok(None);
        }
        // A list never begins so: `[HEARTBEAT]`, `[ERROR] …`.
        let is_marked = matches!(data, [b'[', mark, ..] if mark.is_ascii_alphabetic());
        if !is_marked && matches!(data.first(), Some(b'{' | b'[' | b'}' | b']')) {
            let what = reading::garbled("an event of the stream is not JSON", data);
            return Err(Error::caused(self.broken(FailureKind::Malformed), what, cause));
        }
        self.words(data)
    }

    /// Words where a chunk was due: an error, or a sign of life.
    fn words(&mut self, words: &[u8]) -> Taken {
        let is_over = self.progress.is_over();
        let text = String::from_utf8_lossy(words.get(..4096).unwrap_or(words));
        if !is_over && is_failure_text(&text) {
            return Err(reading::reported_in_words(text.trim_matches('"').as_bytes()));
        }
        // A number, `null` or an empty list explain nothing.
        let is_said = words.iter().any(u8::is_ascii_alphabetic) && !matches!(words, b"null" | b"true" | b"false");
        if !is_over && is_said {
            self.progress.words.clear();
            self.progress.say(words);
        }
        Ok(self.alive())
    }
}

/// Names of events that say nothing but that the connection lives.
fn is_alive(name: &[u8]) -> bool {
    const ALIVE: [&[u8]; 5] = [b"ping", b"heartbeat", b"keepalive", b"keep-alive", b"keep_alive"];
    ALIVE.iter().any(|alive| name.eq_ignore_ascii_case(alive))
}

/// The failure that stands behind half of a chunk, on one line with it.
fn glued_failure(data: &[u8], headers: &HeaderMap) -> Option<Failed> {
    let at = memchr::memmem::rfind(data, b"data:")? + b"data:".len();
    let probe = ChunkProbe::read(data.get(at..)?).ok()?;
    reading::failure(&probe, headers)
}

/// Names of events that end a stream which has no `[DONE]`.
fn is_end(name: &[u8]) -> bool {
    const ENDS: [&[u8]; 5] = [b"done", b"end", b"complete", b"completed", b"finish"];
    ENDS.iter().any(|end| name.eq_ignore_ascii_case(end))
}

/// Nothing, as an object, a list, null or an end.
fn is_empty(data: &[u8]) -> bool {
    matches!(data.trim_ascii(), b"{}" | b"[]" | b"null" | b"\"\"")
}

/// An object that is a ping.
fn is_ping(probe: &ChunkProbe<'_>) -> bool {
    probe.kind().is_some_and(|kind| is_alive(kind.as_bytes()))
}
