//! The mark of an answer that was interrupted and resumed.

use std::{fmt, sync::Arc};

use crate::{Candidate, Degraded, FailureKind, util::Lock};

/// In the extensions of a streamed response: where it was interrupted, and which candidate continued. Entries may be added until the stream has
/// ended. Clones share it.
#[derive(Clone, Default)]
pub struct Resumed(Arc<Lock<Vec<Resumption>>>);

/// One place at which an answer was interrupted and resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resumption {
    /// How many bytes of text had been shown.
    pub after: usize,
    /// Why it was interrupted.
    pub reason: FailureKind,
    /// The candidate that continued; `None` without a chain.
    pub by: Option<Candidate>,
    /// The mark of the continuation if it is degraded, for example by a cheaper model.
    pub degraded: Option<Degraded>,
}

impl Resumed {
    /// The places so far, in order. None if the answer is of one piece.
    #[must_use]
    pub fn places(&self) -> Vec<Resumption> {
        self.0.lock().clone()
    }

    /// The places after the first so many: what is new since the last look.
    #[must_use]
    pub fn places_after(&self, known: usize) -> Vec<Resumption> {
        self.0.lock().get(known..).map(<[_]>::to_vec).unwrap_or_default()
    }

    /// The first mark of a degraded part; `None` while there is none.
    #[must_use]
    pub fn degraded(&self) -> Option<Degraded> {
        self.0.lock().iter().find_map(|place| place.degraded.clone())
    }

    pub(crate) fn note(&self, place: Resumption) {
        self.0.lock().push(place);
    }
}

impl fmt::Debug for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Resumed").field(&self.places()).finish()
    }
}

impl fmt::Display for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {} bytes", self.reason, self.after)?;
        if let Some(by) = &self.by {
            write!(f, ", resumed by {by}")?;
        }
        self.degraded.as_ref().map_or(Ok(()), |mark| write!(f, " ({mark})"))
    }
}
