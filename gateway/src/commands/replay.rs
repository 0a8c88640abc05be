//! `replay`: a recording against other settings.

use std::process::ExitCode;

use super::{
    cli, config,
    print::{Failed, complain, say},
};
use crate::replay::{Comparison, replay};

/// What bad arguments, a bad file or bad settings end with.
const BAD_INPUT: u8 = 2;

/// Prints the comparison. Starts a runtime of its own, whose clock is paused.
pub(super) fn run(asked: &cli::Replay) -> ExitCode {
    let compared = match compare(asked) {
        Ok(compared) => compared,
        Err(error) => {
            complain(&error);
            return ExitCode::from(BAD_INPUT);
        }
    };
    let text = if asked.json {
        format!("{:#}", compared.json(asked.changed, asked.calls))
    } else {
        compared.text(asked.changed, asked.calls)
    };
    match say(text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

fn compare(asked: &cli::Replay) -> Result<Comparison, Failed> {
    let config = config(asked.config.as_deref())?;
    replay(&asked.file, &config).map_err(Failed::new)
}
