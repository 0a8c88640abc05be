//! The command line of the gateway.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use openrouter_gateway::commands::{Cli, run};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    run(Cli::parse())
}
