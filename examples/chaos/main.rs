//! A minute of faults: the bare transport and the whole stack side by side, the same calls at the same times.
//!
//! ```sh
//! cargo run --release --example chaos
//! ```
//!
//! One attempt in five fails, and first tokens have a heavy tail. The first model is down for ten seconds. Later the whole chain is down
//! for fifteen, and a cheaper model with it for the last eight of them. Time is virtual: the minute takes a few seconds. At the end there
//! is a table, and a picture in `target/chaos.svg`.
//!
//! The faults are drawn from fixed seeds. The simulator's sockets are real, so the order in which concurrent calls arrive varies, and with
//! it the fault that each call meets. The figures are not reproducible to the digit: those of the stack differ by about one per cent between runs.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod picture;
mod side;
mod storm;
#[path = "../support/mod.rs"]
mod support;
mod tally;

use std::{collections::BTreeSet, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use openrouter_simulator::Simulator;
use tokio::{
    task::LocalSet,
    time::{Instant, sleep},
};
use tower::Layer;
use tower_openrouter::{
    ApiKey, ChatServiceExt, Stack, Transport, Upstream,
    degrade::CannedReply,
    layers::{DegradedSource, auth::AuthLayer, fallback::Hedge, resume::ResumeLayer},
    transport::{Dialect, OPENROUTER},
};

use crate::{
    side::{CALL_DEADLINE, Side},
    storm::{CHEAPER, FIRST, SECOND, SECONDS, THIRD},
    support::Fallible,
    tally::{Outcome, Tally},
};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Fallible {
    if std::env::args().len() > 1 {
        println!(
            "usage: cargo run --release --example chaos\n\nThe faults are always the same; it takes no arguments."
        );
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
    let [bare, stack] = sides
        .each_ref()
        .map(|side| side.tally.borrow().success_while_a_model_was_up());
    let headline =
        format!("success rate while at least one model was up: bare transport {bare:.1} %, stack {stack:.1} %");
    // Latencies are compared over the calls that both sides answered.
    let [left, right] = sides.each_ref().map(|side| side.tally.borrow().full());
    let same = left.intersection(&right).copied().collect();
    println!("{headline}\n");
    report(&sides, &same);
    let file = std::path::Path::new("target/chaos.svg");
    std::fs::create_dir_all("target")?;
    picture::draw(file, &sides, &headline, &same)?;
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

/// The chain with retries, hedges and resume, a cheaper model, and a canned reply.
async fn stacked() -> Fallible<Side> {
    let (simulator, upstream, key) = place().await?;
    let stack = Stack::builder()
        .upstream(upstream, key)
        .chain([FIRST, SECOND, THIRD])
        .cheaper([CHEAPER])
        .canned_reply(CannedReply::text(
            "No model can answer right now. Please try again in a minute.",
        ))
        .attempts_per_candidate(2)
        .attempts(8)
        .first_token_timeout(Duration::from_secs(6))
        .deadline(CALL_DEADLINE)
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

/// The progress lines on a terminal. Without a terminal nothing is printed.
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
    let full = tally.count(|outcome| outcome == Outcome::Full);
    let degraded = tally.answered() - full;
    let failed = tally.len() - tally.answered();
    format!("{full:>5} answered, {degraded:>4} degraded, {failed:>4} failed, ${billed:.4}")
}

fn report(sides: &[Side; 2], same: &BTreeSet<u64>) {
    let [bare, stack] = sides;
    let [left, right] = [&bare.tally, &stack.tally].map(|tally| tally.borrow());
    let row = |name: &str, left: String, right: String| println!("{name:<56}{left:>16}{right:>16}");
    let both = |name: &str, value: &dyn Fn(&Tally) -> String| row(name, value(&left), value(&right));
    row("", bare.name.to_owned(), stack.name.to_owned());
    both("calls", &|tally| tally.len().to_string());
    let count = |outcome: Outcome| move |tally: &Tally| tally.count(|other| other == outcome).to_string();
    both("answered by the chain", &count(Outcome::Full));
    both(
        "degraded: a cheaper model",
        &count(Outcome::Degraded(DegradedSource::CheaperModel)),
    );
    both(
        "degraded: a canned reply",
        &count(Outcome::Degraded(DegradedSource::CannedReply)),
    );
    both("failed", &|tally| (tally.len() - tally.answered()).to_string());
    for p in [50, 95, 99] {
        both(
            &format!("first token of the {} calls that both answered, p{p}", same.len()),
            &|tally| format!("{:.2} s", tally.first_token(same, p).as_secs_f64()),
        );
    }
    row(
        "billed",
        format!("${:.4}", bare.billed()),
        format!("${:.4}", stack.billed()),
    );
    let an_answer = |side: &Side| format!("${:.7}", side.billed_an_answer());
    row("billed per answer of a model", an_answer(bare), an_answer(stack));
    let outage = |side: &Side| format!("{:.2}", side.attempts_a_call_in_the_outage());
    row(
        "attempts per call while all models were down",
        outage(bare),
        outage(stack),
    );
    for (side, tally) in [(bare, &left), (stack, &right)] {
        let failures: Vec<_> = tally
            .failures()
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        let failures = if failures.is_empty() {
            "none".to_owned()
        } else {
            failures.join(", ")
        };
        println!("\nfailures seen by the callers of the {}: {failures}", side.name);
    }
}
