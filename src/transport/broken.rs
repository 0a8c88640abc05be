//! Exchanges without an answer: what a failed one means, and what the body of an error says.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::{Error, FailureKind};

/// The largest error body that is read; real ones are a few kilobytes.
const LARGEST_ERROR: usize = 256 * 1024;
/// How long it may take: the head has said already that there is no answer.
const LONGEST_ERROR: Duration = Duration::from_secs(2);

/// As much of an error's body as is worth reading and waiting for; a broken one is no reason to lose the status.
pub(crate) async fn read_error(mut body: reqwest::Body) -> Bytes {
    let mut whole = BytesMut::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            whole.extend_from_slice(data.get(..LARGEST_ERROR - whole.len()).unwrap_or(&data));
            if whole.len() >= LARGEST_ERROR {
                break;
            }
        }
    };
    if timeout(LONGEST_ERROR, reading).await.is_err() {
        tracing::debug!("error body not read to its end");
    }
    whole.freeze()
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
