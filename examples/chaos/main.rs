//! A minute of bad weather: the bare transport and the whole stack side by side, the same calls at the same times.
//!
//! ```sh
//! cargo run --release --example chaos
//! ```
//!
//! One attempt in five fails, first tokens have a heavy tail, the first model is down for ten seconds, and later all of them are for
//! fifteen. Time is virtual: the minute takes a few seconds. At the end there is a table, and a picture in `target/chaos.svg`.
#![expect(clippy::print_stdout, reason = "an example speaks to whoever runs it")]

mod picture;
mod side;
mod storm;
#[path = "../support/mod.rs"]
mod support;
mod tally;

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use openrouter_simulator::Simulator;
use tokio::{
    task::LocalSet,
    time::{Instant, sleep},
};
use tower::Layer;
use tower_openrouter::{
    ApiKey, ChatServiceExt, Stack, Transport, Upstream,
    layers::{auth::AuthLayer, fallback::Hedge, resume::ResumeLayer},
    transport::{Dialect, OPENROUTER},
};

use crate::{
    side::{PATIENCE, Side},
    storm::{FIRST, SECOND, SECONDS, THIRD},
    support::Fallible,
    tally::Tally,
};

/// How long after an outage of all it takes to know that it is over.
const SETTLED: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Fallible {
    if std::env::args().len() > 1 {
        println!("usage: cargo run --release --example chaos\n\nThe storm is always the same; it takes no arguments.");
        return Ok(());
    }
    let sides = [bare().await?, stacked().await?];
    println!(
        "{SECONDS} s of storm, {} calls a second to each side\n",
        storm::CALLS_A_SECOND
    );
    let begun = Instant::now();
    let lines = Lines::new(&sides)?;
    let run = async {
        let watch = async {
            loop {
                lines.show(&sides, begun.elapsed());
                sleep(Duration::from_millis(500)).await;
            }
        };
        let storm = async { tokio::try_join!(sides[0].run(begun), sides[1].run(begun)) };
        tokio::select! {
            result = storm => result.map(|_| ()),
            () = watch => Ok(()),
        }
    };
    LocalSet::new().run_until(run).await?;
    lines.end();
    report(&sides);
    let file = std::path::Path::new("target/chaos.svg");
    std::fs::create_dir_all("target")?;
    picture::draw(file, &sides)?;
    println!("\nthe picture: {}", file.display());
    Ok(())
}

/// The transport with a key, and nothing else.
async fn bare() -> Fallible<Side> {
    let (simulator, upstream, key) = place().await?;
    let transport = Transport::builder().upstream(upstream).build()?;
    let service = AuthLayer::new(key).layer(transport).boxed_stack();
    Ok(Side::new("bare transport", simulator, service))
}

/// Everything that keeps an app answering.
async fn stacked() -> Fallible<Side> {
    let (simulator, upstream, key) = place().await?;
    let stack = Stack::builder()
        .upstream(upstream, key)
        .chain([FIRST, SECOND, THIRD])
        .attempts_per_candidate(3)
        .attempts(8)
        .first_token_timeout(Duration::from_secs(6))
        .deadline(PATIENCE)
        .hedge(Hedge::after(Duration::from_millis(1500)).ratio(0.2))
        .resume(ResumeLayer::new())
        .build()?;
    Ok(Side::new("stack", simulator, stack.boxed_stack()))
}

async fn place() -> Fallible<(Simulator, Upstream, ApiKey)> {
    let simulator = Simulator::builder().seed(7).start().await?;
    let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter)?;
    Ok((simulator, upstream, ApiKey::new("sk-or-v1-simulated")?))
}

/// What is seen while it goes on: nothing where nobody looks at a terminal.
struct Lines {
    sides: Vec<ProgressBar>,
    all: ProgressBar,
}

impl Lines {
    fn new(sides: &[Side]) -> Fallible<Self> {
        let screen = MultiProgress::new();
        let plain = ProgressStyle::with_template("{prefix:>14}  {msg}")?;
        let bar = ProgressStyle::with_template("{prefix:>14}  {wide_bar} {pos}/{len} s")?;
        let line = |side: &Side| {
            let line = ProgressBar::new_spinner()
                .with_style(plain.clone())
                .with_prefix(side.name);
            screen.add(line)
        };
        let lines = sides.iter().map(line).collect();
        let all = screen.add(ProgressBar::new(SECONDS).with_style(bar).with_prefix("storm"));
        Ok(Self { sides: lines, all })
    }

    fn show(&self, sides: &[Side], elapsed: Duration) {
        for (line, side) in self.sides.iter().zip(sides) {
            line.set_message(sentence(&side.tally.borrow(), side.billed()));
        }
        self.all.set_position(elapsed.as_secs().min(SECONDS));
    }

    fn end(&self) {
        self.sides.iter().for_each(ProgressBar::finish);
        self.all.finish();
    }
}

fn sentence(tally: &Tally, billed: f64) -> String {
    let (answered, all) = (tally.answered(), tally.len());
    format!(
        "{answered:>5} answered, {:>4} failed, first token p50 {:>5.2} s, p99 {:>5.2} s, ${billed:.4}",
        all - answered,
        tally.first_token(50).as_secs_f64(),
        tally.first_token(99).as_secs_f64(),
    )
}

fn report(sides: &[Side; 2]) {
    let [bare, stack] = sides;
    let [left, right] = [&bare.tally, &stack.tally].map(|tally| tally.borrow());
    println!("{:<52}{:>16}{:>16}", "", bare.name, stack.name);
    let row = |name: &str, left: String, right: String| println!("{name:<52}{left:>16}{right:>16}");
    row("calls", left.len().to_string(), right.len().to_string());
    row("answered", left.answered().to_string(), right.answered().to_string());
    // The first answer tells that the outage is over; nobody knows before.
    for (name, settled) in [("", SETTLED), (", and the second after the outage", Duration::ZERO)] {
        let percent = |tally: &Tally| format!("{:.2} %", tally.answered_of_possible(settled));
        row(
            &format!("of those outside of the outage of all{name}"),
            percent(&left),
            percent(&right),
        );
    }
    for p in [50, 95, 99] {
        let time = |tally: &Tally| format!("{:.2} s", tally.first_token(p).as_secs_f64());
        row(&format!("first token, p{p}"), time(&left), time(&right));
    }
    row(
        "billed",
        format!("${:.4}", bare.billed()),
        format!("${:.4}", stack.billed()),
    );
    let an_answer = |side: &Side| format!("${:.7}", side.billed_an_answer());
    row("billed for each answer", an_answer(bare), an_answer(stack));
    let outage = |side: &Side| format!("{:.2}", side.attempts_a_call_in_the_outage());
    row(
        "attempts a call, ten seconds into the outage",
        outage(bare),
        outage(stack),
    );
    for (side, tally) in [(bare, left), (stack, right)] {
        let failures: Vec<_> = tally
            .failures()
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        println!(
            "\nwhat the callers of the {} saw fail: {}",
            side.name,
            failures.join(", ")
        );
    }
}
