//! The simulator as a program.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program speaks to whoever started it"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use openrouter_simulator::{Script, Simulator};

const HELP: &str = "\
openrouter-simulator: speaks OpenRouter's wire, and fails on command

  --port N        where to listen on 127.0.0.1; 8787 by default, 0 for a free port
  --script FILE   plans by model, in JSON: {\"models\": {\"openai/gpt-5\": [\"503\", \"ok\"]}}
  --seed N        the seed of every choice; 1 by default
  --help          this text

A fault is chosen by the model's name (`sim/503`), by the request header `x-sim-fault: 503`, or by the script.
What it saw: GET /__sim/attempts, /__sim/bill, /__sim/connections.
";

struct Arguments {
    port: u16,
    script: Option<Script>,
    seed: Option<u64>,
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut read = Arguments {
        port: 8787,
        script: None,
        seed: None,
    };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        if name == "--help" || name == "-h" {
            return Ok(None);
        }
        let value = given
            .next()
            .ok_or_else(|| format!("`{name}` wants a value; see --help"))?;
        match name.as_str() {
            "--port" => {
                read.port = value.parse().map_err(|_| format!("`{value}` is no port: 0 to 65535"))?;
            }
            "--seed" => {
                read.seed = Some(
                    value
                        .parse()
                        .map_err(|_| format!("`{value}` is no seed: a whole number"))?,
                );
            }
            "--script" => {
                let text = std::fs::read_to_string(&value).map_err(|error| format!("{value}: {error}"))?;
                read.script = Some(serde_json::from_str(&text).map_err(|error| format!("{value}: {error}"))?);
            }
            _ => return Err(format!("`{name}` is not known; see --help")),
        }
    }
    Ok(Some(read))
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("openrouter-simulator: {problem}");
            return ExitCode::from(2);
        }
    };
    let mut builder = Simulator::builder().bind(SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port)));
    if let Some(script) = arguments.script {
        builder = builder.script(script);
    }
    if let Some(seed) = arguments.seed {
        builder = builder.seed(seed);
    }
    let simulator = match builder.start().await {
        Ok(simulator) => simulator,
        Err(error) => {
            eprintln!(
                "openrouter-simulator: cannot listen on port {}: {error}",
                arguments.port
            );
            return ExitCode::FAILURE;
        }
    };
    println!("OPENROUTER_BASE_URL={}", simulator.base_url());
    println!("OPENROUTER_API_KEY=sk-or-v1-anything");
    println!(
        "faults: ask for the model `sim/503`, `sim/hang`, `sim/cut@5`, …; the README has the table. Ctrl-C stops."
    );
    match tokio::signal::ctrl_c().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("openrouter-simulator: cannot listen for Ctrl-C: {error}");
            ExitCode::FAILURE
        }
    }
}
