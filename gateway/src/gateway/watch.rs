//! What runs beside the calls: follows the settings file, the keys of the database and the secret of idempotency keys, and empties the histograms.

use std::{path::PathBuf, sync::PoisonError, time::Duration};

use tokio::{task::spawn_blocking, time::sleep};

use super::{Backoff, Gateway, OpenError};
use crate::settings::Stamp;

/// How often the database of client keys and the settings file are looked at. A key that is revoked is refused by all gateways within this time.
pub const RELOAD_EVERY: Duration = Duration::from_millis(500);

/// How often the histograms are emptied.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// How often the secret of idempotency keys is read from the shared store: one that has lost it, such as by a restart, gets it back.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// Follows the keys of the database until it is dropped.
pub async fn watch_keys(gateway: Gateway) {
    loop {
        sleep(RELOAD_EVERY).await;
        let reloaded = gateway.reload_keys().await;
        let mut outage = gateway.0.keys_outage.lock().unwrap_or_else(PoisonError::into_inner);
        match reloaded {
            Ok(()) => {
                if let Some(lasted) = outage.ended() {
                    tracing::info!(target: "gateway::keys", ?lasted, "the client keys are those of the database again");
                }
            }
            Err(error) => {
                if let Some(since) = outage.failed() {
                    tracing::error!(target: "gateway::keys", %error, ?since, "the client keys are not those of the database: new ones are not in force, revoked ones may be");
                }
            }
        }
    }
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
    loop {
        sleep(RELOAD_EVERY).await;
        let now = again(&tried).await;
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
