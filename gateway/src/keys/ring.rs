//! The client keys in force, and whose a presented key is.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use http::Request;
use tower_openrouter::{
    ApiRequest, Tags,
    layers::{
        KeyExtractor, TagError, UtcTime,
        rate_limit::{LimitStore, Limits, RateLimitLayer},
    },
};

use super::{KeyHash, ModelPattern, TAG};
use crate::settings::{KeyRules, utc_time};

/// A client key in force, without the key.
pub struct ClientKey {
    /// Its name.
    pub name: Arc<str>,
    /// What it may do.
    pub rules: KeyRules,
    hash: KeyHash,
    tags: Tags,
    models: Vec<ModelPattern>,
    expires: Option<UtcTime>,
    is_revoked: bool,
    limits: Option<(Limits, RateLimitLayer<KeyName>)>,
}

/// The key of a client's limits: its name.
#[derive(Debug, Clone)]
pub struct KeyName(Arc<str>);

/// Whose a presented key is.
#[derive(Debug, Clone)]
pub enum Presented {
    /// One in force.
    InForce(Arc<ClientKey>),
    /// One that has expired.
    Expired(Arc<ClientKey>, UtcTime),
    /// One that was revoked.
    Revoked(Arc<ClientKey>),
    /// No key's.
    Unknown,
}

/// The client keys in force. Cheap to clone; clones are the same ring.
#[derive(Clone)]
pub struct KeyRing {
    keys: Arc<RwLock<Arc<Keys>>>,
    is_required: bool,
    store: Option<Arc<dyn LimitStore>>,
}

type Keys = HashMap<[u8; 8], Vec<Arc<ClientKey>>>;

/// A key that is to be in force.
#[derive(Debug, Clone)]
pub struct KeyOnRing {
    /// Its name.
    pub name: String,
    /// Its hash.
    pub hash: KeyHash,
    /// What it may do.
    pub rules: KeyRules,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

impl KeyRing {
    /// An empty one. If keys are not required, everyone may call while no key is known. Limits are counted in this store, or else in this process.
    #[must_use]
    pub fn new(is_required: bool, store: Option<Arc<dyn LimitStore>>) -> Self {
        Self {
            keys: Arc::default(),
            is_required,
            store,
        }
    }

    /// Puts these keys in force. What was counted of a key whose limits are the same is kept.
    pub fn replace(&self, keys: impl IntoIterator<Item = KeyOnRing>) {
        let before = self.now();
        let mut now = Keys::new();
        for key in keys {
            let shelf = key.hash.shelf();
            let known = before
                .get(&shelf)
                .into_iter()
                .flatten()
                .find(|known| known.hash == key.hash);
            match ClientKey::new(key, known, self.store.as_ref()) {
                Ok(key) => now.entry(shelf).or_default().push(Arc::new(key)),
                // It was checked when it was read.
                Err(error) => tracing::error!(target: "gateway::keys", %error, "a client key is left out"),
            }
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
    }

    fn now(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a caller needs a key: always beyond loopback, and as soon as one is known.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.is_required || !self.now().is_empty()
    }

    /// How many are known, revoked ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.now().values().map(Vec::len).sum()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.now().is_empty()
    }

    /// Whether a key of this name is in force.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.now()
            .values()
            .flatten()
            .any(|key| &*key.name == name && !key.is_revoked)
    }

    /// Whether one of the keys in force is such.
    pub fn any_in_force(&self, is_such: impl Fn(&ClientKey) -> bool) -> bool {
        let now = UtcTime::now();
        let is_expired = |key: &ClientKey| key.expires.is_some_and(|expires| expires <= now);
        let keys = self.now();
        let mut keys = keys.values().flatten();
        keys.any(|key| !key.is_revoked && !is_expired(key) && is_such(key))
    }

    /// Whose a presented key is.
    #[must_use]
    pub fn find(&self, presented: &[u8]) -> Presented {
        let hash = KeyHash::of(presented);
        let keys = self.now();
        let Some(key) = keys
            .get(&hash.shelf())
            .into_iter()
            .flatten()
            .find(|key| key.hash == hash)
        else {
            return Presented::Unknown;
        };
        let key = Arc::clone(key);
        if key.is_revoked {
            return Presented::Revoked(key);
        }
        match key.expires.filter(|expires| *expires <= UtcTime::now()) {
            Some(expired) => Presented::Expired(key, expired),
            None => Presented::InForce(key),
        }
    }
}

impl ClientKey {
    fn new(key: KeyOnRing, known: Option<&Arc<Self>>, store: Option<&Arc<dyn LimitStore>>) -> Result<Self, String> {
        let name: Arc<str> = key.name.as_str().into();
        let limits = key.rules.limits().map_err(|error| format!("`{name}`: {error}"))?;
        let kept = known.and_then(|known| known.limits.clone());
        let limits = match (limits, kept) {
            (Some(limits), Some((before, layer))) if limits == before => Some((limits, layer)),
            (Some(limits), kept) => {
                let layer = RateLimitLayer::new(limits, KeyName(format!("key/{name}").into()));
                let layer = layer.map_err(|error| format!("`{name}`: {error}"))?;
                let layer = match store {
                    Some(store) => layer.store(Arc::clone(store)),
                    None => layer,
                };
                // What the key has used under other limits stays used.
                let layer = match &kept {
                    Some((_, before)) => layer.taking_over(before),
                    None => layer,
                };
                Some((limits, layer))
            }
            (None, _) => None,
        };
        Ok(Self {
            tags: Tags::new([(TAG, &*name)]).map_err(|error: TagError| error.to_string())?,
            models: key.rules.models.iter().map(|model| ModelPattern::new(model)).collect(),
            expires: key.rules.expires.as_deref().and_then(utc_time),
            name,
            hash: key.hash,
            rules: key.rules,
            is_revoked: key.is_revoked,
            limits,
        })
    }

    /// What its calls are accounted under.
    #[must_use]
    pub const fn tags(&self) -> &Tags {
        &self.tags
    }

    /// The models that its requests may name; all if it is empty.
    #[must_use]
    pub fn models(&self) -> &[ModelPattern] {
        &self.models
    }

    /// Whether its requests may name this model.
    #[must_use]
    pub fn allows(&self, model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|pattern| pattern.allows(model))
    }

    /// When it expires.
    #[must_use]
    pub const fn expires(&self) -> Option<UtcTime> {
        self.expires
    }

    /// Its rate limits.
    pub(super) fn limits(&self) -> Option<&RateLimitLayer<KeyName>> {
        self.limits.as_ref().map(|(_, layer)| layer)
    }
}

impl KeyName {
    pub(super) fn none() -> Self {
        Self("".into())
    }
}

impl KeyExtractor<ApiRequest> for KeyName {
    fn key(&self, _: &Request<ApiRequest>) -> Option<Arc<str>> {
        Some(Arc::clone(&self.0))
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientKey")
            .field("name", &self.name)
            .field("rules", &self.rules)
            .field("is_revoked", &self.is_revoked)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("keys", &self.len())
            .field("is_required", &self.is_required)
            .finish_non_exhaustive()
    }
}
