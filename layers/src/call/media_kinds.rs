//! Kinds of input and output beside text.

use std::fmt;

/// A set of kinds of input or output beside text, which every model takes and gives. Empty by default.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct MediaKinds(u8);

impl MediaKinds {
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

    /// Whether the set has no kind: text alone.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Reads a list of names as catalogues give them; unknown names and `text` add nothing.
impl<'a> FromIterator<&'a str> for MediaKinds {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        names.into_iter().fold(Self::default(), |set, name| {
            Self::NAMED
                .iter()
                .find(|(_, known)| *known == name)
                .map_or(set, |(flag, _)| set.with(*flag))
        })
    }
}

impl fmt::Display for MediaKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let mut plus = "";
        for (flag, name) in Self::NAMED {
            if self.contains(flag) {
                write!(f, "{plus}{name}")?;
                plus = "+";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for MediaKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaKinds({self})")
    }
}
