//! A plain (not streamed) body, under the clauses that concern one.

use std::time::Duration;

use bytes::Bytes;

use crate::fault::Fault;
use crate::track::{Act, Track};

/// Between the blanks of a keep-alive.
const EVERY: Duration = Duration::from_secs(1);
/// What is written while an answer is awaited.
const BLANK: &[u8] = b"\n         ";

/// The acts of a whole JSON body that stands for so many pieces.
pub(crate) fn track(body: Vec<u8>, pieces: u64, faults: &[Fault]) -> Track {
    let body = Bytes::from(body);
    let mut track = Track::default();
    let mut blank = |every: Duration, left: Option<Duration>| {
        track.acts.push_back(Act::Repeat {
            bytes: Bytes::from_static(BLANK),
            every,
            left,
        });
    };
    let mut cut = false;
    for fault in faults {
        match fault {
            Fault::FirstToken(length) => blank(EVERY, Some(*length)),
            Fault::Drip(every, total) => blank(*every, Some(*total)),
            Fault::DripCut(every, total) => {
                blank(*every, Some(*total));
                cut = true;
            }
            Fault::Comments => blank(EVERY, None),
            _ => {}
        }
    }
    if cut {
        track.acts.push_back(Act::Cut);
        return track.shaped(faults);
    }
    if faults.contains(&Fault::EmptyStream) {
        return track.shaped(faults);
    }
    let body = if faults.iter().any(|fault| matches!(fault, Fault::BadJson(_))) {
        broken(&body)
    } else {
        body
    };
    let mut rest = body.clone();
    for fault in faults {
        let (Fault::Stall(_, at) | Fault::Cut(at)) = fault else {
            continue;
        };
        let place = place(body.len(), u64::from(*at), pieces).saturating_sub(body.len() - rest.len());
        let head = rest.split_to(place.min(rest.len()));
        track.acts.push_back(Act::Send(head, 0));
        match fault {
            Fault::Stall(length, _) => track.acts.push_back(Act::Wait(*length)),
            _ => track.acts.push_back(Act::Cut),
        }
    }
    track.acts.push_back(Act::Send(rest, pieces));
    let track = track.shaped(faults);
    let whole = track.bytes();
    track.sized(whole)
}

/// The byte at which `at` of `pieces` would have been written.
fn place(length: usize, at: u64, pieces: u64) -> usize {
    let share = (length as u64).saturating_mul(at.min(pieces)) / pieces.max(1);
    usize::try_from(share).unwrap_or(length)
}

/// JSON that ends too early.
fn broken(body: &Bytes) -> Bytes {
    let end = body.len().saturating_sub(body.len() / 3 + 1);
    body.slice(..end)
}
