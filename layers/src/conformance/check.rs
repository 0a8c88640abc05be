//! What decides whether an answer conforms, and what it says if it does not.

use std::fmt;

/// Decides whether an answer is what its request asked for.
///
/// Implemented for requests `R` and frames `F` of one provider's API. Both methods run within the poll of a call: they must take time in
/// proportion to the answer, whatever the request holds.
pub trait ConformanceCheck<R, F>: Send + Sync {
    /// Whether the request asks for anything that can be checked. If not, its answer passes as it comes.
    fn applies_to(&self, request: &R) -> bool;

    /// Checks all frames of an answer.
    ///
    /// # Errors
    ///
    /// What does not fit. An answer that was refused or cut short is none of that: it is what the model had to say, and the same call
    /// would bring it again.
    fn check(&self, request: &R, frames: &[F]) -> Result<(), Nonconformity>;
}

/// Why an answer does not conform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonconformity {
    reason: String,
    text: AnswerText,
}

impl Nonconformity {
    /// With the reason, which goes to logs and messages and so quotes nothing of the answer, and the answer's text, which the caller paid for.
    pub fn new(reason: impl Into<String>, text: impl Into<Box<str>>) -> Self {
        Self {
            reason: reason.into(),
            text: AnswerText(text.into()),
        }
    }

    /// What does not fit, and where.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The text of the answer.
    #[must_use]
    pub const fn text(&self) -> &AnswerText {
        &self.text
    }

    /// The reason and the text.
    #[must_use]
    pub fn into_parts(self) -> (String, AnswerText) {
        (self.reason, self.text)
    }
}

/// The text of an answer that failed. `Debug` prints its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct AnswerText(Box<str>);

impl AnswerText {
    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AnswerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

/// In the extensions of a request: a layer above reads the stream to its end before any of it is shown, so it is checked like a whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unshown;
