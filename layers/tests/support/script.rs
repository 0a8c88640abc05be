//! The steps of a script.

use std::time::Duration;

use tower_llm_layers::{Stage, TokenUsage};

use super::TestError;

/// What one attempt meets.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// An error, after this long.
    Fail(Duration, TestError),
    /// A response, after this long, with this body.
    Answer(Duration, Vec<Beat>),
    /// Nothing, ever.
    Hang,
}

/// What one read of the body meets.
#[derive(Debug, Clone)]
pub(crate) enum Beat {
    /// A frame.
    Frame(Stage),
    /// A trailer that says how many tokens were used.
    Used(u64),
    /// A frame that says what was used, and what was charged in pico-dollars.
    Charged(Stage, TokenUsage),
    /// A frame of content that takes this many bytes.
    #[cfg(feature = "cache")]
    Sized(usize),
    /// A frame of so many bytes with nothing to show.
    Held(usize),
    /// A pause before the next beat.
    Pause(Duration),
    /// An error; the end.
    Fail(TestError),
    /// Trailing headers.
    Trailers,
    /// Nothing, ever.
    Stall,
}

impl Step {
    /// Fails at once.
    pub(crate) fn fail(error: TestError) -> Self {
        Self::Fail(Duration::ZERO, error)
    }

    /// Answers at once with content and a finish.
    pub(crate) fn ok() -> Self {
        Self::body([Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)])
    }

    /// Answers at once with this body.
    pub(crate) fn body(beats: impl IntoIterator<Item = Beat>) -> Self {
        Self::Answer(Duration::ZERO, beats.into_iter().collect())
    }

    /// Answers at once, with content after this long.
    pub(crate) fn silent_for(silence: Duration) -> Self {
        Self::body([
            Beat::Pause(silence),
            Beat::Frame(Stage::Content),
            Beat::Frame(Stage::Finish),
        ])
    }
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
