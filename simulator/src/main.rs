//! The binary: a simulator on a port, until Ctrl-C.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use openrouter_simulator::{Builder, Fault, Script, Simulator};

const USAGE: &str = "openrouter-simulator - a real HTTP server that speaks OpenRouter's wire and fails on command

Usage: openrouter-simulator [--port N] [--script FILE] [--seed N]

  --port N       listens on 127.0.0.1:N (default 8787; 0 takes a free one)
  --script FILE  plans and settings, in JSON
  --seed N       the seed of every choice (default 1)
  --help         this text
";

/// What the command line says.
enum Command {
    Help,
    Run {
        port: u16,
        script: Option<String>,
        seed: Option<u64>,
    },
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|command| run(command).map_err(|wrong| wrong.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            // If stderr is closed too, only the exit code reports it.
            drop(writeln!(io::stderr(), "openrouter-simulator: {wrong}"));
            ExitCode::from(2)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let (mut port, mut script, mut seed) = (8787, None, None);
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        if matches!(name.as_str(), "--help" | "-h") {
            return Ok(Command::Help);
        }
        if !matches!(name.as_str(), "--port" | "--script" | "--seed") {
            return Err(format!("no such option: {name} (see --help)"));
        }
        let value = value
            .or_else(|| arguments.next())
            .ok_or_else(|| format!("{name} requires a value"))?;
        match name.as_str() {
            "--port" => port = value.parse().map_err(|_| format!("no port: {value}"))?,
            "--seed" => seed = Some(value.parse().map_err(|_| format!("no number: {value}"))?),
            _ => script = Some(value),
        }
    }
    Ok(Command::Run { port, script, seed })
}

fn run(command: Command) -> io::Result<()> {
    let mut out = io::stdout();
    let Command::Run { port, script, seed } = command else {
        write!(out, "{USAGE}\n{}", faults())?;
        return Ok(());
    };
    let mut builder = Simulator::builder()
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .keep_attempts(10_000);
    if let Some(path) = script {
        let text = std::fs::read(&path).map_err(|wrong| io::Error::new(wrong.kind(), format!("{path}: {wrong}")))?;
        let script: Script =
            serde_json::from_slice(&text).map_err(|wrong| io::Error::other(format!("{path}: {wrong}")))?;
        builder = builder.script(script);
    }
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(builder))
}

async fn serve(builder: Builder) -> io::Result<()> {
    let simulator = builder.start().await?;
    let base = simulator.base_url();
    let root = base.trim_end_matches("/api/v1");
    let text = format!(
        "listening at {base}  (also {root}/v1)\n\n\
         point a client at it:\n\
         \x20 export OPENAI_BASE_URL={base} OPENAI_API_KEY=sk-or-v1-demo\n\
         \x20 curl -N {base}/chat/completions -H 'authorization: Bearer sk-or-v1-demo' \\\n\
         \x20   -d '{{\"model\":\"sim/delay=50ms;words=20\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}'\n\n\
         what it saw: {root}/__sim/attempts  {root}/__sim/bill  {root}/__sim/connections\n\n{}\nCtrl-C stops it.\n",
        faults()
    );
    io::stdout().write_all(text.as_bytes())?;
    tokio::signal::ctrl_c().await?;
    let seen = simulator.report();
    writeln!(
        io::stdout(),
        "\n{} requests, {} USD billed",
        seen.attempts.len(),
        seen.billed
    )
}

fn faults() -> String {
    let mut text = "Faults, as model `sim/<fault>`, header `x-sim-fault: <fault>`, or in a script.\n\
                    A plan: steps joined by `,`, each `[Nx][P%]clause{;clause}`, e.g. 2x503,20%reset;slow-headers=1s\n\n"
        .to_owned();
    for (example, meaning) in Fault::table() {
        text.push_str(&format!("  {example:<24} {meaning}\n"));
    }
    text
}
