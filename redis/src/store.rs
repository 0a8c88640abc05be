use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{
    Client, ErrorKind, RedisError, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::timeout;

use crate::{
    RedisBudgets, RedisLimits, StoreError,
    delivery::{Delivery, Live},
    script::Scripts,
};

/// How long a hold lives without a word of its process, by default.
pub const LEASE: Duration = Duration::from_secs(60);

/// How long a decision may take, by default; then the store counts as down.
pub const DECISION_TIMEOUT: Duration = Duration::from_millis(250);

/// How long the first connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What happens while the store does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenDown {
    /// Nothing passes.
    Refuse,
    /// Everything passes, uncounted.
    LetPass,
}

/// A Redis or Valkey server that several processes share. Cheap to clone.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Inner>);

/// Sets up a [`Store`].
#[derive(Clone)]
pub struct StoreBuilder {
    url: String,
    prefix: String,
    lease: Duration,
    decision_timeout: Duration,
}

pub(crate) struct Inner {
    pub(crate) connection: ConnectionManager,
    pub(crate) scripts: Scripts,
    pub(crate) prefix: String,
    pub(crate) lease: Duration,
    decision_timeout: Duration,
    server: String,
    is_down: AtomicBool,
    pub(crate) blind: AtomicU64,
    pub(crate) live: Live,
}

impl Store {
    /// One at this URL, e.g. `redis://127.0.0.1:6379`; `rediss://` for TLS.
    #[must_use]
    pub fn builder(url: &str) -> StoreBuilder {
        StoreBuilder {
            url: url.to_owned(),
            prefix: "{llm}".to_owned(),
            lease: LEASE,
            decision_timeout: DECISION_TIMEOUT,
        }
    }

    /// Accounts of budgets in it. Must be called within a runtime: a task delivers what was spent.
    #[must_use]
    pub fn budgets(&self) -> RedisBudgets {
        RedisBudgets::new(self.clone(), Delivery::spawn(self))
    }

    /// Rate limits in it. Must be called within a runtime: a task delivers what was used.
    #[must_use]
    pub fn limits(&self) -> RedisLimits {
        RedisLimits::new(self.clone(), Delivery::spawn(self))
    }

    /// Decisions that were made without the store, because it did not answer.
    #[must_use]
    pub fn blind_decisions(&self) -> u64 {
        self.0.blind.load(Ordering::Relaxed)
    }

    /// Whether the last decision was made without it.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.0.is_down.load(Ordering::Relaxed)
    }

    /// A key of this store's. The version is part of it: what is kept otherwise has another name.
    pub(crate) fn key(&self, kind: &str, name: &str) -> String {
        format!("{}:1:{kind}:{name}", self.0.prefix)
    }

    /// Runs a decision within its time; says why it could not be made.
    pub(crate) async fn decide(
        &self,
        decision: impl Future<Output = Result<Value, RedisError>>,
    ) -> Result<Value, String> {
        let answer = match timeout(self.0.decision_timeout, decision).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(reason(&error)),
            Err(_) => Err(format!("no answer in {:?}", self.0.decision_timeout)),
        };
        let down = answer.is_err();
        if self.0.is_down.swap(down, Ordering::Relaxed) != down {
            match &answer {
                Ok(_) => tracing::info!(target: "llm::store", server = self.0.server, "the shared store answers again"),
                Err(reason) => {
                    tracing::error!(target: "llm::store", server = self.0.server, reason, "the shared store does not answer");
                }
            }
        }
        if down {
            self.0.blind.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }
}

/// What went wrong, in the server's words or the network's: neither holds a password.
pub(crate) fn reason(error: &RedisError) -> String {
    error.to_string()
}

impl StoreBuilder {
    /// What all keys begin with; `{llm}` by default. The braces keep them on one node of a cluster: a decision is about several.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// How long a hold lives without a word of its process; [`LEASE`] by default. It is renewed three times as often.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(100));
        self
    }

    /// How long a decision may take; [`DECISION_TIMEOUT`] by default.
    #[must_use]
    pub const fn decision_timeout(mut self, time: Duration) -> Self {
        self.decision_timeout = time;
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// [`StoreError`] names the server: no URL, nobody there, wrong password.
    pub async fn connect(self) -> Result<Store, StoreError> {
        let client = Client::open(self.url.as_str()).map_err(|error| StoreError::Url { reason: reason(&error) })?;
        let server = client.get_connection_info().addr().to_string();
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.decision_timeout));
        let said = |error: &RedisError| {
            let server = server.clone();
            match error.kind() {
                ErrorKind::AuthenticationFailed => StoreError::Rejected { server },
                _ if error.code() == Some("NOAUTH") || error.code() == Some("WRONGPASS") => {
                    StoreError::Rejected { server }
                }
                _ => StoreError::Unreachable {
                    server,
                    reason: reason(error),
                },
            }
        };
        let connecting = ConnectionManager::new_with_config(client, config);
        let mut connection = match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(connected) => connected.map_err(|error| said(&error))?,
            Err(_) => return Err(StoreError::Slow { server }),
        };
        // A server that wants a password lets us connect, and says so at the first word.
        let ping: Result<String, RedisError> = redis::cmd("PING").query_async(&mut connection).await;
        ping.map_err(|error| said(&error))?;
        Ok(Store(Arc::new(Inner {
            connection,
            scripts: Scripts::new(),
            prefix: self.prefix,
            lease: self.lease,
            decision_timeout: self.decision_timeout,
            server,
            is_down: AtomicBool::new(false),
            blind: AtomicU64::new(0),
            live: Live::default(),
        })))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("server", &self.0.server)
            .field("is_down", &self.is_down())
            .field("blind_decisions", &self.blind_decisions())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreBuilder")
            .field("prefix", &self.prefix)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}
