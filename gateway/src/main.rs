//! The command line of the gateway.

use std::process::ExitCode;

use clap::Parser;
use openrouter_gateway::commands::{Cli, run};

fn main() -> ExitCode {
    run(Cli::parse())
}
