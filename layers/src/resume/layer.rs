//! The layer that resumes an interrupted stream.

use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::Resume;

/// Resumes an interrupted stream. See the [module](super). Clones of a service share what it has learned of candidates.
#[derive(Debug, Clone, Copy)]
pub struct ResumeLayer {
    times: u32,
}

impl ResumeLayer {
    /// Resumes up to twice per call: an answer that was interrupted three times is not worth a fourth bill.
    #[must_use]
    pub const fn new() -> Self {
        Self { times: 2 }
    }

    /// Never resumes: an interrupted stream ends with its error. For a slot that stays empty.
    #[must_use]
    pub const fn off() -> Self {
        Self { times: 0 }
    }

    /// How often one answer may be resumed; 2 by default.
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
            1 => f.write_str("resumes an interrupted stream once"),
            times => write!(f, "resumes an interrupted stream up to {times} times"),
        }
    }
}

impl<S> Layer<S> for ResumeLayer {
    type Service = Resume<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Resume {
            inner,
            times: self.times,
            learned: Arc::default(),
        }
    }
}
