//! What is wrong with JSON text, and where; never what it says.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU64};

/// JSON text that could not be read.
///
/// Names the place and the kind of thing found there. The text itself is a prompt or an answer, and is not repeated.
///
/// One word, and one word in a `Result`: reading is a matter of nanoseconds, and passing failures around must not be most of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct JsonError(NonZeroU64);

/// The place is kept in the bits above the two kinds: 48 of them, which is more text than there is.
const PLACE: u32 = 16;

impl JsonError {
    pub(super) fn new(at: usize, expected: Expected, found: Found) -> Self {
        let at = u64::try_from(at).unwrap_or(u64::MAX).min(u64::MAX >> PLACE);
        let kinds = NonZeroU64::from(expected.number()) | (u64::from(found.number()) << 8);
        Self(kinds | (at << PLACE))
    }

    /// The offset in bytes from the start of the text.
    #[must_use]
    pub fn at(&self) -> usize {
        usize::try_from(self.0.get() >> PLACE).unwrap_or(usize::MAX)
    }

    /// What stood there.
    #[must_use]
    pub fn found(&self) -> Found {
        let [_, found, ..] = self.0.get().to_le_bytes();
        Found::ALL
            .into_iter()
            .find(|kind| kind.number() == found)
            .unwrap_or(Found::Other)
    }

    fn expected(self) -> Expected {
        let [expected, ..] = self.0.get().to_le_bytes();
        Expected::ALL
            .into_iter()
            .find(|kind| kind.number().get() == expected)
            .unwrap_or(Expected::Value)
    }

    /// Whether the text simply stopped: it may be the first part of something whole.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.found() == Found::End
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, expected, found) = (self.at(), self.expected(), self.found());
        match expected {
            Expected::Utf8 => write!(f, "the text is not UTF-8 at byte {at}"),
            Expected::Shallower => write!(
                f,
                "the JSON is nested too deeply at byte {at}: {} levels are read",
                super::MAX_DEPTH
            ),
            Expected::Fewer => write!(
                f,
                "the JSON object has more than {} members at byte {at}",
                super::MAX_MEMBERS
            ),
            _ => write!(f, "not JSON at byte {at}: expected {}, found {found}", expected.name()),
        }
    }
}

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonError({self})")
    }
}

impl std::error::Error for JsonError {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Value,
    Object,
    String,
    Key,
    Colon,
    CommaOrBrace,
    CommaOrBracket,
    Quote,
    Escape,
    Digit,
    End,
    Shallower,
    Fewer,
    Utf8,
}

impl Expected {
    const ALL: [Self; 14] = [
        Self::Value,
        Self::Object,
        Self::String,
        Self::Key,
        Self::Colon,
        Self::CommaOrBrace,
        Self::CommaOrBracket,
        Self::Quote,
        Self::Escape,
        Self::Digit,
        Self::End,
        Self::Shallower,
        Self::Fewer,
        Self::Utf8,
    ];

    fn number(self) -> NonZeroU8 {
        NonZeroU8::MIN.saturating_add(self as u8)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Value => "a value",
            Self::Object => "an object",
            Self::String => "a string",
            Self::Key => "a key in quotes",
            Self::Colon => "a colon",
            Self::CommaOrBrace => "a comma or a closing brace",
            Self::CommaOrBracket => "a comma or a closing bracket",
            Self::Quote => "the rest of a string",
            Self::Escape => "a known escape",
            Self::Digit => "a digit",
            Self::End => "the end",
            Self::Shallower => "less nesting",
            Self::Fewer => "fewer members",
            Self::Utf8 => "UTF-8",
        }
    }
}

/// The kind of a value in JSON text, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Found {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
    /// A comma, a colon or a closing mark.
    Punctuation,
    /// A byte that begins nothing in JSON.
    Other,
    /// The end of the text.
    End,
}

impl Found {
    const ALL: [Self; 9] = [
        Self::Null,
        Self::Bool,
        Self::Number,
        Self::String,
        Self::Array,
        Self::Object,
        Self::Punctuation,
        Self::Other,
        Self::End,
    ];

    fn number(self) -> u8 {
        self as u8
    }

    /// The kind of value that begins with this byte; `None` is the end of the text.
    #[must_use]
    pub fn from_byte(byte: Option<u8>) -> Self {
        match byte {
            None => Self::End,
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Bool,
            Some(b'-' | b'0'..=b'9') => Self::Number,
            Some(b'"') => Self::String,
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            Some(b',' | b':' | b']' | b'}') => Self::Punctuation,
            Some(_) => Self::Other,
        }
    }

    pub(super) fn is_value(self) -> bool {
        !matches!(self, Self::Punctuation | Self::Other | Self::End)
    }

    /// In words, with its article.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
            Self::Punctuation => "a punctuation mark",
            Self::Other => "a stray byte",
            Self::End => "the end of the text",
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
