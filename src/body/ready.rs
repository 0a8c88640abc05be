//! What is due before the next event: frames, an error, and documents and lines that came as one event and are not read yet.

use bytes::Bytes;

use super::{event::Taken, stream::StreamBody};
use crate::{ChatFrame, Error};
use openrouter_wire::{
    chat::ChunkProbe,
    json::JsonError,
    loose::{Documents, documents, is_done},
    sse::SseItem,
};

/// What is due before the next event.
pub(super) enum Ready {
    /// A frame, or the error behind the frames.
    Frame(Result<ChatFrame, Error>),
    /// Documents that are not read yet.
    Documents {
        documents: Documents,
        /// They stand outside of the events.
        is_bare: bool,
    },
    /// Lines that are not read yet.
    Lines {
        lines: Lines,
        /// They stand outside of the events.
        is_bare: bool,
    },
}

impl StreamBody {
    /// A failure is due, behind the usage that it reports.
    pub(super) fn put_failure(&mut self, usage: Option<ChatFrame>, error: Error) {
        let usage = usage.map(|usage| Ready::Frame(Ok(usage)));
        self.ready.extend(usage.into_iter().chain([Ready::Frame(Err(error))]));
    }

    /// Several documents that came as one event. Those behind the first are read when they are due: as frames they would take many times their bytes.
    pub(super) fn several(&mut self, mut documents: Documents) -> Taken {
        let Some(first) = documents.next() else {
            return Ok(self.alive());
        };
        let frame = self.document(first)?;
        if !documents.is_empty() {
            self.ready.push_back(Ready::Documents {
                documents,
                is_bare: self.is_bare,
            });
        }
        Ok(frame)
    }

    /// Reads what came as one event and is due, before what is ready behind it.
    pub(super) fn before_the_rest(&mut self, is_bare: bool, read: impl FnOnce(&mut Self) -> Taken) {
        let behind = std::mem::take(&mut self.ready);
        self.is_bare = is_bare;
        let taken = read(self);
        self.is_bare = false;
        let mut own = std::mem::replace(&mut self.ready, behind);
        match taken {
            Ok(Some(frame)) => own.push_front(Ready::Frame(Ok(frame))),
            Ok(None) => {}
            Err(error) => own.push_back(Ready::Frame(Err(error))),
        }
        for item in own.into_iter().rev() {
            self.ready.push_front(item);
        }
    }

    fn document(&mut self, document: Bytes) -> Taken {
        if is_done(&document) {
            self.take(SseItem::Done)
        } else {
            self.data(document)
        }
    }

    /// Lines that are no document together: each may be one. Those behind the first are read when they are due, like documents.
    pub(super) fn lines(&mut self, data: &Bytes, cause: JsonError) -> Taken {
        self.next_line(Lines {
            rest: data.clone(),
            unread: None,
            cause,
        })
    }

    /// The next line that can be read; behind the last one, what the first does that cannot be read: the rest of the lines is not shown as if nothing
    /// were missing.
    pub(super) fn next_line(&mut self, mut lines: Lines) -> Taken {
        while let Some(line) = lines.next_filled() {
            if ChunkProbe::read(&line).is_ok() || documents(&line).is_some() {
                let frame = self.data(line)?;
                if !lines.is_empty() {
                    // Behind the documents of this line.
                    self.ready.push_back(Ready::Lines {
                        lines,
                        is_bare: self.is_bare,
                    });
                }
                return Ok(frame);
            }
            lines.unread.get_or_insert(line);
        }
        match lines.unread {
            // Of what is garbled the words may tell why.
            Some(line) => self.unreadable(&line, lines.cause),
            None => Ok(None),
        }
    }
}

/// The lines of one event that are not read yet.
pub(super) struct Lines {
    rest: Bytes,
    /// The first that cannot be read.
    unread: Option<Bytes>,
    /// Why the event as a whole cannot be read.
    cause: JsonError,
}

impl Lines {
    /// Whether nothing is left to read or to report.
    const fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.unread.is_none()
    }

    /// The next line that is not blank.
    fn next_filled(&mut self) -> Option<Bytes> {
        while !self.rest.is_empty() {
            let line = match memchr::memchr2(b'\n', b'\r', &self.rest) {
                Some(end) => self.rest.split_to(end + 1),
                None => std::mem::take(&mut self.rest),
            };
            let line = line.slice_ref(line.trim_ascii());
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll, Waker},
    };

    use http_body::Body;
    use http_body_util::Full;

    use super::*;
    use crate::body::{ChatBody, Kind};

    /// How many frames this stream has, its text, the most that was ready at once, and whether it ended without an error.
    fn read(stream: String) -> (usize, String, usize, bool) {
        let mut body = ChatBody::from_event_stream(Full::new(Bytes::from(stream)));
        let mut context = Context::from_waker(Waker::noop());
        let (mut frames, mut text, mut most) = (0, String::new(), 0);
        loop {
            match Pin::new(&mut body).poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => {
                    frames += 1;
                    text.extend(frame.data_ref().and_then(ChatFrame::text));
                }
                Poll::Ready(end) => return (frames, text, most, end.is_none()),
                Poll::Pending => {}
            }
            if let Kind::Stream(stream) = &body.kind {
                most = most.max(stream.ready.len());
            }
        }
    }

    /// An event has a bound in bytes, and so has what becomes of it: a frame takes some hundred times the bytes of an empty object.
    #[test]
    fn documents_of_one_event_become_frames_one_by_one() {
        for (event, documents) in [
            (format!("data: [{}{{}}]\n\n", "{},".repeat(10_000)), 10_001),
            (format!("data: [1,{}{{}}]\n\n", "{},2,".repeat(10_000)), 10_001),
            (format!("data: {}\n\n", "{}".repeat(10_000)), 10_000),
            (format!("{}\n\n", "{}".repeat(10_000)), 10_000),
            // The line that cannot be read is a sign of life.
            (format!("{}data: x\n\n", "data: {}\n".repeat(10_000)), 10_001),
            (format!("data: x\n{}\n", "data: {}\n".repeat(10_000)), 10_001),
        ] {
            let (frames, _, most, _) = read(event);
            assert!(frames == documents && most <= 2, "{frames} frames, {most} ready");
        }
    }

    #[test]
    fn documents_stay_in_order_before_the_events_behind_them() {
        let chunk = |text: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#);
        let (list, last) = (["a", "b", "c"].map(chunk).join(","), chunk("d"));
        for stream in [
            format!("data: [{list}]\n\ndata: {last}\n\ndata: [DONE]\n\n"),
            format!("data: [{list}]\ndata: {last}\n\ndata: [DONE]\n\n"),
            format!("data: [1,{list}]\ndata: {last}\n\ndata: [DONE]\n\n"),
            format!("data: x\ndata: [1,{list}]\ndata: {last}\n\n"),
            format!("data: {list}\n\ndata: [null,{last}]\n\n"),
            format!("{list}\n{last}\n"),
        ] {
            assert_eq!(read(stream.clone()).1, "abcd", "{stream}");
        }
    }

    #[test]
    fn an_end_behind_documents_in_one_event_is_read_behind_them() {
        let (a, b) = (
            r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}"#,
        );
        for stream in [
            format!("data: [1,{a},{b}]\ndata: [DONE]\n\n"),
            format!("data: [1,{a}]\ndata: {b}\ndata: [DONE]\n\n"),
            format!("data: x\ndata: [{a},{b}]\ndata: [DONE]\n\n"),
        ] {
            let (_, text, _, ends_well) = read(stream.clone());
            assert!(text == "ab" && ends_well, "{text}: {stream}");
        }
    }
}
