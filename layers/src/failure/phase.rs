//! The timeouts that a call can run into.

/// Which clock ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// A streamed attempt showed no content in time.
    FirstToken,
    /// A plain (not streamed) attempt did not give its whole answer in time.
    Response,
    /// Nothing at all came for too long, after the answer had begun.
    Idle,
    /// The answer came slower than the floor of tokens per second.
    Throughput,
    /// The caller's own deadline: queueing, every attempt, and the last byte of the stream.
    Deadline,
}

impl Phase {
    /// The name used in logs and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstToken => "first_token",
            Self::Response => "response",
            Self::Idle => "idle",
            Self::Throughput => "throughput",
            Self::Deadline => "deadline",
        }
    }
}
