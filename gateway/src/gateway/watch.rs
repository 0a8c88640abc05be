//! What runs beside the calls: follows the settings file, the keys of the database and the secret of idempotency keys, and empties the histograms.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    join,
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{Backoff, Gateway, OpenError, Outage};
use crate::settings::Stamp;

/// How often the database of client keys and the settings file are looked at. A key that is revoked is refused by all gateways within this time.
pub const RELOAD_EVERY: Duration = Duration::from_millis(500);

/// How often the histograms are emptied.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// How often the secret of idempotency keys is read from the shared store: one that has lost it, such as by a restart, gets it back.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// How long the settings file may be away before it is logged: meanwhile it may be replaced.
const MAY_BE_AWAY: Duration = Duration::from_secs(5);

/// Follows the keys of the database until it is dropped. They are read while those that were read before come into force, which can take long: a key
/// that is revoked does not wait for that.
pub async fn watch_keys(gateway: Gateway) {
    join!(read_keys(&gateway), put_keys(&gateway));
}

async fn read_keys(gateway: &Gateway) {
    let outage = &gateway.0.keys_unread;
    loop {
        sleep(RELOAD_EVERY).await;
        match gateway.read_keys().await {
            Ok(()) => {
                if let Some(lasted) = ended(outage) {
                    tracing::info!(target: "gateway::keys", ?lasted, "the client keys are those of the database again");
                }
            }
            Err(error) => {
                if let Some(since) = failed(outage) {
                    tracing::error!(target: "gateway::keys", %error, ?since, "the client keys are not those of the database: new ones are not in force, revoked ones may be");
                }
            }
        }
    }
}

async fn put_keys(gateway: &Gateway) {
    let outage = &gateway.0.keys_refused;
    let mut reason = Reason::default();
    loop {
        gateway.0.client_keys.changed(RELOAD_EVERY).await;
        match gateway.put_keys().await {
            Ok(()) => {
                reason = Reason::default();
                if let Some(lasted) = ended(outage) {
                    tracing::info!(target: "gateway::keys", ?lasted, "all client keys of the database are in force");
                }
            }
            Err(error) => {
                let error = reason.of(&error);
                if let Some(since) = failed(outage) {
                    tracing::error!(target: "gateway::keys", error, ?since, "new client keys with budgets are not in force");
                }
            }
        }
    }
}

/// Why keys were refused when they were tried last: that they are tried again later does not say what is wrong.
#[derive(Default)]
struct Reason(Option<String>);

impl Reason {
    /// The reason by now.
    fn of(&mut self, error: &OpenError) -> &str {
        if self.0.is_none() || !matches!(error, OpenError::KeysPending) {
            self.0 = Some(error.to_string());
        }
        self.0.as_deref().unwrap_or_default()
    }
}

fn failed(outage: &Mutex<Outage>) -> Option<Duration> {
    outage.lock().unwrap_or_else(PoisonError::into_inner).failed()
}

fn ended(outage: &Mutex<Outage>) -> Option<Duration> {
    outage.lock().unwrap_or_else(PoisonError::into_inner).ended()
}

/// Follows the secret of idempotency keys in the shared store until it is dropped.
pub async fn watch_idempotency(gateway: Gateway) {
    loop {
        sleep(RENEW_EVERY).await;
        if let Err(error) = gateway.renew_idempotency().await {
            // The store logs its own failures when they begin.
            tracing::debug!(target: "gateway", %error, "the secret of idempotency keys is not renewed");
        }
    }
}

/// Empties what the histograms have gathered, until it is dropped: otherwise it grows until the metrics are read.
pub async fn tidy_metrics(gateway: Gateway) {
    loop {
        sleep(TIDY_EVERY).await;
        if let Some(metrics) = &gateway.0.metrics {
            metrics.run_upkeep();
        }
    }
}

/// Follows the settings file, and the files that it names, until it is dropped: reads them again when they have changed, and look the same twice in a
/// row, so that none is read while it is written. What is refused is tried again, in case a file was not readable for a while.
pub async fn watch_file(gateway: Gateway, path: PathBuf) {
    let in_force = async || gateway.0.in_force.lock().await.config.stamp.clone();
    let again = async |stamp: &Stamp| {
        let stamp = stamp.clone();
        spawn_blocking(move || stamp.again()).await.unwrap_or_default()
    };
    let mut tried = in_force().await;
    let mut last = tried.clone();
    let mut backoff: Option<Backoff> = None;
    let mut absence = Absence::default();
    loop {
        sleep(RELOAD_EVERY).await;
        let now = again(&tried).await;
        absence.look(&path, now.has(&path));
        let is_still = now == std::mem::replace(&mut last, now.clone());
        let is_changed = now != tried;
        // One that is not there is being replaced.
        if !is_still || !now.has(&path) || !(is_changed || backoff.is_some_and(|backoff| backoff.is_due())) {
            continue;
        }
        let mut next = if is_changed { None } else { backoff }.unwrap_or_else(Backoff::now);
        // What is wrong with it is logged the first time.
        match gateway.reload_file(&path, next.is_again()).await {
            Ok(()) => {
                tried = in_force().await;
                last = tried.clone();
                if backoff.take().is_some() {
                    tracing::info!(target: "gateway", "the settings that were refused are in force now");
                }
            }
            // All of its files could be read: it stays wrong until it changes.
            Err(OpenError::Settings(_)) if next.is_again() => {
                tried = now;
                backoff = None;
            }
            Err(_) => {
                tried = now;
                next.refused();
                backoff = Some(next);
            }
        }
    }
}

/// Whether the settings file is away.
#[derive(Default)]
struct Absence {
    since: Option<Instant>,
    is_logged: bool,
}

impl Absence {
    /// It is there, or is not. Logs that it is away once that lasts, and that it is there again.
    fn look(&mut self, path: &Path, is_there: bool) {
        let path = path.display();
        match self.changes(is_there) {
            Some(true) => tracing::info!(target: "gateway", %path, "the settings file is there again"),
            Some(false) => {
                tracing::warn!(target: "gateway", %path, "the settings file is not there: what was read from it stays in force");
            }
            None => {}
        }
    }

    /// Whether it is there, if that is to be logged.
    fn changes(&mut self, is_there: bool) -> Option<bool> {
        if is_there {
            return std::mem::take(self).is_logged.then_some(true);
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let is_late = since.elapsed() >= MAY_BE_AWAY;
        (is_late && !std::mem::replace(&mut self.is_logged, is_late)).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[test]
    fn keys_that_wait_to_be_tried_again_are_logged_with_what_is_wrong() {
        let mut reason = Reason::default();
        let wrong = OpenError::Unreadable.to_string();
        for error in [OpenError::Unreadable, OpenError::KeysPending, OpenError::KeysPending] {
            assert_eq!(reason.of(&error), wrong);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_settings_file_that_is_away_is_logged_once_unless_it_is_being_replaced() {
        let mut absence = Absence::default();
        let mut logged = Vec::new();
        for step in 0..60 {
            // Away for a second, and then for longer.
            let is_there = !(2..4).contains(&step) && !(10..40).contains(&step);
            logged.extend(absence.changes(is_there).map(|is_there| (step, is_there)));
            advance(RELOAD_EVERY).await;
        }
        assert_eq!(logged, [(20, false), (40, true)]);
    }
}
