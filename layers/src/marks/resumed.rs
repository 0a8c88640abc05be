//! The mark of an answer that broke off and was gone on with.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{Candidate, Degraded, FailureKind};

/// In the extensions of a streamed response: where the answer broke off, and who went on. More may be written down until the stream has
/// ended. Clones share it.
#[derive(Clone, Default)]
pub struct Resumed(Arc<Mutex<Vec<Resumption>>>);

/// One place where an answer broke off and somebody went on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resumption {
    /// How many bytes of text had been shown.
    pub after: usize,
    /// Why it broke off.
    pub reason: FailureKind,
    /// Who went on; `None` without a chain.
    pub by: Option<Candidate>,
    /// The mark of what came from there on, where it is not quite what was asked for: a cheaper model, say.
    pub degraded: Option<Degraded>,
}

impl Resumed {
    /// The places so far, in order. None where the answer is of one piece.
    #[must_use]
    pub fn places(&self) -> Vec<Resumption> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The places after the first so many: what is new since the last look.
    #[must_use]
    pub fn places_after(&self, known: usize) -> Vec<Resumption> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(known..)
            .map(<[_]>::to_vec)
            .unwrap_or_default()
    }

    /// The first mark of a part that is not quite what was asked for; `None` so far where there is none.
    #[must_use]
    pub fn degraded(&self) -> Option<Degraded> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .find_map(|place| place.degraded.clone())
    }

    #[cfg(feature = "resume")]
    pub(crate) fn note(&self, place: Resumption) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(place);
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
            write!(f, ", went on with {by}")?;
        }
        self.degraded.as_ref().map_or(Ok(()), |mark| write!(f, " ({mark})"))
    }
}
