//! What decides whether an answer conforms.

use super::Nonconformity;

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

/// In the extensions of a request: a layer above reads the stream to its end before any of it is shown, so it is checked like a whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferedStream;
