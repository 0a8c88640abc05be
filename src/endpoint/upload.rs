//! Reads a request's body: within its largest size, and in time.

use std::{error::Error as StdError, pin::pin, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

use super::{body_budget::BodyBytes, problem::Problem};

/// How long a body may take to come: the stack's own timeouts start after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UploadLimits {
    /// The longest time without a byte, and the head start that a body has over the rate.
    pub(super) timeout: Duration,
    /// The least rate in bytes per second; 0 is none.
    pub(super) min_rate: u32,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            // A slow mobile line brings twice as much; a client that sends one byte at a time is closed soon after the timeout.
            min_rate: 4096,
        }
    }
}

impl UploadLimits {
    /// When a body of which so many bytes have come is too late, and the reason.
    fn ends(self, began: Instant, last: Instant, received: usize) -> (Instant, Late) {
        let silent = last + self.timeout;
        if self.min_rate == 0 {
            return (silent, Late::Silent);
        }
        let received = u64::try_from(received).unwrap_or(u64::MAX);
        // `max_body_bytes` bounds what comes, so the product does not overflow in practice.
        let earned = Duration::from_millis(received.saturating_mul(1000) / u64::from(self.min_rate));
        let slow = began + self.timeout + earned;
        if silent <= slow {
            (silent, Late::Silent)
        } else {
            (slow, Late::Slow)
        }
    }
}

/// Why a body is too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Late {
    Silent,
    Slow,
}

/// The whole body. What it announces is counted before it comes: a body that has no room is refused before it is read.
///
/// # Errors
///
/// A body that is too large, has no room, is interrupted, or comes too slowly.
///
/// # Cancellation
///
/// What was read is dropped.
pub(super) async fn read<B>(
    body: B,
    largest: usize,
    limits: UploadLimits,
    counted: &mut BodyBytes,
) -> Result<Bytes, Problem>
where
    B: Body<Data: Buf, Error: Into<Box<dyn StdError + Send + Sync>>>,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    counted.cover(announced.min(largest))?;
    let mut body = pin!(Limited::new(body, largest));
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    let began = Instant::now();
    let (mut last, mut received) = (began, 0);
    loop {
        let (ends, late) = limits.ends(began, last, received);
        let frame = match timeout_at(ends, body.frame()).await {
            Ok(Some(frame)) => frame.map_err(|error| unreadable(&*error, largest))?,
            Ok(None) => break,
            Err(_) => return Err(too_late(late, limits)),
        };
        // Trailers mean nothing here.
        let Ok(mut data) = frame.into_data() else { continue };
        let length = data.remaining();
        if length == 0 {
            continue;
        }
        (last, received) = (Instant::now(), received + length);
        counted.cover(received)?;
        if first.is_empty() && rest.is_empty() {
            // Most bodies are one frame, which is not copied.
            first = data.copy_to_bytes(length);
        } else {
            rest.extend_from_slice(&std::mem::take(&mut first));
            rest.put(data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

fn too_late(late: Late, limits: UploadLimits) -> Problem {
    let message = match late {
        Late::Silent => format!("nothing of the request body came in {:?}", limits.timeout),
        Late::Slow => format!(
            "the request body came at less than {} bytes per second",
            limits.min_rate
        ),
    };
    Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message)
}

fn unreadable(error: &(dyn StdError + Send + Sync + 'static), largest: usize) -> Problem {
    if error.is::<LengthLimitError>() {
        return Problem::too_large(largest);
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "unreadable_body",
        "the request body ended before it was complete",
    )
}
