//! Renews the leases of what is alive, three times as often as they end, and sooner again after a failure.

use std::sync::Arc;

use redis::RedisError;
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, sleep_until},
};

use crate::{lease::OnWhat, server::Server};

/// Holds that are renewed by one call at most, so that no call is long.
const AT_ONCE: usize = 500;

/// Calls that are on their way at once: so many keys take one round trip, and not as many round trips.
const MOST_CALLS: usize = 64;

pub(crate) async fn renew(server: Arc<Server>) {
    let mut next = Instant::now() + server.lease / 3;
    loop {
        sleep_until(next).await;
        // From the start of a round to the next one, however long the round takes.
        let begun = Instant::now();
        next = match renew_all(&server).await {
            Ok(()) => begun + server.lease / 3,
            Err(failed) => {
                let Failed { calls, error } = failed;
                tracing::warn!(target: "llm::store", calls, %error, "leases could not be renewed");
                Instant::now() + server.lease / 12
            }
        };
    }
}

/// Calls of a round that failed, and why the first of them did.
struct Failed {
    calls: usize,
    error: RedisError,
}

/// What came of the calls of a round.
#[derive(Default)]
struct Round {
    renewed: usize,
    failed: Option<Failed>,
}

impl Round {
    fn take(&mut self, ended: Result<Result<(), RedisError>, JoinError>) {
        match (ended, &mut self.failed) {
            (Ok(Err(error)), None) => self.failed = Some(Failed { calls: 1, error }),
            (Ok(Err(_)), Some(failed)) => failed.calls += 1,
            // A task that was aborted has no one to tell.
            (Ok(Ok(())) | Err(_), _) => self.renewed += 1,
        }
    }

    /// Whether the server answers nothing at all: the rest of the round would fail as well.
    fn is_hopeless(&self) -> bool {
        self.renewed == 0 && self.failed.as_ref().is_some_and(|failed| failed.calls >= MOST_CALLS)
    }
}

/// Renews all leases. A call that fails does not keep the others from being made.
async fn renew_all(server: &Arc<Server>) -> Result<(), Failed> {
    let mut calls = JoinSet::new();
    let mut round = Round::default();
    'keys: for ((key, what), holds) in server.live.by_key() {
        for some in holds.chunks(AT_ONCE) {
            while calls.len() >= MOST_CALLS {
                let Some(ended) = calls.join_next().await else { break };
                round.take(ended);
            }
            if round.is_hopeless() {
                break 'keys;
            }
            calls.spawn(renew_some(Arc::clone(server), key.clone(), what, some.to_vec()));
        }
    }
    while let Some(ended) = calls.join_next().await {
        round.take(ended);
    }
    round.failed.map_or(Ok(()), Err)
}

async fn renew_some(server: Arc<Server>, key: String, what: OnWhat, holds: Vec<String>) -> Result<(), RedisError> {
    let mut call = server.scripts.renew.prepare_invoke();
    call.key(key).arg(server.lease_millis()).arg(what.as_str());
    for hold in holds {
        call.arg(hold);
    }
    let _: i64 = server.link.tell(&call).await?;
    Ok(())
}
