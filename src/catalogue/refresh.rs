//! Keeps a catalogue fresh.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{Instant, sleep_until, timeout_at},
};
use tower_llm_layers::{FailureKind, MAX_DURATION, UtcTime};

use super::Catalogue;
use crate::{Account, Error};

/// How often models are read again by default: prices change seldom.
pub const DEFAULT_REFRESH_EVERY: Duration = Duration::from_secs(60 * 60);

/// The first wait after a failure; each further one is twice as long, up to the usual time.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// How many models without a price are named at once.
const NAMED: usize = 10;

/// How far each wait is spread, up or down, so that many processes do not read at once.
const SPREAD: f64 = 0.1;

/// Reads a catalogue periodically in the background, and in between the endpoints of those models of which a price was requested.
///
/// Readers never wait for it. If reading fails, the old models stay, with their [age](Catalogue::age). The failure is logged once, and
/// reading is tried again after five seconds, then after twice as long each time.
///
/// # Cancellation
///
/// Dropping the last clone of what [`spawn_on`](Self::spawn_on) returns ends it.
///
/// ```no_run
/// # async fn example(account: tower_openrouter::Account) -> Result<(), Box<dyn std::error::Error>> {
/// use tower_openrouter::{Catalogue, catalogue::CatalogueRefresh};
///
/// // What an earlier run saved, if there is such a file.
/// let catalogue = Catalogue::load("models.json").unwrap_or_default();
/// let refreshing = CatalogueRefresh::new(catalogue.clone(), account)
///     .endpoints_of(["openai/gpt-5"])
///     .file("models.json")
///     .spawn_on(&tokio::runtime::Handle::current());
/// # drop(refreshing);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct CatalogueRefresh {
    catalogue: Catalogue,
    account: Account,
    every: Duration,
    endpoints_of: Vec<String>,
    file: Option<PathBuf>,
}

/// The task that refreshes; it ends with the last clone of this.
#[derive(Debug, Clone)]
#[must_use = "dropped, it ends the refresh"]
pub struct Refreshing {
    _task: Arc<Task>,
}

#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
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
            every: DEFAULT_REFRESH_EVERY,
            endpoints_of: Vec::new(),
            file: None,
        }
    }

    /// How often; 1 hour ([`DEFAULT_REFRESH_EVERY`]) by default, spread by a tenth up or down, a second at least and [`MAX_DURATION`] at most:
    /// [`Duration::MAX`] reads the models once, and endpoints as they are requested.
    #[must_use]
    pub fn every(mut self, time: Duration) -> Self {
        self.every = time.clamp(Duration::from_secs(1), MAX_DURATION);
        self
    }

    /// Reads the endpoints of these models, such as those of a chain, together with the models, so that the first reservation already uses the
    /// most expensive endpoint. The endpoints of others are read when a price of theirs is requested for the first time.
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
    /// If the models cannot be read, or there are none. A failure of endpoints or of the file is logged, and is no error.
    pub async fn once(&self) -> Result<(), Error> {
        let models = self.account.models().await?;
        if models.is_empty() {
            return Err(Error::new(FailureKind::Malformed, "the list of models is empty"));
        }
        self.catalogue.replace(models, UtcTime::now());
        for model in &self.endpoints_of {
            // What fails is requested again by the next quote.
            if let Err(error) = self.endpoints(model).await {
                tracing::warn!(target: "llm::catalogue", base_url = self.account.base_url(), model, %error, "its endpoints are not known");
            }
        }
        let unpriced = self.catalogue.unpriced();
        if !unpriced.is_empty() {
            let few = unpriced.get(..NAMED).unwrap_or(&unpriced);
            tracing::warn!(target: "llm::catalogue", count = unpriced.len(), models = ?few, "models without a readable price: budgets refuse them");
        }
        self.save().await;
        Ok(())
    }

    async fn endpoints(&self, model: &str) -> Result<(), Error> {
        let id = self.catalogue.listed_as(model);
        let endpoints = self.account.model_endpoints(&id).await?;
        self.catalogue.learn(&id, endpoints);
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

    /// Refreshes periodically on this runtime, the first time at once.
    pub fn spawn_on(self, runtime: &Handle) -> Refreshing {
        let task = runtime.spawn(async move { self.run().await });
        Refreshing {
            _task: Arc::new(Task(task.abort_handle())),
        }
    }

    async fn run(&self) {
        let (mut models, mut endpoints) = (BackOff::default(), BackOff::default());
        let mut due = Instant::now();
        let mut paused_until = due;
        loop {
            if Instant::now() >= due {
                due = Instant::now() + self.refresh(&mut models).await;
            } else if Instant::now() < paused_until {
                sleep_until(paused_until.min(due)).await;
            } else if let Ok(model) = timeout_at(due, self.catalogue.shared.endpoint_queue.next()).await {
                paused_until = Instant::now() + self.fetch(&model, &mut endpoints).await;
            }
        }
    }

    /// Reads the models; returns how long to wait until the next time.
    async fn refresh(&self, failures: &mut BackOff) -> Duration {
        let wait = match self.once().await {
            Ok(()) => {
                if failures.ended() {
                    tracing::info!(target: "llm::catalogue", "the catalogue is fresh again");
                }
                self.every
            }
            Err(error) => {
                if failures.is_first() {
                    let age = self.catalogue.age();
                    let base_url = self.account.base_url();
                    tracing::warn!(target: "llm::catalogue", base_url, %error, ?age, "the catalogue is not refreshed: the old one stays");
                }
                failures.next(self.every)
            }
        };
        wait.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * fastrand::f64())
    }

    /// Reads the endpoints of a model that was requested; returns how long to wait before the others.
    async fn fetch(&self, model: &str, failures: &mut BackOff) -> Duration {
        match self.endpoints(model).await {
            Ok(()) => {
                failures.ended();
                if self.catalogue.shared.endpoint_queue.is_empty() {
                    self.save().await;
                }
                Duration::ZERO
            }
            // No provider serves it: the next refresh may find one.
            Err(error) if error.kind() == FailureKind::NoEndpoint => Duration::ZERO,
            Err(error) => {
                if failures.is_first() {
                    tracing::warn!(target: "llm::catalogue", base_url = self.account.base_url(), model, %error, "its endpoints are not known: its cheapest price is used");
                }
                // If it is still in use, the next quote requests it again.
                self.catalogue.clear_requested(model);
                failures.next(self.every)
            }
        }
    }
}

/// The waits of one row of failures.
#[derive(Debug, Default)]
struct BackOff(Option<Duration>);

impl BackOff {
    const fn is_first(&self) -> bool {
        self.0.is_none()
    }

    fn next(&mut self, most: Duration) -> Duration {
        let wait = self.0.map_or(FIRST_RETRY, |wait| wait * 2).min(most);
        self.0 = Some(wait);
        wait
    }

    /// Whether there was any.
    const fn ended(&mut self) -> bool {
        self.0.take().is_some()
    }
}
