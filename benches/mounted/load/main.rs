//! Makes calls as fast as they are answered, over connections that are kept, and says how they fared.
//!
//! `load NAME http://127.0.0.1:PORT plain|stream CONNECTIONS SECONDS`, or `… CALLScalls` in place of the seconds: so many on each connection,
//! without a warm-up.
//!
//! One line, tab-separated: name, kind, connections, calls, calls a second, then microseconds: the whole answer at the
//! 50th and 99th percentile, the first token at the 50th and 99th. Any answer that is not 200 and whole ends it with an
//! error.
#![expect(clippy::print_stdout, reason = "the line is what this is for")]

mod client;
mod times;

use std::env;
use std::error::Error;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use client::{Client, Kind};
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
async fn caller(address: String, kind: Kind, span: Span) -> Fallible<Times> {
    let mut client = Client::connect(&address, kind).await?;
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, url, kind, connections, seconds] = &arguments[..] else {
        return Err("usage: load NAME http://ADDRESS plain|stream CONNECTIONS SECONDS".into());
    };
    let address = url
        .strip_prefix("http://")
        .ok_or("the address must begin with http://")?;
    let (span, length) = Span::parse(seconds)?;
    let mut callers = JoinSet::new();
    for _ in 0..connections.parse::<usize>()? {
        callers.spawn(caller(address.to_owned(), kind.parse()?, span));
    }
    let mut times = Times::default();
    while let Some(caller) = callers.join_next().await {
        times.join(caller??);
    }
    println!("{name}\t{kind}\t{connections}\t{}", times.line(length));
    Ok(())
}
