//! What a frame is, a bit each.

/// Small, since a frame is moved by each layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flags(pub(super) u8);

impl Flags {
    pub(super) const NONE: Self = Self(0);
    /// It carries usage.
    pub(super) const HAS_USAGE: Self = Self(1);
    /// The answer ends with it, and ends well.
    pub(super) const ENDS_WELL: Self = Self(2);
    /// It repeats what was shown before it: a chunk with the message so far.
    pub(super) const IS_SNAPSHOT: Self = Self(4);

    /// Its id holds the key that was sent.
    pub(super) const HIDES_ID: Self = Self(8);
    /// Its model does.
    pub(super) const HIDES_MODEL: Self = Self(16);
    /// Its provider does.
    pub(super) const HIDES_PROVIDER: Self = Self(32);
    /// Its reason to finish does.
    pub(super) const HIDES_FINISH: Self = Self(64);
    /// What its router tried by itself does.
    pub(super) const HIDES_ROUTED: Self = Self(128);
    /// All that hide something.
    const HIDES: Self = Self(8 | 16 | 32 | 64 | 128);

    /// Those of them that hide something.
    pub(super) const fn of_names(self) -> Self {
        Self(self.0 & Self::HIDES.0)
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    pub(super) const fn with(self, flag: Self, is_set: bool) -> Self {
        Self(if is_set { self.0 | flag.0 } else { self.0 & !flag.0 })
    }
}
