//! The last event of an interrupted chat, as rig reads it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use memchr::memmem;
use serde_json::Value;

/// No text of a model has these bytes: inside a JSON string the quotes are escaped.
const MARK: &[u8] = br#""finish_reason":"error""#;
const END: &[u8] = b"\n\n";

/// The longest event that is held back until it is whole, in bytes: the largest that the stack itself reads by default. A longer one passes as
/// it comes.
const LONGEST: usize = 64 * 1024 * 1024;

/// The events of a stream. In the last chunk of an interrupted chat the member `error` stands beside `choices`, as OpenAI's and OpenRouter's
/// clients read it; rig takes an error for one only if there are no choices. So the choices of that chunk are left out, and it is an error here
/// as well, never the end of a whole answer.
#[derive(Debug)]
pub(crate) struct RigEvents<S> {
    events: S,
    /// An event whose end has not come yet: the endpoints write whole ones, a layer around them may not.
    begun: BytesMut,
}

impl<S> RigEvents<S> {
    pub(crate) fn new(events: S) -> Self {
        Self {
            events,
            begun: BytesMut::new(),
        }
    }

    /// What can be passed on of what has come.
    fn whole(&mut self, piece: Bytes) -> Option<Bytes> {
        if self.begun.is_empty() && piece.ends_with(END) {
            return Some(piece);
        }
        // In what was there before is no end, unless it is cut in two.
        let from = self.begun.len().saturating_sub(END.len() - 1);
        self.begun.extend_from_slice(&piece);
        match memmem::rfind(self.begun.get(from..)?, END) {
            Some(end) => Some(self.begun.split_to(from + end + END.len()).freeze()),
            None if self.begun.len() > LONGEST => Some(self.begun.split().freeze()),
            None => None,
        }
    }
}

impl<S, E> Stream for RigEvents<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Item = Result<Bytes, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let events = match ready!(Pin::new(&mut self.events).poll_next(cx)) {
                Some(Ok(piece)) => self.whole(piece),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if self.begun.is_empty() => return Poll::Ready(None),
                None => Some(self.begun.split().freeze()),
            };
            if let Some(events) = events {
                return Poll::Ready(Some(Ok(without_choices(events))));
            }
        }
    }
}

fn without_choices(events: Bytes) -> Bytes {
    if memmem::find(&events, MARK).is_none() {
        return events;
    }
    let mut told = Vec::with_capacity(events.len());
    for line in events.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"data: ").and_then(error_of) {
            Some(error) => {
                told.extend_from_slice(b"data: ");
                told.extend_from_slice(error.to_string().as_bytes());
                told.push(b'\n');
            }
            None => told.extend_from_slice(line),
        }
    }
    told.into()
}

/// The chunk without its choices, if it is an error.
fn error_of(data: &[u8]) -> Option<Value> {
    memmem::find(data, MARK)?;
    let mut chunk: Value = serde_json::from_slice(data).ok()?;
    let members = chunk
        .as_object_mut()
        .filter(|members| members.get("error").is_some_and(Value::is_object))?;
    members.remove("choices");
    Some(chunk)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};

    use super::*;

    const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"finish_reason\\\":\\\"error\\\"\"}}]}\n\n";
    const LAST: &str = "data: {\"id\":\"g\",\"choices\":[{\"index\":0,\"finish_reason\":\"error\"}],\"error\":{\"message\":\"cut\",\"code\":502}}\n\n";

    async fn through(pieces: Vec<Vec<u8>>) -> (String, usize) {
        let pieces = stream::iter(pieces.into_iter().map(|piece| Ok::<_, Infallible>(Bytes::from(piece))));
        let got: Vec<_> = RigEvents::new(pieces).map(Result::unwrap_or_default).collect().await;
        (String::from_utf8_lossy(&got.concat()).into_owned(), got.len())
    }

    #[tokio::test]
    async fn the_last_chunk_has_no_choices_however_it_is_cut() {
        let sent = format!(": keep-alive\n\n{TEXT}{LAST}");
        let (kept, last) = sent.split_at(sent.len() - LAST.len());
        for at in 1..sent.len() {
            let (one, other) = sent.as_bytes().split_at(at);
            let (got, _) = through(vec![one.to_vec(), other.to_vec()]).await;
            let told = got.strip_prefix(kept).unwrap_or_default();
            assert!(
                told.contains("\"message\":\"cut\"") && told.ends_with(END_TEXT),
                "{at}: {got}"
            );
            assert!(!told.contains("choices") && last.contains("choices"), "{at}: {got}");
        }
    }

    #[tokio::test]
    async fn it_is_the_same_byte_by_byte_and_an_end_is_found_in_the_middle_of_a_piece() {
        let sent = format!("{TEXT}{TEXT}");
        let (got, pieces) = through(sent.bytes().map(|byte| vec![byte]).collect()).await;
        assert_eq!((got, pieces), (sent.clone(), 2));
        let (begun, rest) = sent.as_bytes().split_at(TEXT.len() - 1);
        let (got, pieces) = through(vec![begun.to_vec(), rest[..9].to_vec(), rest[9..].to_vec()]).await;
        assert_eq!((got, pieces), (sent.clone(), 2));
    }

    #[tokio::test]
    async fn an_event_that_is_too_long_to_be_held_back_passes_as_it_comes() {
        let piece = vec![b'a'; LONGEST / 2 + 1];
        let (got, pieces) = through(vec![piece.clone(); 3]).await;
        // Two are more than the longest, and the third comes with the end of the stream.
        assert_eq!((got.len(), pieces), (3 * piece.len(), 2));
    }

    const END_TEXT: &str = "\n\n";

    #[tokio::test]
    async fn every_other_event_passes_as_it_came() {
        let ended = "data: {\"choices\":[{\"finish_reason\":\"error\"}]}\n\n";
        let pieces: Vec<_> = [TEXT, ended, "data: [DONE]\n\n", "data: {\"finish_reason\":\"error\""]
            .map(|piece| piece.as_bytes().to_vec())
            .into();
        let sent = String::from_utf8_lossy(&pieces.concat()).into_owned();
        assert_eq!(through(pieces).await, (sent, 4));
    }
}
