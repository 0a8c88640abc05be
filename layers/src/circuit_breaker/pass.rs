//! How an attempt was admitted by a circuit.

/// How an attempt was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// As the attempt of this number.
    Closed(u64),
    /// In the half-open state of this era.
    Probe(u64),
    /// No other candidate is left.
    LastResort,
}

impl Pass {
    /// Whether it counts for a half-open state of this era.
    pub(super) const fn is_of(self, era: u64) -> bool {
        match self {
            Self::Closed(_) => false,
            Self::Probe(own) => own == era,
            Self::LastResort => true,
        }
    }
}
