//! Sources of keys: one key, a pool, or a provider of one's own.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use super::{ApiKey, KeyPool};

/// What a [`KeyProvider`] returns: the key, or the reason as text why there is none.
pub type KeyFuture = Pin<Box<dyn Future<Output = Result<ApiKey, String>> + Send>>;

/// Fetches the key for each attempt: from a vault, or made for the tenant.
///
/// It is called for every attempt: cache inside, and never put the key into the error.
pub trait KeyProvider: Send + Sync {
    /// The key for this upstream.
    fn key(&self, upstream: &str) -> KeyFuture;

    /// The upstream has rejected this key: a provider that caches forgets it. Whether [`key`](Self::key) may return another one now: then the
    /// attempt is repeated once with that, within the call's caps.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use tower_llm_layers::auth::{ApiKey, KeyFuture, KeyProvider};
    ///
    /// struct Cached(Mutex<Option<ApiKey>>);
    ///
    /// impl KeyProvider for Cached {
    ///     fn key(&self, _: &str) -> KeyFuture {
    ///         let cached = self.0.lock().ok().and_then(|cached| cached.clone());
    ///         // In earnest it is fetched from a vault, and kept.
    ///         Box::pin(async { cached.map_or_else(|| ApiKey::new("sk-fresh").map_err(|error| error.to_string()), Ok) })
    ///     }
    ///
    ///     fn rejected(&self, _: &str, _: &ApiKey) -> bool {
    ///         self.0.lock().is_ok_and(|mut cached| cached.take().is_some())
    ///     }
    /// }
    /// ```
    fn rejected(&self, upstream: &str, key: &ApiKey) -> bool {
        let _ = (upstream, key);
        false
    }
}

impl<F> KeyProvider for F
where
    F: Fn(&str) -> KeyFuture + Send + Sync,
{
    fn key(&self, upstream: &str) -> KeyFuture {
        self(upstream)
    }
}

/// The source of an upstream's key.
#[derive(Clone)]
#[non_exhaustive]
pub enum KeySource {
    /// Always the same.
    Static(ApiKey),
    /// The next usable one.
    Pool(KeyPool),
    /// Whatever the provider says.
    Provider(Arc<dyn KeyProvider>),
    /// The upstream takes no key, such as one of your own network.
    None,
}

impl From<ApiKey> for KeySource {
    fn from(key: ApiKey) -> Self {
        Self::Static(key)
    }
}

impl From<KeyPool> for KeySource {
    fn from(pool: KeyPool) -> Self {
        Self::Pool(pool)
    }
}

impl From<Arc<dyn KeyProvider>> for KeySource {
    fn from(provider: Arc<dyn KeyProvider>) -> Self {
        Self::Provider(provider)
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(_) => f.write_str("Static([redacted])"),
            Self::Pool(pool) => pool.fmt(f),
            Self::Provider(_) => f.write_str("Provider"),
            Self::None => f.write_str("None"),
        }
    }
}

/// The keys of each upstream. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    by_upstream: Arc<Vec<(Box<str>, KeySource)>>,
    default_source: Option<KeySource>,
}

impl Keys {
    /// No keys yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same source for every upstream that has none of its own. Each of them then receives this key.
    #[must_use]
    pub fn default_source(mut self, source: impl Into<KeySource>) -> Self {
        self.default_source = Some(source.into());
        self
    }

    /// The source for this upstream; a second one for the same name replaces the first.
    #[must_use]
    pub fn upstream(mut self, upstream: &str, source: impl Into<KeySource>) -> Self {
        let known = Arc::make_mut(&mut self.by_upstream);
        known.retain(|(name, _)| **name != *upstream);
        known.push((upstream.into(), source.into()));
        self
    }

    /// Whether no upstream has a source.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_upstream.is_empty() && self.default_source.is_none()
    }

    pub(super) fn of(&self, upstream: Option<&str>) -> Option<&KeySource> {
        let own = upstream.and_then(|upstream| self.by_upstream.iter().find(|(name, _)| **name == *upstream));
        own.map(|(_, source)| source).or(self.default_source.as_ref())
    }
}

impl<T: Into<KeySource>> From<T> for Keys {
    fn from(source: T) -> Self {
        Self::new().default_source(source)
    }
}
