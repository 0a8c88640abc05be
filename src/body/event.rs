//! One event of a stream: a piece of the answer, a sign of life, an error, or something unreadable.

use bytes::Bytes;
use tower_llm_layers::Stage;

use super::{
    reading::{self, Failed},
    stream::StreamBody,
    words::{first_words, is_page},
};
use crate::{
    ChatFrame, Error, FailureKind,
    frame::FrameKind,
    request::{Found, JsonError, scan::Cursor},
    response::{ChunkProbe, UpstreamError, reads_like_failure},
    sse::SseEvent,
    transport::error_in_body,
};

pub(super) type Taken = Result<Option<ChatFrame>, Error>;

impl StreamBody {
    pub(super) fn event(&mut self, event: SseEvent) -> Taken {
        let name = event.event.as_deref().unwrap_or_default();
        if name.eq_ignore_ascii_case(b"error") && !self.progress.done {
            return Err(reading::named_error(&event.data, &self.headers));
        }
        // A blank event is a sign of life as some providers send it.
        if is_alive(name) || event.data.trim_ascii().is_empty() {
            return Ok(self.alive());
        }
        self.data(event.data)
    }

    /// A sign of life; behind the end it means nothing.
    fn alive(&self) -> Option<ChatFrame> {
        (!self.progress.done).then(ChatFrame::keep_alive)
    }

    fn data(&mut self, data: Bytes) -> Taken {
        if let Some(course) = &self.progress.course {
            let api = course.api();
            return self.typed(api, data);
        }
        match ChunkProbe::read(&data) {
            Ok(probe) => {
                let chunk = self.chunk(&probe)?;
                Ok(chunk.map(|chunk| chunk.frame(data)))
            }
            Err(cause) => self.no_object(&data, cause),
        }
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
        if let Some(Failed { usage, error }) = reading::failure(probe, &self.headers).or_else(withheld) {
            self.ready.extend(usage.map(Ok));
            if self.ready.is_empty() {
                return Err(*error);
            }
            self.ready.push_back(Err(*error));
            return Ok(None);
        }
        // A message behind what was shown is the same once more.
        let is_snapshot = probe.is_in_message() && self.progress.shown;
        let shows = probe.has_content() && !is_snapshot;
        self.progress.chunk(probe, shows);
        let has_usage = probe.has_usage();
        let mut stage = reading::stage(probe);
        if stage == Stage::Content && !shows {
            stage = if probe.has_finish() {
                Stage::Finish
            } else {
                Stage::Preamble
            };
        }
        let finished = self.progress.has_finished();
        if stage == Stage::Trailer && finished && !self.progress.began && reading::spent(probe) {
            // The finish came before: tokens that were not shown make it an answer.
            stage = Stage::Finish;
        }
        if stage == Stage::Preamble && probe.choices() == 0 && !finished && is_ping(probe) {
            return Ok(Some(Chunk::KeepAlive));
        }
        self.progress.shown |= shows;
        self.progress.began |= stage.begins_answer();
        if probe.has_finish() || has_usage || shows {
            self.restart_timer();
        }
        Ok(Some(Chunk::Part {
            // The first text, and not as a delta: a client must find it in one.
            form: if shows && probe.is_in_message() {
                FrameKind::Answer
            } else {
                FrameKind::Chunk
            },
            stage,
            has_usage,
            ends_well: probe.has_finish() && !probe.finish_is_filter(),
            tokens: if shows { probe.shown_tokens() } else { 0 },
            is_snapshot,
        }))
    }

    /// An event that is no JSON object.
    pub(super) fn no_object(&mut self, data: &Bytes, cause: JsonError) -> Taken {
        if let Some(elements) = elements(data) {
            // A list of chunks, or of one error; without objects a sign of life.
            return self.several(elements);
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

    /// Several documents that came as one event.
    fn several(&mut self, documents: Vec<Bytes>) -> Taken {
        for document in documents {
            let frame = self.data(document)?;
            self.ready.extend(frame.map(Ok));
        }
        let first = self.ready.pop_front().transpose()?;
        Ok(first.or_else(|| self.alive()))
    }

    /// Lines that are no document together: each may be one.
    fn lines(&mut self, data: &Bytes, cause: JsonError) -> Taken {
        let mut unread = None;
        for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let line = data.slice_ref(line.trim_ascii());
            if line.is_empty() {
                continue;
            }
            if ChunkProbe::read(&line).is_ok() || elements(&line).is_some() {
                let frame = self.data(line)?;
                self.ready.extend(frame.map(Ok));
            } else {
                unread.get_or_insert(line);
            }
        }
        if let Some(line) = unread {
            // Of what is garbled the words may tell why; the rest of the lines is not shown as if nothing were missing.
            let frame = self.unreadable(&line, cause);
            if !self.ready.is_empty() {
                self.ready.extend(frame.transpose());
                return Ok(None);
            }
            return frame;
        }
        self.ready.pop_front().transpose()
    }

    /// What is no JSON: words, a page, or a chunk that is garbled.
    fn unreadable(&mut self, data: &[u8], cause: JsonError) -> Taken {
        if self.progress.is_over() {
            // Garbage behind a complete answer.
            return Ok(self.alive());
        }
        let data = data.trim_ascii();
        if is_page(data) {
            let what = reading::quoted("an HTML page instead of an answer", &first_words(data));
            return Err(Error::caused(self.broken(FailureKind::Malformed), what, cause));
        }
        if matches!(data.first(), Some(b'{' | b'[' | b'}' | b']')) {
            let what = "an event of the stream is not JSON";
            return Err(Error::caused(self.broken(FailureKind::Malformed), what, cause));
        }
        self.words(data)
    }

    /// Words where a chunk was due: an error, or a sign of life.
    fn words(&mut self, words: &[u8]) -> Taken {
        let is_over = self.progress.is_over();
        let text = String::from_utf8_lossy(words.get(..4096).unwrap_or(words));
        if !is_over && reads_like_failure(&text) {
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

    /// A line that is no field of an event: a document that lacks its `data:`, or words.
    pub(super) fn stray(&mut self, line: &Bytes) -> Taken {
        let line = line.slice_ref(line.trim_ascii());
        let is_over = self.progress.is_over();
        if let Some(error) = line.strip_prefix(b"error:").filter(|_| !is_over) {
            return Err(reading::named_error(error.trim_ascii(), &self.headers));
        }
        if ChunkProbe::read(&line).is_ok() || elements(&line).is_some() {
            return self.data(line);
        }
        if !is_over {
            self.progress.say(&line);
        }
        Ok(None)
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
        let what = match (is_page(&words), self.progress.began) {
            (true, _) => "an HTML page instead of an answer",
            (false, true) => "the stream was cut before the answer was whole",
            (false, false) => "the stream ended before the answer began",
        };
        let what = reading::quoted(what, &first_words(&words));
        Some(Error::new(self.broken(FailureKind::Malformed), what))
    }

    /// Whether an event that lacks its blank line lacks nothing else.
    pub(super) fn is_whole_event(event: &SseEvent) -> bool {
        let last = event.data.rsplit(|byte| matches!(byte, b'\n' | b'\r')).next();
        last.is_some_and(|last| ChunkProbe::read(last).is_ok()) || ChunkProbe::read(&event.data).is_ok()
    }
}

/// What a chunk is to the caller.
enum Chunk {
    KeepAlive,
    Part {
        form: FrameKind,
        stage: Stage,
        has_usage: bool,
        ends_well: bool,
        tokens: u32,
        is_snapshot: bool,
    },
}

impl Chunk {
    const fn trailer() -> Self {
        Self::Part {
            form: FrameKind::Chunk,
            stage: Stage::Trailer,
            has_usage: true,
            ends_well: false,
            tokens: 0,
            is_snapshot: false,
        }
    }

    fn frame(self, data: Bytes) -> ChatFrame {
        match self {
            Self::KeepAlive => ChatFrame::keep_alive(),
            Self::Part {
                form,
                stage,
                has_usage,
                ends_well,
                tokens,
                is_snapshot,
            } => ChatFrame::new(data, form, stage, has_usage)
                .ending(ends_well)
                .showing(tokens)
                .repeating(is_snapshot),
        }
    }
}

/// Names of events that say nothing but that the connection lives.
fn is_alive(name: &[u8]) -> bool {
    const ALIVE: [&[u8]; 5] = [b"ping", b"heartbeat", b"keepalive", b"keep-alive", b"keep_alive"];
    ALIVE.iter().any(|alive| name.eq_ignore_ascii_case(alive))
}

/// An object that is a ping.
fn is_ping(probe: &ChunkProbe<'_>) -> bool {
    probe.kind().is_some_and(|kind| is_alive(kind.as_bytes()))
}

/// The objects of a list; `None` if it is no list.
fn elements(data: &Bytes) -> Option<Vec<Bytes>> {
    let mut cursor = Cursor::lenient(data);
    if cursor.peek().ok()? != Found::Array {
        return None;
    }
    let mut objects = Vec::new();
    let walked = cursor.array_or_skip(|item| {
        let is_object = item.peek()? == Found::Object;
        let raw = item.raw()?;
        if is_object {
            objects.push(data.slice_ref(raw));
        }
        Ok(())
    });
    walked.and_then(|()| cursor.end()).ok()?;
    std::str::from_utf8(data).ok()?;
    Some(objects)
}
