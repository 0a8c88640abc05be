//! An answer as a list of acts, and the body that plays it.

mod body;
pub(crate) mod plain;
pub(crate) mod sse;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

pub(crate) use body::Player;

use crate::fault::Fault;

/// One act.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Send bytes, which complete so many pieces.
    Send(Bytes, u64),
    /// Say nothing for so long.
    Wait(Duration),
    /// Send bytes at an interval, until so much time is over; `None` is without end.
    Repeat {
        bytes: Bytes,
        every: Duration,
        left: Option<Duration>,
    },
    /// From here on the answer is an error, which is not charged.
    Void,
    /// End the connection without ending the body.
    Cut,
}

/// A list of acts, and how its bytes go out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    pub(crate) acts: VecDeque<Act>,
    /// Cut after exactly so many bytes.
    pub(crate) cut_byte: Option<u64>,
    /// Write no more than so many bytes at a time.
    pub(crate) split: Option<usize>,
    /// Cuts are TCP resets.
    pub(crate) rst: bool,
    /// The length that is announced.
    pub(crate) length: Option<u64>,
}

impl Track {
    /// A body of these bytes.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self {
            acts: VecDeque::from([Act::Send(bytes.into(), 0)]),
            ..Self::default()
        }
    }

    /// The same under the clauses that concern bytes.
    pub(crate) fn shaped(mut self, faults: &[Fault]) -> Self {
        let mut bom = false;
        for fault in faults {
            match fault {
                Fault::CutByte(at) => self.cut_byte = Some(*at),
                Fault::Split(size) => self.split = usize::try_from(*size).ok(),
                Fault::Rst => self.rst = true,
                Fault::BlankLines => self.map(|text| text.replace("\n\n", "\n\n\n")),
                Fault::Bom => bom = true,
                _ => {}
            }
        }
        if faults.contains(&Fault::Crlf) {
            self.map(|text| text.replace('\n', "\r\n"));
        }
        if bom {
            self.acts.push_front(Act::Send(Bytes::from_static(b"\xEF\xBB\xBF"), 0));
        }
        self
    }

    fn map(&mut self, change: impl Fn(&str) -> String) {
        for act in &mut self.acts {
            if let Act::Send(bytes, _) | Act::Repeat { bytes, .. } = act
                && let Ok(text) = std::str::from_utf8(bytes)
            {
                *bytes = Bytes::from(change(text));
            }
        }
    }

    /// Announces its length, if only plain bytes and waits are played.
    pub(crate) fn sized(mut self, whole: u64) -> Self {
        if !self.acts.iter().any(|act| matches!(act, Act::Repeat { .. })) {
            self.length = Some(whole);
        }
        self
    }

    /// How many bytes it sends if nothing repeats.
    pub(crate) fn bytes(&self) -> u64 {
        self.acts
            .iter()
            .map(|act| {
                if let Act::Send(bytes, _) = act {
                    bytes.len() as u64
                } else {
                    0
                }
            })
            .sum()
    }
}
