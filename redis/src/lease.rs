//! The reservations of this process: each is a lease, to be renewed while it lives.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What a lease is on: the scripts store them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum OnWhat {
    Account,
    Places,
}

impl OnWhat {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Places => "places",
        }
    }
}

/// A key, and what it is.
pub(crate) type On = (String, OnWhat);

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
    pub(crate) fn by_key(&self) -> HashMap<On, Vec<String>> {
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
