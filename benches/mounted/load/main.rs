//! Makes calls as fast as they are answered, over connections that are kept, and says how they fared.
//!
//! `load NAME http://127.0.0.1:PORT plain|stream CONNECTIONS SECONDS`
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

type Fallible<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Calls one after the other until the time is over.
async fn caller(address: String, kind: Kind, counts: Instant, ends: Instant) -> Fallible<Times> {
    let mut client = Client::connect(&address, kind).await?;
    let mut times = Times::default();
    loop {
        let begun = Instant::now();
        if begun >= ends {
            return Ok(times);
        }
        let first = client.call().await?;
        if begun >= counts {
            times.add(first.saturating_duration_since(begun), begun.elapsed());
        }
    }
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
    let span = Duration::from_secs_f64(seconds.parse()?);
    let counts = Instant::now() + WARM_UP;
    let mut callers = JoinSet::new();
    for _ in 0..connections.parse::<usize>()? {
        callers.spawn(caller(address.to_owned(), kind.parse()?, counts, counts + span));
    }
    let mut times = Times::default();
    while let Some(caller) = callers.join_next().await {
        times.join(caller??);
    }
    println!("{name}\t{kind}\t{connections}\t{}", times.line(span));
    Ok(())
}
