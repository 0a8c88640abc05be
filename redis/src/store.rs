//! The store's handle, and how it is set up.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tower_llm_layers::MAX_DURATION;

use crate::{
    budgets::RedisBudgets,
    delivery::Delivery,
    error::RedisError,
    limits::RedisLimits,
    link::{self, Link},
    server::Server,
};

/// How long a reservation lives without a renewal by its process, by default.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(60);

/// How long a decision may take, by default; then the store counts as down.
pub const DEFAULT_DECISION_TIMEOUT: Duration = Duration::from_millis(250);

/// The shortest lease: it is renewed three times as often, and one late renewal should not end it.
const SHORTEST_LEASE: Duration = Duration::from_millis(100);

/// A Redis or Valkey server that several processes share. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

/// Sets up a [`Store`].
#[derive(Clone)]
pub struct StoreBuilder {
    url: String,
    prefix: String,
    lease: Duration,
    decision_timeout: Duration,
}

struct Shared {
    server: Arc<Server>,
    /// Alive as long as something is to be delivered.
    delivery: Mutex<Weak<Delivery>>,
}

impl Store {
    /// One at this URL, e.g. `redis://127.0.0.1:6379`; `rediss://` for TLS, with the feature `tls`.
    #[must_use]
    pub fn builder(url: &str) -> StoreBuilder {
        StoreBuilder {
            url: url.to_owned(),
            prefix: "{llm}".to_owned(),
            lease: DEFAULT_LEASE,
            decision_timeout: DEFAULT_DECISION_TIMEOUT,
        }
    }

    /// Accounts of budgets in it. A task of the runtime it was connected in delivers what was spent.
    #[must_use]
    pub fn budgets(&self) -> RedisBudgets {
        RedisBudgets::new(Arc::clone(&self.0.server), self.delivery())
    }

    /// Rate limits in it. A task of the runtime it was connected in delivers what was used.
    #[must_use]
    pub fn limits(&self) -> RedisLimits {
        RedisLimits::new(Arc::clone(&self.0.server), self.delivery())
    }

    /// Idempotency keys in it, and the answers to them.
    #[cfg(feature = "cache")]
    #[must_use]
    pub fn idempotency<D>(&self) -> crate::RedisIdempotency<D> {
        crate::RedisIdempotency::new(Arc::clone(&self.0.server))
    }

    /// The secret of this name, equal in all processes with this server and this prefix: `own` if there was none, else the one that is there. For the
    /// [`KeySecret`](tower_llm_layers::cache::KeySecret) of [`idempotency`](Self::idempotency): draw `own` from the operating system's random
    /// numbers. Anyone with read access to the server can read it.
    ///
    /// A server that has lost it takes the next process's. Call this again from time to time with the secret in use: then a process that starts later
    /// gets the same.
    ///
    /// # Errors
    ///
    /// If the server does not answer, or has something else under this name.
    #[cfg(feature = "cache")]
    pub async fn shared_secret(&self, name: &str, own: &[u8; 32]) -> Result<[u8; 32], RedisError> {
        let (link, key) = (&self.0.server.link, self.0.server.key("secret", name));
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(&own[..]).arg("NX");
        link.ask::<redis::Value>(&set).await?;
        let mut get = redis::cmd("GET");
        get.arg(&key);
        let bytes: Option<Vec<u8>> = link.ask(&get).await?;
        let secret = bytes.and_then(|bytes| bytes.try_into().ok());
        secret.ok_or_else(|| RedisError::NotRedis {
            server: link.server().to_owned(),
            reason: format!("`{key}` is not 32 bytes"),
        })
    }

    /// Decisions that were made without the store, because it did not answer.
    #[must_use]
    pub fn blind_decisions(&self) -> u64 {
        self.0.server.link.blind()
    }

    /// Whether it is away: from the first question without an answer until answers have come for a second. It is probed meanwhile, also if no call asks.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.0.server.link.is_down()
    }

    /// One for all, so that commands arrive in order.
    fn delivery(&self) -> Arc<Delivery> {
        let mut known = self.0.delivery.lock().unwrap_or_else(PoisonError::into_inner);
        known.upgrade().unwrap_or_else(|| {
            let new = Delivery::spawn(&self.0.server);
            *known = Arc::downgrade(&new);
            new
        })
    }
}

impl StoreBuilder {
    /// What all keys begin with; `{llm}` by default. A decision is about several keys: the braces keep them on one node of a
    /// cluster, which refuses it otherwise. Two services with the same prefix share accounts of the same name.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// How long a reservation lives without a renewal by its process; 60 s ([`DEFAULT_LEASE`]) by default, a tenth of a second at least and
    /// [`MAX_DURATION`] at most. It is renewed three times as often. A process that is cut off from the store for longer loses its reservations, but
    /// never what it spends.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.clamp(SHORTEST_LEASE, MAX_DURATION);
        self
    }

    /// How long a decision may take; 250 ms ([`DEFAULT_DECISION_TIMEOUT`]) by default, and [`MAX_DURATION`] at most.
    #[must_use]
    pub const fn decision_timeout(mut self, time: Duration) -> Self {
        self.decision_timeout = if time.as_secs() < MAX_DURATION.as_secs() {
            time
        } else {
            MAX_DURATION
        };
        self
    }

    /// Whether the URL is one of a Redis or Valkey server, without connecting.
    ///
    /// # Errors
    ///
    /// [`RedisError::Url`] says what is wrong with it.
    pub fn check(&self) -> Result<(), RedisError> {
        link::client(&self.url).map(drop)
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// [`RedisError`] names the server: no URL, no server there, no Redis, wrong password, too slow.
    pub async fn connect(self) -> Result<Store, RedisError> {
        let link = Link::connect(&self.url, self.decision_timeout, format!("{}:1:probe", self.prefix)).await?;
        let server = Arc::new(Server::new(link, self.lease, self.prefix));
        let delivery = Mutex::default();
        Ok(Store(Arc::new(Shared { server, delivery })))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("server", &self.0.server.link.server())
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
            .field("decision_timeout", &self.decision_timeout)
            .finish_non_exhaustive()
    }
}
