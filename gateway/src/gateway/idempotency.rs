//! Idempotency keys that several gateways share: with the options of the settings, and the answers in the shared store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tower_openrouter::{
    layers::cache::KeySecret,
    redis::{RedisError, Store},
    settings::{IdempotencySettings, Settings},
    stack::{ChatIdempotency, StackBuilder},
};

use super::OpenError;

/// The name of the secret in the shared store: the keys of all gateways are hashed with it.
const SECRET: &str = "idempotency";

/// Idempotency keys in the shared store. Cheap to clone; clones are the same.
#[derive(Clone)]
pub(super) struct SharedIdempotency {
    store: Store,
    keys: Arc<Mutex<KeysNow>>,
}

struct KeysNow {
    secret: [u8; 32],
    /// The layer with these settings, if they are set.
    layer: Option<(IdempotencySettings, ChatIdempotency)>,
}

impl SharedIdempotency {
    /// Those of this store, with the secret that is in it, or a new one.
    pub(super) async fn open(store: &Store, settings: &Settings) -> Result<Self, OpenError> {
        let mut own = [0; 32];
        getrandom::fill(&mut own)?;
        let secret = store.shared_secret(SECRET, &own).await?;
        let shared = Self {
            store: store.clone(),
            keys: Arc::new(Mutex::new(KeysNow { secret, layer: None })),
        };
        shared.follow(settings);
        Ok(shared)
    }

    fn keys(&self) -> MutexGuard<'_, KeysNow> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows other settings: the layer stays as it is if its own are the same.
    pub(super) fn follow(&self, settings: &Settings) {
        let mut keys = self.keys();
        let wanted = settings.idempotency.as_ref();
        if keys.layer.as_ref().map(|(settings, _)| settings) == wanted {
            return;
        }
        let secret = keys.secret;
        keys.layer = wanted.and_then(|wanted| {
            // If a header's name is wrong, the stack reports it.
            let layer = wanted.layer_in(self.store.idempotency()).ok()?;
            Some((wanted.clone(), layer.key_secret(KeySecret::new(secret))))
        });
    }

    /// The builder with them, if they are set.
    pub(super) fn apply(&self, builder: StackBuilder) -> StackBuilder {
        match &self.keys().layer {
            Some((_, layer)) => builder.idempotency(layer.clone()),
            None => builder,
        }
    }

    /// Gives the secret back to a store that has lost it. Returns whether the store has another one by now, which is taken: then the stack must be
    /// built again.
    pub(super) async fn renew(&self) -> Result<bool, RedisError> {
        if self.store.is_down() {
            return Ok(false);
        }
        let own = self.keys().secret;
        let secret = self.store.shared_secret(SECRET, &own).await?;
        if secret == own {
            return Ok(false);
        }
        *self.keys() = KeysNow { secret, layer: None };
        Ok(true)
    }
}
