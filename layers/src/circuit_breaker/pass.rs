/// How an attempt was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// As the attempt of this number.
    Closed(u64),
    /// In the half-open state of this era.
    Probe(u64),
    /// Nobody else is left to ask.
    LastResort,
}

impl Pass {
    /// Whether a half-open state of this era is to be judged by it.
    pub(super) const fn is_of(self, era: u64) -> bool {
        match self {
            Self::Closed(_) => false,
            Self::Probe(own) => own == era,
            Self::LastResort => true,
        }
    }
}
