//! Makes calls as fast as they are answered, over connections that are kept, and says how they fared.
//!
//! `load NAME http://127.0.0.1:PORT plain|stream CONNECTIONS SECONDS`, or `… CALLScalls` in place of the seconds: so many on each connection,
//! without a warm-up. `load NAME http://127.0.0.1:PORT open STREAMS` opens so many streams, prints `open` and holds them until its standard input ends.
//! `load NAME http://127.0.0.1:PORT rate CALLS SECONDS` begins so many plain calls a second, whatever has been answered; times count from when a call
//! should have begun, and calls a second are those answered until the last answer.
//!
//! Everywhere: `--model NAME`, `--header 'name: value'` for each call, `--mean` for one more column, the mean of the whole answer.
//!
//! One line, tab-separated: name, kind, connections, calls, calls a second, then microseconds: the whole answer at the
//! 50th and 99th percentile, the first token at the 50th and 99th. Any answer that is not 200 and whole ends it with an
//! error.
#![expect(clippy::print_stdout, reason = "the line is what this is for")]

mod client;
mod open;
mod rate;
mod target;
mod times;

use std::env;
use std::error::Error;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use client::{Client, Kind};
use target::{Options, Target};
use times::Times;

/// How long calls are made before they count.
const WARM_UP: Duration = Duration::from_millis(500);
/// How long a number of calls may take: a server under callgrind is slow.
const LONGEST: Duration = Duration::from_secs(600);

type Fallible<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How long calls are made.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// From this instant on they count.
    counts: Instant,
    ends: Instant,
    most: usize,
}

impl Span {
    /// So many seconds after a warm-up, or so many calls.
    fn parse(span: &str) -> Fallible<(Self, Duration)> {
        let now = Instant::now();
        if let Some(most) = span.strip_suffix("calls") {
            let ends = now + LONGEST;
            let span = Self {
                counts: now,
                ends,
                most: most.parse()?,
            };
            return Ok((span, LONGEST));
        }
        let (counts, length) = (now + WARM_UP, Duration::from_secs_f64(span.parse()?));
        let span = Self {
            counts,
            ends: counts + length,
            most: usize::MAX,
        };
        Ok((span, length))
    }
}

/// Calls one after the other until the time is over, or so many are made.
async fn caller(target: Target, kind: Kind, span: Span) -> Fallible<Times> {
    let mut client = Client::connect(&target, kind).await?;
    let mut times = Times::default();
    for _ in 0..span.most {
        let begun = Instant::now();
        if begun >= span.ends {
            break;
        }
        let first = client.call().await?;
        if begun >= span.counts {
            times.add(first.saturating_duration_since(begun), begun.elapsed());
        }
    }
    Ok(times)
}

/// So many callers, each with a connection of its own.
async fn closed(target: &Target, kind: Kind, connections: usize, seconds: &str) -> Fallible<(Times, Duration)> {
    let (span, length) = Span::parse(seconds)?;
    let mut callers = JoinSet::new();
    for _ in 0..connections {
        callers.spawn(caller(target.clone(), kind, span));
    }
    let mut times = Times::default();
    while let Some(caller) = callers.join_next().await {
        times.join(caller??);
    }
    Ok((times, length))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible {
    let (options, arguments) = Options::split(env::args().skip(1))?;
    if let [_, url, kind, streams] = &arguments[..]
        && kind == "open"
    {
        return open::hold(&Target::new(url, &options)?, streams.parse()?).await;
    }
    let [name, url, kind, connections, seconds] = &arguments[..] else {
        return Err(
            "usage: load NAME http://ADDRESS plain|stream CONNECTIONS SECONDS, or rate CALLS SECONDS, or open STREAMS"
                .into(),
        );
    };
    let target = Target::new(url, &options)?;
    let (times, length) = if kind == "rate" {
        let length = Duration::from_secs_f64(seconds.parse()?);
        rate::at_rate(&target, Kind::Plain, connections.parse()?, length).await?
    } else {
        closed(&target, kind.parse()?, connections.parse()?, seconds).await?
    };
    let mean = if options.mean {
        format!("\t{}", times.mean())
    } else {
        String::new()
    };
    println!("{name}\t{kind}\t{connections}\t{}{mean}", times.line(length));
    Ok(())
}
