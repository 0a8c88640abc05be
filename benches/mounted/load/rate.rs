//! Calls that begin at fixed times, however long their answers take.

use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::client::{Client, Kind};
use crate::target::Target;
use crate::times::Times;
use crate::{Fallible, WARM_UP};

/// Connections at most. A call that finds none waits for one, and its wait counts.
const CONNECTIONS: usize = 256;
/// How long the answers may take after the last call should have begun.
const PATIENCE: Duration = Duration::from_secs(120);

/// The instants at which calls should begin.
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's timer has whole milliseconds, a thread that sleeps some 60 µs"
)]
fn arrivals(rate: u32, begun: Instant, ends: Instant) -> UnboundedReceiver<Instant> {
    let (sender, receiver) = unbounded_channel();
    thread::spawn(move || {
        let gap = Duration::from_secs(1) / rate;
        let mut due = begun;
        while due < ends {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
            due += gap;
        }
    });
    receiver
}

/// A call over this connection, or a new one: the connection, when the call should have begun, the first token, the end.
type Ended = (Client, Instant, Instant, Instant);

async fn call(target: Target, kind: Kind, idle: Option<Client>, due: Instant) -> Fallible<Ended> {
    let mut client = match idle {
        Some(client) => client,
        None => Client::connect(&target, kind).await?,
    };
    let first = client.call().await?;
    Ok((client, due, first, Instant::now()))
}

/// Makes so many calls a second for so long, and returns their times, from when each should have begun, and how long all took.
pub(crate) async fn at_rate(target: &Target, kind: Kind, rate: u32, length: Duration) -> Fallible<(Times, Duration)> {
    if rate == 0 {
        return Err("a rate of 0".into());
    }
    let begun = Instant::now();
    let counts = begun + WARM_UP;
    let mut due = arrivals(rate, begun, counts + length);
    let (mut calls, mut idle, mut times, mut last) = (JoinSet::new(), Vec::new(), Times::default(), counts);
    let all = async {
        let mut more = true;
        while more || !calls.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = calls.join_next() => {
                    let (client, due, first, ended): Ended = ended??;
                    idle.push(client);
                    if due >= counts {
                        times.add(first.saturating_duration_since(due), ended.saturating_duration_since(due));
                        last = last.max(ended);
                    }
                }
                arrival = due.recv(), if more && calls.len() < CONNECTIONS => match arrival {
                    None => more = false,
                    Some(due) => {
                        calls.spawn(call(target.clone(), kind, idle.pop(), due));
                    }
                },
            }
        }
        Fallible::Ok(())
    };
    timeout(WARM_UP + length + PATIENCE, all)
        .await
        .map_err(|_| format!("not all calls were answered {} s after the last", PATIENCE.as_secs()))??;
    Ok((times, last.saturating_duration_since(counts)))
}
