//! What is wrong with JSON text, and where; never what it says.

use std::fmt;

/// JSON text that could not be read.
///
/// Names the place and the kind of thing found there. The text itself is a prompt or an answer, and is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    at: usize,
    expected: Expected,
    found: Found,
}

impl JsonError {
    pub(super) fn new(at: usize, expected: Expected, found: Found) -> Self {
        Self {
            at,
            expected,
            found,
        }
    }

    /// The offset in bytes from the start of the text.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// What stood there.
    #[must_use]
    pub fn found(&self) -> Found {
        self.found
    }

    /// Whether the text simply stopped: it may be the first part of something whole.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.found == Found::End
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            expected,
            found,
        } = self;
        match expected {
            Expected::Utf8 => write!(f, "the text is not UTF-8 at byte {at}"),
            Expected::Shallower => write!(
                f,
                "the JSON is nested too deeply at byte {at}: {} levels are read",
                super::MAX_DEPTH
            ),
            _ => write!(
                f,
                "not JSON at byte {at}: expected {}, found {found}",
                expected.name()
            ),
        }
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
    Utf8,
}

impl Expected {
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
            Self::Utf8 => "UTF-8",
        }
    }
}

/// The kind of thing that stands at a place in JSON text, told by its first byte.
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
    pub(crate) fn from_byte(byte: Option<u8>) -> Self {
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
