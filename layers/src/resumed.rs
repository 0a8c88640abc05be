//! The mark of an answer that broke off and was gone on with.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use crate::{Candidate, FailureKind, attempts::lock};

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
}

impl Resumed {
    /// The places so far, in order. None where the answer is of one piece.
    #[must_use]
    pub fn places(&self) -> Vec<Resumption> {
        lock(&self.0).clone()
    }

    #[cfg(feature = "resume")]
    pub(crate) fn note(&self, place: Resumption) {
        lock(&self.0).push(place);
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
        self.by.as_ref().map_or(Ok(()), |by| write!(f, ", went on with {by}"))
    }
}
