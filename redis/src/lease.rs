//! Keeps alive what this process holds: each hold is a lease.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::time::sleep;

use crate::store::Inner;

/// Holds that are renewed by one call at most, so that no call is long.
const AT_ONCE: usize = 500;

/// What a hold is on: the scripts keep them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum OnWhat {
    Account,
    Places,
}

impl OnWhat {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Places => "places",
        }
    }
}

/// A key, and what it is.
type On = (String, OnWhat);

/// Holds of this process that are alive, with the keys they are on.
#[derive(Default)]
pub(crate) struct Live {
    holds: Mutex<HashMap<String, Arc<[On]>>>,
}

impl Live {
    pub(crate) fn add(&self, id: String, on: Arc<[On]>) {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner).insert(id, on);
    }

    pub(crate) fn remove(&self, id: &str) {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// The holds on each key.
    fn by_key(&self) -> HashMap<On, Vec<String>> {
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys: HashMap<On, Vec<String>> = HashMap::new();
        for (id, on) in holds.iter() {
            for key in on.iter() {
                keys.entry(key.clone()).or_default().push(id.clone());
            }
        }
        keys
    }
}

/// Renews the leases of what is alive, three times as often as they end, and sooner again after a failure.
pub(crate) async fn renew(store: Arc<Inner>) {
    let mut wait = store.lease / 3;
    loop {
        sleep(wait).await;
        wait = match renew_all(&store).await {
            Ok(()) => store.lease / 3,
            Err(error) => {
                tracing::warn!(target: "llm::store", %error, "leases could not be renewed");
                store.lease / 12
            }
        };
    }
}

async fn renew_all(store: &Inner) -> Result<(), redis::RedisError> {
    for ((key, what), holds) in store.live.by_key() {
        for some in holds.chunks(AT_ONCE) {
            let mut call = store.scripts.renew.prepare_invoke();
            call.key(&key)
                .arg(store.lease.as_millis().to_string())
                .arg(what.as_str());
            for hold in some {
                call.arg(hold);
            }
            let _: i64 = store.link.tell(&call).await?;
        }
    }
    Ok(())
}
