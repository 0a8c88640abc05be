//! Why a text cannot be an idempotency key.

use std::fmt;

/// Why a text cannot be a key, and the fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadIdempotencyKey {
    /// There is nothing in it.
    Empty,
    /// It is longer than 255 bytes.
    Oversized,
    /// It has other characters than visible ASCII and spaces.
    NotVisible,
    /// A quoted one that does not end as a structured field's string does.
    Unfinished,
    /// There are several.
    Several,
}

impl fmt::Display for BadIdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty: draw a new one for each call, e.g. a UUID",
            Self::Oversized => "is longer than 255 bytes: send a shorter one, e.g. a UUID",
            Self::NotVisible => "has other characters than visible ASCII: send e.g. a UUID",
            Self::Unfinished => "begins with a quote and is no quoted text: write `\"…\"`, or leave the quotes out",
            Self::Several => "is there several times: send one",
        })
    }
}

impl std::error::Error for BadIdempotencyKey {}
