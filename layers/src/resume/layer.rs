use std::fmt;

use tower_layer::Layer;

use super::Resume;

/// Goes on where a stream broke off. See the [module](super).
#[derive(Debug, Clone, Copy)]
pub struct ResumeLayer {
    times: u32,
}

impl ResumeLayer {
    /// Goes on up to twice a call: an answer that broke off three times is not worth a fourth bill.
    #[must_use]
    pub const fn new() -> Self {
        Self { times: 2 }
    }

    /// Never goes on: what breaks off ends with its error. For a slot that stays empty.
    #[must_use]
    pub const fn off() -> Self {
        Self { times: 0 }
    }

    /// How often one answer may be gone on with.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

impl Default for ResumeLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for ResumeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.times {
            0 => f.write_str("off"),
            1 => f.write_str("goes on once where a stream breaks off"),
            times => write!(f, "goes on up to {times} times where a stream breaks off"),
        }
    }
}

impl<S> Layer<S> for ResumeLayer {
    type Service = Resume<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Resume {
            inner,
            times: self.times,
        }
    }
}
