//! What is due before the next event: frames, an error, and documents that came as one event and are not read yet.

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

    /// The next of several documents, before what is ready behind them.
    pub(super) fn next_document(&mut self, mut documents: Documents, is_bare: bool) {
        let Some(document) = documents.next() else { return };
        let behind = std::mem::take(&mut self.ready);
        self.is_bare = is_bare;
        let taken = self.document(document);
        self.is_bare = false;
        let mut own = std::mem::replace(&mut self.ready, behind);
        match taken {
            Ok(Some(frame)) => own.push_front(Ready::Frame(Ok(frame))),
            Ok(None) => {}
            Err(error) => own.push_back(Ready::Frame(Err(error))),
        }
        if !documents.is_empty() {
            self.ready.push_front(Ready::Documents { documents, is_bare });
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

    /// Lines that are no document together: each may be one.
    pub(super) fn lines(&mut self, data: &Bytes, cause: JsonError) -> Taken {
        let mut unread = None;
        for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let line = data.slice_ref(line.trim_ascii());
            if line.is_empty() {
                continue;
            }
            if ChunkProbe::read(&line).is_ok() || documents(&line).is_some() {
                let before = self.ready.len();
                if let Some(frame) = self.data(line)? {
                    self.ready.insert(before, Ready::Frame(Ok(frame)));
                }
            } else {
                unread.get_or_insert(line);
            }
        }
        if let Some(line) = unread {
            // Of what is garbled the words may tell why; the rest of the lines is not shown as if nothing were missing.
            let frame = self.unreadable(&line, cause);
            if !self.ready.is_empty() {
                self.ready.extend(frame.transpose().map(Ready::Frame));
                return Ok(None);
            }
            return frame;
        }
        Ok(None)
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

    /// How many frames this stream has, its text, and the most that was ready at once.
    fn read(stream: String) -> (usize, String, usize) {
        let mut body = ChatBody::from_event_stream(Full::new(Bytes::from(stream)));
        let mut context = Context::from_waker(Waker::noop());
        let (mut frames, mut text, mut most) = (0, String::new(), 0);
        loop {
            match Pin::new(&mut body).poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => {
                    frames += 1;
                    text.extend(frame.data_ref().and_then(ChatFrame::text));
                }
                Poll::Ready(_) => return (frames, text, most),
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
            (format!("data: [{}{{}}]\n\n", "{},".repeat(50_000)), 50_001),
            (format!("data: [1,{}{{}}]\n\n", "{},2,".repeat(50_000)), 50_001),
            (format!("data: {}\n\n", "{}".repeat(50_000)), 50_000),
            (format!("{}\n\n", "{}".repeat(50_000)), 50_000),
        ] {
            let (frames, _, most) = read(event);
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
            format!("data: {list}\n\ndata: [null,{last}]\n\n"),
            format!("{list}\n{last}\n"),
        ] {
            assert_eq!(read(stream.clone()).1, "abcd", "{stream}");
        }
    }
}
