//! Why there is no value: what came, and where it did not fit.

use std::fmt;

use super::SchemaError;
use crate::{Completion, Error, FailureKind};

/// Why a call for a typed answer gave no value. If an answer came, it is kept: it was paid for.
///
/// Neither `Display` nor `Debug` prints the answer.
#[non_exhaustive]
pub enum TypedError {
    /// The type's schema cannot be expressed; nothing was sent.
    Schema(SchemaError),
    /// There is no answer.
    Call(Error),
    /// The model refused, or a filter stopped it.
    Refused(Box<Completion>),
    /// The answer was cut short at its limit of tokens: ask for more.
    CutShort(Box<Completion>),
    /// The answer is not of the type.
    Mismatch(Box<(Mismatch, Completion)>),
}

/// The place at which a text does not fit a type.
pub struct Mismatch {
    path: String,
    cause: serde_json::Error,
}

impl Mismatch {
    pub(super) const fn new(path: String, cause: serde_json::Error) -> Self {
        Self { path, cause }
    }

    /// The place in the value, such as `days[0].high`; `.` is the whole.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The line of the text, from 1; 0 if it is not known.
    #[must_use]
    pub fn line(&self) -> usize {
        self.cause.line()
    }

    /// The column of the text; 0 if it is not known.
    #[must_use]
    pub fn column(&self) -> usize {
        self.cause.column()
    }

    /// What came, and what was expected: its words may quote the answer.
    #[must_use]
    pub const fn cause(&self) -> &serde_json::Error {
        &self.cause
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.cause.classify() {
            serde_json::error::Category::Data => "does not fit the type",
            serde_json::error::Category::Eof => "ends too early",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => "is not JSON",
        };
        write!(f, "the text {what} at `{}`", self.path)?;
        if self.line() > 0 {
            write!(f, " (line {}, column {})", self.line(), self.column())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mismatch({self})")
    }
}

impl std::error::Error for Mismatch {}

impl TypedError {
    /// The answer that came, with what was tried.
    #[must_use]
    pub fn completion(&self) -> Option<&Completion> {
        match self {
            Self::Schema(_) | Self::Call(_) => None,
            Self::Refused(completion) | Self::CutShort(completion) => Some(completion),
            Self::Mismatch(both) => Some(&both.1),
        }
    }

    /// The text that came: of the answer, or what an interrupted or rejected one left behind.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Call(error) => error.partial_text(),
            _ => self.completion()?.response.text(),
        }
    }

    /// What went wrong, as far as policy cares.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Schema(_) => FailureKind::BadRequest,
            Self::Call(error) => error.kind(),
            Self::Refused(_) => FailureKind::ContentFiltered,
            Self::CutShort(_) => FailureKind::Truncated,
            Self::Mismatch(_) => FailureKind::Nonconformant,
        }
    }
}

impl fmt::Display for TypedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema(error) => error.fmt(f),
            Self::Call(error) => error.fmt(f),
            Self::Refused(_) => f.write_str("the model refused to answer"),
            Self::CutShort(_) => {
                f.write_str("the answer was cut short at its limit of tokens: ask for more `max_tokens`")
            }
            Self::Mismatch(both) => write!(f, "the answer is not of the requested type: {}", both.0),
        }
    }
}

impl fmt::Debug for TypedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => fmt::Debug::fmt(error, f),
            _ => write!(f, "{self}"),
        }
    }
}

impl std::error::Error for TypedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Call(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl From<SchemaError> for TypedError {
    fn from(error: SchemaError) -> Self {
        Self::Schema(error)
    }
}

impl From<Error> for TypedError {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

/// With the kind, the text and what was tried.
impl From<TypedError> for Error {
    fn from(error: TypedError) -> Self {
        let (kind, message) = (error.kind(), error.to_string());
        if let TypedError::Call(error) = error {
            return error;
        }
        let text = error.text().unwrap_or_default();
        let attempts = error.completion().and_then(|completion| completion.attempts.as_ref());
        Self::new(kind, message).after_text(text).after_attempts(attempts)
    }
}
