//! Why an answer is not what its request asked for.

use std::fmt;

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
