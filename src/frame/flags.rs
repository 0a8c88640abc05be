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

    pub(super) const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    pub(super) const fn with(self, flag: Self, is_set: bool) -> Self {
        Self(if is_set { self.0 | flag.0 } else { self.0 & !flag.0 })
    }
}
