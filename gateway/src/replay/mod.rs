//! `replay`: what a recording's calls would have met under other settings, beside what they met.

mod compare;
mod figures;
mod json;
mod set_aside;
mod text;

use std::{fmt, path::Path};

use tower_openrouter::{
    Stack,
    recording::{Recording, Replay},
    stack::StackBuilder,
};

pub use self::compare::{Changed, Comparison};
pub use self::figures::Figures;
use crate::settings::Config;

/// Why there is no replay.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayError {
    /// The file is no recording: which line, and why.
    Recording(String),
    /// The settings make no stack.
    Settings(String),
    /// No runtime could be started.
    Runtime(std::io::Error),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recording(problem) | Self::Settings(problem) => f.write_str(problem),
            Self::Runtime(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Replays a recording against these settings, in virtual time, on a runtime of its own: not to be called from within one.
///
/// # Errors
///
/// If the file is no recording, or the settings make no stack.
pub fn replay(file: &Path, config: &Config) -> Result<Comparison, ReplayError> {
    let named = |problem: &dyn fmt::Display| format!("{}: {problem}", file.display());
    let recording = Recording::from_file(file).map_err(|error| ReplayError::Recording(named(&error)))?;
    let mut settings = config.stack.clone();
    let set_aside = set_aside::set_aside(&mut settings);
    // It reports everything that is wrong, with line and column.
    Stack::from_settings(&settings).map_err(|error| ReplayError::Settings(error.to_string()))?;
    let builder = StackBuilder::from_settings(&settings).map_err(|error| ReplayError::Settings(error.to_string()))?;
    let replay = Replay::new(recording.clone(), builder).map_err(|error| ReplayError::Settings(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(ReplayError::Runtime)?;
    let replayed = runtime.block_on(replay.run());
    Ok(Comparison::new(recording, replayed, config.file.clone(), set_aside))
}
