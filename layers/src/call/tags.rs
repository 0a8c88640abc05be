//! What a call is accounted under: user, team, feature, anything.

use std::{fmt, sync::Arc};

/// The most tags of a call.
pub const MAX_TAGS: usize = 16;
/// The longest name of a tag, in bytes.
pub const MAX_TAG_NAME_BYTES: usize = 64;
/// The longest value of a tag, in bytes.
pub const MAX_TAG_VALUE_BYTES: usize = 256;

/// Names and values that a call is accounted under, such as `team` = `search`. Sorted by name, cheap to clone.
///
/// ```
/// use tower_llm_layers::Tags;
///
/// let tags = Tags::new([("team", "search"), ("feature", "autocomplete")])?;
/// assert_eq!(tags.get("team"), Some("search"));
/// assert_eq!(tags.to_string(), "feature=autocomplete team=search");
/// # Ok::<(), tower_llm_layers::TagError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Tags(Option<Arc<[Tag]>>);

type Tag = (Box<str>, Box<str>);

/// Why tags cannot be had. Names the tag, what is wrong with it, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TagError {
    /// A name is blank, or holds something else than letters, digits, `_`, `-`, `.`, `/` and `:`.
    Name {
        /// It, cut to the longest length.
        name: String,
    },
    /// A name or a value is too long.
    Long {
        /// The tag, cut to the longest length.
        name: String,
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        most: usize,
    },
    /// A value holds a control character.
    Value {
        /// Of this tag.
        name: String,
    },
    /// There are too many.
    Many {
        /// How many.
        count: usize,
    },
}

impl Tags {
    /// These tags. Of two with one name the later counts.
    ///
    /// # Errors
    ///
    /// [`TagError`] if a name or a value is not one, or there are over [`MAX_TAGS`].
    pub fn new<N: AsRef<str>, V: AsRef<str>>(tags: impl IntoIterator<Item = (N, V)>) -> Result<Self, TagError> {
        let mut all: Vec<Tag> = Vec::new();
        for (name, value) in tags {
            let (name, value) = (name.as_ref(), value.as_ref());
            check(name, value)?;
            match all.binary_search_by(|(known, _)| known.as_ref().cmp(name)) {
                Ok(place) => {
                    if let Some(known) = all.get_mut(place) {
                        known.1 = value.into();
                    }
                }
                Err(place) => all.insert(place, (name.into(), value.into())),
            }
        }
        if all.len() > MAX_TAGS {
            return Err(TagError::Many { count: all.len() });
        }
        Ok(Self((!all.is_empty()).then(|| all.into())))
    }

    /// The same with one more, or with another value of it.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with(&self, name: &str, value: &str) -> Result<Self, TagError> {
        Self::new(self.iter().chain([(name, value)]))
    }

    /// The value under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .flat_map(|tags| tags.iter())
            .map(|(name, value)| (&**name, &**value))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

fn check(name: &str, value: &str) -> Result<(), TagError> {
    let cut = || name.chars().take(MAX_TAG_NAME_BYTES).collect::<String>();
    for (text, most) in [(name, MAX_TAG_NAME_BYTES), (value, MAX_TAG_VALUE_BYTES)] {
        if text.len() > most {
            let (name, bytes) = (cut(), text.len());
            return Err(TagError::Long { name, bytes, most });
        }
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(TagError::Name { name: cut() });
    }
    if value.chars().any(char::is_control) {
        return Err(TagError::Value { name: cut() });
    }
    Ok(())
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{name}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Display for TagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => {
                write!(f, "invalid tag name {name:?}: use letters, digits and `_-./:`")
            }
            Self::Long { name, bytes, most } => {
                write!(f, "the tag {name:?} has a part of {bytes} bytes: keep it within {most}")
            }
            Self::Value { name } => write!(
                f,
                "the value of the tag {name:?} holds a control character: leave it out"
            ),
            Self::Many { count } => write!(f, "{count} tags are too many: keep to {MAX_TAGS}"),
        }
    }
}

impl std::error::Error for TagError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_two_with_one_name_counts() {
        let tags = Tags::new([("b", "1"), ("a", "2"), ("b", "3")]).unwrap();
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
        assert_eq!(tags.with("a", "4").unwrap().get("a"), Some("4"));
        assert!(Tags::new::<&str, &str>([]).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_tag_is_named() {
        let long = "x".repeat(300);
        let error = |name: &str, value: &str| Tags::new([(name, value)]).unwrap_err().to_string();
        assert!(error("", "1").contains("letters"));
        assert!(error("a b", "1").contains("a b"));
        assert!(error(&long, "1").contains("within 64"));
        assert!(error("team", &long).contains("\"team\" has a part of 300 bytes: keep it within 256"));
        assert!(error("team", "a\nb").contains("control"));
        let many = Tags::new((0..17).map(|n| (format!("t{n}"), "x")));
        assert!(many.unwrap_err().to_string().contains("keep to 16"));
    }
}
