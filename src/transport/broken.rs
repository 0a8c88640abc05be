//! Exchanges without an answer: what a failed one means, and what the body of an error says.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::{Error, FailureKind};

/// How much of the beginning of an error's body is kept, and of its end; real ones are a few kilobytes.
const MOST_OF_AN_END: usize = 256 * 1024;
/// How much of it is read: some servers repeat the request, and put their words behind it.
const LARGEST_ERROR: usize = 64 * 1024 * 1024;
/// How long it may take: the head has said already that there is no answer.
const LONGEST_ERROR: Duration = Duration::from_secs(2);

/// As much of an error's body as is worth reading and waiting for; a broken one is no reason to lose the status.
pub(crate) async fn read_error(mut body: reqwest::Body) -> Bytes {
    let mut read = ReadError::default();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            if !read.take(&data) {
                break;
            }
        }
    };
    if timeout(LONGEST_ERROR, reading).await.is_err() {
        tracing::debug!("error body not read to its end");
    }
    read.whole()
}

/// The beginning of an error's body and, of JSON, its end. If one long text stands between them, both together are JSON again.
#[derive(Default)]
struct ReadError {
    start: BytesMut,
    end: BytesMut,
    bytes: usize,
}

impl ReadError {
    /// Takes what comes next. Returns whether more of it is worth reading.
    fn take(&mut self, data: &[u8]) -> bool {
        self.bytes = self.bytes.saturating_add(data.len());
        let room = MOST_OF_AN_END.saturating_sub(self.start.len());
        let (first, rest) = data.split_at(room.min(data.len()));
        self.start.extend_from_slice(first);
        if rest.is_empty() {
            return true;
        }
        // Of a page the beginning says enough, and a compressed text is nothing without its middle.
        if !matches!(self.start.trim_ascii_start().first(), Some(b'{' | b'[')) {
            return false;
        }
        self.end.extend_from_slice(rest);
        self.end.advance(self.end.len().saturating_sub(MOST_OF_AN_END));
        self.bytes < LARGEST_ERROR
    }

    fn whole(mut self) -> Bytes {
        self.start.extend_from_slice(&self.end);
        self.start.freeze()
    }
}

/// What an exchange without a response means; `proxy` is what it went through.
pub(super) fn not_sent(error: reqwest::Error, proxy: Option<&str>) -> Error {
    let (kind, what) = if error.is_builder() {
        (FailureKind::Internal, "the request cannot be sent")
    } else if error.is_connect() {
        (FailureKind::Connect, "no connection to the upstream")
    } else {
        (FailureKind::Reset, "the connection broke before an answer came")
    };
    let is_unprocessed = is_unprocessed(&error);
    let error = error.without_url();
    // The innermost cause is what tells a closed port from a name that does not resolve.
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let through = proxy.map(|proxy| format!(" through {proxy}")).unwrap_or_default();
    let message = format!("{what}{through}: {cause}");
    let error = Error::caused(kind, message, error);
    if is_unprocessed { error.unprocessed() } else { error }
}

/// Whether the server says that it has not processed the request: it refused the stream, or closed the connection before it looked at it.
fn is_unprocessed(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let of_http2 = causes.filter_map(|cause| cause.downcast_ref::<h2::Error>());
    let mut of_server = of_http2.filter(|error| error.is_remote());
    of_server.any(|error| {
        let reason = error.reason();
        (error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM))
            || (error.is_go_away() && reason == Some(h2::Reason::NO_ERROR))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8], size: usize) -> Bytes {
        let mut read = ReadError::default();
        for piece in body.chunks(size) {
            if !read.take(piece) {
                break;
            }
        }
        read.whole()
    }

    #[test]
    fn the_beginning_and_the_end_of_a_long_error_are_kept() {
        let short = b"{\"error\":\"no\"}".to_vec();
        let echo = |length: usize| format!("{{\"input\":\"{}\",\"error\":\"no\"}}", "x".repeat(length)).into_bytes();
        for size in [100, 8 * 1024, 4 * 1024 * 1024] {
            assert_eq!(read(&short, size), short);
            let fits = echo(400 * 1024);
            assert_eq!(read(&fits, size), fits);
            let long = read(&echo(3 * 1024 * 1024), size);
            assert_eq!(long.len(), 2 * MOST_OF_AN_END);
            let value: serde_json::Value = serde_json::from_slice(&long).unwrap();
            assert_eq!(value.get("error").and_then(serde_json::Value::as_str), Some("no"));
            let page = [b"<html>", echo(1024 * 1024).as_slice()].concat();
            assert_eq!(read(&page, size).len(), MOST_OF_AN_END);
        }
    }
}
