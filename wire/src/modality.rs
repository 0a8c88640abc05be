//! Kinds of input and output.

use std::{fmt, str::FromStr};

/// A set of the kinds of thing a message holds or an answer may hold.
///
/// ```
/// use openrouter_wire::Modalities;
///
/// let both = Modalities::TEXT | Modalities::IMAGE;
/// assert!(both.contains(Modalities::IMAGE));
/// assert_eq!(both.to_string(), "text+image");
/// assert_eq!("text+image".parse(), Ok(both));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Modalities(u8);

const NAMES: [(Modalities, &str); 5] = [
    (Modalities::TEXT, "text"),
    (Modalities::IMAGE, "image"),
    (Modalities::AUDIO, "audio"),
    (Modalities::FILE, "file"),
    (Modalities::VIDEO, "video"),
];

impl Modalities {
    /// Text.
    pub const TEXT: Self = Self(1);
    /// Pictures.
    pub const IMAGE: Self = Self(2);
    /// Sound.
    pub const AUDIO: Self = Self(4);
    /// Files, such as PDF.
    pub const FILE: Self = Self(8);
    /// Moving pictures.
    pub const VIDEO: Self = Self(16);

    /// Adds kinds.
    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether all kinds of `other` are in here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the kinds on the wire.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .into_iter()
            .filter(move |(kind, _)| self.contains(*kind))
            .map(|(_, name)| name)
    }
}

impl std::ops::BitOr for Modalities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The kinds with these names on the wire; names that are not known are left out.
impl<S: AsRef<str>> FromIterator<S> for Modalities {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        names
            .into_iter()
            .filter_map(|name| kind(name.as_ref()))
            .fold(Self::default(), |all, kind| all | kind)
    }
}

/// The kind with this name on the wire; `None` if it is not known.
fn kind(name: &str) -> Option<Modalities> {
    NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
}

impl FromStr for Modalities {
    type Err = UnknownModality;

    /// Kinds by their names on the wire, with `+` between them.
    fn from_str(names: &str) -> Result<Self, UnknownModality> {
        names
            .split('+')
            .map(|name| kind(name).ok_or(UnknownModality))
            .try_fold(Self::default(), |all, kind| Ok(all | kind?))
    }
}

/// A text that names no kinds of input and output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownModality;

impl fmt::Display for UnknownModality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "unknown modality: expected `text`, `image`, `audio`, `file` or `video`, or several with `+` between them",
        )
    }
}

impl std::error::Error for UnknownModality {}

impl fmt::Display for Modalities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            let plus = if index == 0 { "" } else { "+" };
            write!(f, "{plus}{name}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Modalities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Modalities({self})")
    }
}
