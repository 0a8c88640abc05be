//! Kinds of input and output.

use std::fmt;

/// A set of kinds of input or output.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Modalities(u8);

impl Modalities {
    /// Nothing but text.
    pub const TEXT: Self = Self(0);
    /// Images.
    pub const IMAGE: Self = Self(1);
    /// Sound.
    pub const AUDIO: Self = Self(1 << 1);
    /// Documents.
    pub const FILE: Self = Self(1 << 2);
    /// Video.
    pub const VIDEO: Self = Self(1 << 3);

    const NAMED: [(Self, &'static str); 4] = [
        (Self::IMAGE, "image"),
        (Self::AUDIO, "audio"),
        (Self::FILE, "file"),
        (Self::VIDEO, "video"),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether everything in `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether this is text alone.
    #[must_use]
    pub const fn is_text(self) -> bool {
        self.0 == 0
    }

    /// Reads a list of names as catalogues give them; unknown names and `text` add nothing.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().fold(Self::TEXT, |set, name| {
            Self::NAMED
                .iter()
                .find(|(_, known)| *known == name)
                .map_or(set, |(flag, _)| set.with(*flag))
        })
    }
}

impl fmt::Display for Modalities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")?;
        for (flag, name) in Self::NAMED {
            if self.contains(flag) {
                write!(f, "+{name}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Modalities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Modalities({self})")
    }
}
