//! Keeps a catalogue fresh.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{runtime::Handle, task::AbortHandle, time::sleep};
use tower_llm_layers::UtcTime;

use super::Catalogue;
use crate::{Account, Error};

/// How often models are read again by default: prices change seldom.
pub const REFRESH_EVERY: Duration = Duration::from_secs(60 * 60);

/// The first wait after a failure; each further one is twice as long, up to the usual time.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// How far each wait is spread, up or down, so that many processes do not ask at once.
const SPREAD: f64 = 0.1;

/// Reads a catalogue again and again in the background.
///
/// Readers never wait for it. Where reading fails, the old models stay, with their [age](Catalogue::age), and it is said once.
///
/// # Cancellation
///
/// Dropping what [`spawn_on`](Self::spawn_on) returns ends it.
#[derive(Debug, Clone)]
pub struct CatalogueRefresh {
    catalogue: Catalogue,
    account: Account,
    every: Duration,
    endpoints_of: Vec<String>,
    file: Option<PathBuf>,
}

/// The task that refreshes; it ends with this.
#[derive(Debug)]
#[must_use = "dropped, it ends the refresh"]
pub struct Refreshing(AbortHandle);

impl Drop for Refreshing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl CatalogueRefresh {
    /// Refreshes this one from there.
    #[must_use]
    pub const fn new(catalogue: Catalogue, account: Account) -> Self {
        Self {
            catalogue,
            account,
            every: REFRESH_EVERY,
            endpoints_of: Vec::new(),
            file: None,
        }
    }

    /// How often; [`REFRESH_EVERY`] by default, spread by a tenth up or down, and a second at least.
    #[must_use]
    pub fn every(mut self, time: Duration) -> Self {
        self.every = time.max(Duration::from_secs(1));
        self
    }

    /// Reads also who serves these models, such as those of a chain: holds are then made by their dearest endpoint.
    #[must_use]
    pub fn endpoints_of<M: Into<String>>(mut self, models: impl IntoIterator<Item = M>) -> Self {
        self.endpoints_of = models.into_iter().map(Into::into).collect();
        self
    }

    /// Saves what was read to this file, for a start without a network.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Reads everything once, now.
    ///
    /// # Errors
    ///
    /// Where the models cannot be read. Endpoints or a file that fail are said, and no error.
    pub async fn once(&self) -> Result<(), Error> {
        let models = self.account.models().await?;
        self.catalogue.replace(models, UtcTime::now());
        for model in self.catalogue.unpriced() {
            tracing::warn!(target: "llm::catalogue", model, "this model has no price that can be read: budgets refuse it");
        }
        for model in &self.endpoints_of {
            match self.account.model_endpoints(model).await {
                Ok(endpoints) => self.catalogue.learn_endpoints(&endpoints),
                Err(error) => tracing::warn!(target: "llm::catalogue", model, %error, "who serves it is not known"),
            }
        }
        self.save().await;
        Ok(())
    }

    async fn save(&self) {
        let Some(path) = self.file.clone() else { return };
        let catalogue = self.catalogue.clone();
        let saved = tokio::task::spawn_blocking(move || catalogue.save(path)).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!(target: "llm::catalogue", %error, "the catalogue was not saved");
        }
    }

    /// Goes on refreshing on this runtime, the first time at once.
    pub fn spawn_on(self, runtime: &Handle) -> Refreshing {
        let this = Arc::new(self);
        Refreshing(runtime.spawn(async move { this.run().await }).abort_handle())
    }

    async fn run(&self) {
        let mut failed: Option<Duration> = None;
        loop {
            let wait = match self.once().await {
                Ok(()) => {
                    if failed.take().is_some() {
                        tracing::info!(target: "llm::catalogue", "the catalogue is fresh again");
                    }
                    self.every
                }
                Err(error) => {
                    if failed.is_none() {
                        let age = self.catalogue.age();
                        tracing::warn!(target: "llm::catalogue", %error, ?age, "the catalogue is not refreshed: the old one stays");
                    }
                    let wait = failed.map_or(FIRST_RETRY, |wait| wait * 2).min(self.every);
                    failed = Some(wait);
                    wait
                }
            };
            sleep(wait.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * fastrand::f64())).await;
        }
    }
}
