//! Fault recordings: how upstreams behaved, without any content, and how other settings would have fared.
//!
//! A [`Recorder`] writes one line of JSON for each call that a stack sends upstream: when it came, its API, models, size and limits, and of
//! each attempt when it began, how long the head and each piece of the answer took, and how it ended. It writes no content, no key, and no
//! tag. A [`Replay`] lets the same calls come again in front of another stack, over upstreams that behave as recorded.
//!
//! ```no_run
//! use tower_openrouter::{ApiKey, Stack, recording::Recorder};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let recorder = Recorder::builder("faults.jsonl").open()?;
//! let builder = Stack::openrouter(ApiKey::new("sk-or-v1-0")?).chain(["openai/gpt-5"]);
//! let stack = recorder.attach(builder).build()?;
//! // … calls …
//! recorder.close(std::time::Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Replay
//!
//! Under tokio's paused clock waiting takes no time, and the same recording gives the same result each time. [`Replay`] lists what is
//! assumed for attempts that were not made in the recorded run.
//!
//! # The file
//!
//! JSON lines. A header with the version begins the file and each later run that appends to it. Calls are written when they end, so their
//! lines are not in the order of their beginnings; a call in progress when the process is killed is missing. What could not be written is
//! counted in a line of its own.

mod attempt;
mod call;
mod chunks;
mod names;
mod queue;
mod read;
mod record;
mod recorder;
mod replay;
mod sink;
mod writer;

pub use self::{
    call::{RecordBody, RecordFuture, RecordLayer, RecordService},
    read::{Recording, RecordingError, Unreadable},
    record::{
        AttemptEnd, Chunk, ChunkStage, LimitLeft, Reach, RecordedAttempt, RecordedCall, RecordedOutcome, RecordedTokens,
    },
    recorder::{DEFAULT_MAX_BYTES, MIN_MAX_BYTES, Recorder, RecorderBuilder},
    replay::{ModelLoad, Replay, ReplayReport, ReplayedCall},
};
