//! An answer as a list of acts, under the clauses that concern any bytes.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::fault::Fault;
use crate::gzip::Gzip;

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
    /// The content type in place of the right one; empty for none.
    pub(crate) content_type: Option<String>,
    /// The bytes are compressed.
    pub(crate) gzip: bool,
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
        let (mut bom, mut length) = (false, false);
        for fault in faults {
            match fault {
                Fault::CutByte(at) => self.cut_byte = Some(*at),
                Fault::Split(size) => self.split = usize::try_from(*size).ok(),
                Fault::Rst => self.rst = true,
                Fault::NoEventNames => self.map(without_names),
                Fault::OneLfEnd => self.last_line(),
                Fault::OneLf => self.map(|text| text.replace("\n\n", "\n")),
                Fault::BlankLines => self.map(|text| text.replace("\n\n", "\n\n\n")),
                Fault::Bom => bom = true,
                Fault::ContentLength => length = true,
                Fault::ContentType(kind) => {
                    self.content_type = Some(if kind == "none" { String::new() } else { kind.clone() });
                }
                _ => {}
            }
        }
        if faults.contains(&Fault::Crlf) {
            self.map(|text| text.replace('\n', "\r\n"));
        }
        if bom {
            self.acts.push_front(Act::Send(Bytes::from_static(b"\xEF\xBB\xBF"), 0));
        }
        if faults.contains(&Fault::Gzip) {
            self.compress();
        }
        if length {
            let whole = self.bytes();
            return self.sized(whole);
        }
        self
    }

    /// Takes the second line end from the last event.
    fn last_line(&mut self) {
        let last = self.acts.iter_mut().rev().find_map(|act| match act {
            Act::Send(bytes, _) => Some(bytes),
            _ => None,
        });
        if let Some(bytes) = last.filter(|bytes| bytes.ends_with(b"\n\n")) {
            bytes.truncate(bytes.len() - 1);
        }
    }

    /// Compresses what is sent. What would repeat is waited for in silence: its length is not known.
    fn compress(&mut self) {
        let mut gzip = Gzip::default();
        for act in &mut self.acts {
            match act {
                Act::Send(bytes, _) => *bytes = gzip.block(bytes),
                Act::Repeat { left: Some(left), .. } => *act = Act::Wait(*left),
                _ => {}
            }
        }
        self.acts.push_back(Act::Send(gzip.end(), 0));
        self.gzip = true;
    }

    /// Adds bytes that complete so many pieces.
    pub(crate) fn send(&mut self, bytes: impl Into<Bytes>, pieces: u64) {
        self.acts.push_back(Act::Send(bytes.into(), pieces));
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

/// Events without their names.
fn without_names(text: &str) -> String {
    let kept = text.split_inclusive('\n').filter(|line| !line.starts_with("event: "));
    kept.collect()
}
