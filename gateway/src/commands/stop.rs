//! The signals: what ends a gateway, and what makes it read its settings again.

use std::{io, path::PathBuf};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::serve::Running;
use crate::gateway::Gateway;

/// The signals that are listened to.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the signal that ends the gateway. Each SIGHUP reads the settings file again; a signal that comes meanwhile does not wait for that.
    pub(super) async fn stopped(&mut self, gateway: &Gateway, file: Option<&PathBuf>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {}
            }
            let Some(file) = file else {
                tracing::warn!(target: "gateway", "there is no settings file to read again");
                continue;
            };
            tracing::info!(target: "gateway", "SIGHUP: the settings file is read again");
            tokio::select! {
                () = self.ended() => return,
                // What is wrong with it was logged.
                reloaded = Box::pin(gateway.reload(file)) => drop(reloaded),
            }
        }
    }

    /// Waits for a signal that ends the process.
    pub(super) async fn ended(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Drains the gateway; a second signal ends it at once.
    pub(super) async fn drain(&mut self, running: Running) {
        running.drain(self.ended()).await;
    }
}
