//! Codes of errors.

use std::fmt;

use serde_json::Value;

/// The code of an error: a number, which is the HTTP status, or a word.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// A number, however it was written.
    Number(i64),
    /// A word.
    Text(String),
}

impl ErrorCode {
    /// The HTTP status, if it is one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Number(number) => u16::try_from(*number)
                .ok()
                .filter(|status| (100..1000).contains(status)),
            Self::Text(_) => None,
        }
    }

    pub(super) fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => whole(number).map(Self::Number),
            Value::String(text) => {
                let text = text.trim();
                match text.parse() {
                    Ok(number) => Some(Self::Number(number)),
                    Err(_) if text.is_empty() => None,
                    Err(_) => Some(Self::Text(text.to_owned())),
                }
            }
            _ => None,
        }
    }
}

/// A whole number, also if it is written with a point.
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        number
            .to_string()
            .strip_suffix(".0")
            .and_then(|digits| digits.parse().ok())
    })
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}
