//! The commands: what the command line says, and what each does.

mod check;
mod cli;
mod demo;
#[cfg(feature = "otlp")]
mod exporter;
mod key_list;
mod key_rules;
mod keys;
mod lines;
mod log;
mod print;
mod replay;
mod serve;
mod spend;
mod stop;
#[cfg(feature = "otlp")]
mod telemetry;
#[cfg(not(feature = "otlp"))]
#[path = "no_telemetry.rs"]
mod telemetry;

use std::{path::Path, process::ExitCode};

pub use cli::Cli;
use cli::Command;
use print::{Failed, complain};
pub use serve::{Running, start};

use crate::settings::Config;

/// The settings file that is used if there is one and none is named.
const DEFAULT_FILE: &str = "gateway.toml";

/// Runs a command.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let command = match cli.command {
        // Its time is virtual.
        Command::Replay(replay) => return replay::run(&replay),
        command => command,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error),
    };
    let done = runtime.block_on(async {
        match command {
            Command::Serve(serve) => Box::pin(serve::run(serve)).await,
            Command::Check(check) => check::run(&check),
            Command::Keys(keys) => keys::run(keys).await,
            Command::Spend(spend) => spend::run(spend).await,
            // Run before.
            Command::Replay(_) => Ok(()),
        }
    });
    // What blocks, such as a read of a terminal, does not hold up the end.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

/// The settings of this file; without one those of `gateway.toml` in the working directory, or of the environment.
fn config(file: Option<&Path>) -> Result<Config, Failed> {
    match found(file) {
        Some(path) => Config::from_file(path).map_err(Failed::new),
        None => Config::from_environment().map_err(Failed::new),
    }
}

/// The same for a command that needs the storage alone: the key of an upstream is not needed.
fn storage_config(file: Option<&Path>) -> Result<Config, Failed> {
    match found(file) {
        Some(path) => Config::from_file(path).map_err(Failed::new),
        None => Config::of_storage().map_err(Failed::new),
    }
}

fn found(file: Option<&Path>) -> Option<&Path> {
    file.or_else(|| Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists()))
}
