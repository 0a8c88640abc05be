//! The client keys of the file and of the database, and which of them are on the ring. A key that the database has revoked is refused at once, and one
//! that it allows something else follows at once, whatever the budgets of another one wait for.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};
use tower_openrouter::settings::Settings;

use crate::{
    keys::{KeyOnRing, KeyRing, StoredKey, StoredKeys},
    settings::{Config, KeyRules},
};

/// Keys that are to be in force.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    of_file: Vec<KeyOnRing>,
    of_database: Vec<KeyOnRing>,
    /// How many of the database cannot be used.
    left_out: usize,
}

impl Keys {
    /// The keys of the file and of the database. One of the file goes before one of the same name. One of the database that cannot be used is left out:
    /// it does not keep the others from being in force.
    pub(super) fn of(config: &Config, stored: &[StoredKey]) -> Self {
        let mut keys = Self::default();
        let mut names = HashSet::new();
        for entry in &config.own.key {
            // The file was checked.
            let Ok(hash) = entry.hash.parse() else { continue };
            names.insert(entry.name.as_str());
            keys.of_file.push(KeyOnRing {
                name: entry.name.clone(),
                hash,
                rules: entry.rules(),
                is_revoked: false,
            });
        }
        for key in stored {
            if names.contains(key.name.as_str()) {
                tracing::warn!(target: "gateway::keys", key = key.name, "this key of the database is left out: the settings file has one of its name");
                continue;
            }
            let is_revoked = key.revoked.is_some();
            // What a revoked one might do does not matter.
            let rules = if is_revoked {
                KeyRules::default()
            } else {
                key.rules.clone()
            };
            if let Some((member, wrong)) = rules.problems(&key.name).first() {
                if !is_revoked {
                    tracing::error!(
                        target: "gateway::keys",
                        key = key.name,
                        member,
                        wrong,
                        "a key of the database cannot be used and is left out: correct it with `openrouter-gateway keys set NAME`, or revoke it with \
                         `openrouter-gateway keys revoke NAME`"
                    );
                    keys.left_out += 1;
                }
                continue;
            }
            keys.of_database.push(KeyOnRing {
                name: key.name.clone(),
                hash: key.hash,
                rules,
                is_revoked,
            });
        }
        keys
    }

    fn all(&self) -> impl Iterator<Item = &KeyOnRing> {
        self.of_file.iter().chain(&self.of_database)
    }

    /// Whether one of them may call.
    pub(super) fn any_in_force(&self) -> bool {
        self.all().any(|key| !key.is_revoked)
    }

    /// Those that are such.
    pub(super) fn retain(&mut self, is_such: impl Fn(&KeyOnRing) -> bool) {
        self.of_file.retain(&is_such);
        self.of_database.retain(&is_such);
    }

    /// The settings of the stack with the budgets of these keys.
    pub(super) fn with_budgets(&self, config: &Config) -> Settings {
        let mut settings = config.stack.clone();
        let in_force = self.all().filter(|key| !key.is_revoked);
        settings
            .budget
            .extend(in_force.flat_map(|key| key.rules.budgets(&key.name)));
        settings
    }
}

/// Whether a key of the file or of the database has a budget.
pub(super) fn keys_have_budgets(config: &Config, stored: &[StoredKey]) -> bool {
    let of_database = stored.iter().filter(|key| key.revoked.is_none());
    let mut budgets = of_database
        .map(|key| &key.rules.budget)
        .chain(config.own.key.iter().map(|key| &key.budget));
    budgets.any(|budgets| !budgets.is_empty())
}

/// What the database says of client keys, and the keys on the ring.
#[derive(Debug)]
pub(super) struct ClientKeys {
    ring: KeyRing,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    version: i64,
    stored: Arc<[StoredKey]>,
    /// How many of the database cannot be read.
    unreadable: usize,
    on_ring: Keys,
}

impl ClientKeys {
    /// What the database says at the start, and these on the ring.
    pub(super) fn new(ring: KeyRing, version: i64, stored: StoredKeys, on_ring: Keys) -> Self {
        ring.replace(on_ring.all().cloned());
        Self {
            ring,
            state: Mutex::new(State {
                version,
                stored: stored.keys.into(),
                unreadable: stored.unreadable.len(),
                on_ring,
            }),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ring.
    pub(super) const fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The version of the keys that were read last.
    pub(super) fn version(&self) -> i64 {
        self.state().version
    }

    /// The keys that were read last, with their version.
    pub(super) fn stored(&self) -> (i64, Arc<[StoredKey]>) {
        let state = self.state();
        (state.version, Arc::clone(&state.stored))
    }

    /// How many of the database cannot be read or used.
    pub(super) fn left_out(&self) -> usize {
        let state = self.state();
        state.on_ring.left_out + state.unreadable
    }

    /// These were read from the database. Those on the ring follow it from now on: one that it has revoked is refused, and another may do what it says. New
    /// ones, and other budgets, are put on the ring once the settings with those budgets are in force.
    pub(super) fn read(&self, version: i64, stored: StoredKeys) {
        let mut state = self.state();
        state.unreadable = stored.unreadable.len();
        (state.version, state.stored) = (version, stored.keys.into());
        if state.follow() {
            self.ring.replace(state.on_ring.all().cloned());
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Puts these in the place of those on the ring. What the database says of them since they were read stays in force.
    pub(super) fn put(&self, keys: Keys) {
        let mut state = self.state();
        state.on_ring = keys;
        state.follow();
        self.ring.replace(state.on_ring.all().cloned());
    }

    /// Waits until the database is read with a change, up to this time.
    pub(super) async fn changed(&self, limit: Duration) {
        drop(timeout(limit, self.changed.notified()).await);
    }
}

impl State {
    /// Has those on the ring follow what the database says of them, but for their budgets. Returns whether one of them is another now.
    fn follow(&mut self) -> bool {
        let stored: HashMap<&str, &StoredKey> = self.stored.iter().map(|key| (key.name.as_str(), key)).collect();
        let mut is_changed = false;
        for key in &mut self.on_ring.of_database {
            let Some(stored) = stored.get(key.name.as_str()).filter(|_| !key.is_revoked) else {
                continue;
            };
            if stored.revoked.is_some() {
                key.is_revoked = true;
                is_changed = true;
                continue;
            }
            let rules = KeyRules {
                budget: key.rules.budget.clone(),
                ..stored.rules.clone()
            };
            // Rules that cannot be are reported when the key is left out for them.
            if rules != key.rules && stored.rules.problems(&key.name).is_empty() {
                key.rules = rules;
                is_changed = true;
            }
        }
        is_changed
    }
}

#[cfg(test)]
mod tests {
    use tower_openrouter::layers::UtcTime;

    use super::*;
    use crate::keys::{KeyHash, Presented};

    fn stored(name: &str, rules: &str, is_revoked: bool) -> StoredKey {
        let now = UtcTime::now();
        StoredKey {
            name: name.to_owned(),
            hash: KeyHash::of(name.as_bytes()),
            rules: serde_json::from_str(rules).unwrap(),
            created: now,
            revoked: is_revoked.then_some(now),
        }
    }

    fn all(keys: Vec<StoredKey>) -> StoredKeys {
        StoredKeys {
            keys,
            ..StoredKeys::default()
        }
    }

    fn config(text: &str) -> Config {
        Config::from_toml(&format!("{text}\n[[upstream]]\nname = \"openrouter\"\n")).unwrap()
    }

    fn is_in_force(keys: &ClientKeys, name: &str) -> bool {
        matches!(keys.ring().find(name.as_bytes()), Presented::InForce(_))
    }

    #[test]
    fn a_row_that_cannot_be_used_leaves_the_others_in_force_and_is_forgotten_once_it_is_revoked() {
        let zero = r#"{"budget":[{"usd":"0","per":"day"}]}"#;
        let five = r#"{"budget":[{"usd":"5","per":"day"}]}"#;
        let rows = |is_revoked| [stored("zero", zero, is_revoked), stored("acme", five, false)];
        let keys = Keys::of(&config(""), &rows(false));
        assert_eq!((keys.left_out, keys.any_in_force()), (1, true));
        assert_eq!(keys.with_budgets(&config("")).budgets().unwrap().len(), 1);
        let keys = Keys::of(&config(""), &rows(true));
        assert_eq!((keys.left_out, keys.of_database.len()), (0, 2));
        assert_eq!(keys.with_budgets(&config("")).budgets().unwrap().len(), 1);
    }

    #[test]
    fn a_revoked_key_is_refused_before_other_keys_are_put_and_stays_so_when_older_ones_are() {
        let rows = |is_revoked| vec![stored("acme", "{}", is_revoked), stored("other", "{}", false)];
        let config = config("");
        let of = |rows: &[StoredKey]| Keys::of(&config, rows);
        let keys = ClientKeys::new(KeyRing::new(true, None), 1, all(rows(false)), of(&rows(false)));
        assert!(is_in_force(&keys, "acme") && is_in_force(&keys, "other"));
        let (_, before) = keys.stored();
        keys.read(2, all(rows(true)));
        assert_eq!(keys.version(), 2);
        assert!(!is_in_force(&keys, "acme") && is_in_force(&keys, "other"));
        // A reload that began before the key was revoked.
        keys.put(of(&before));
        assert!(!is_in_force(&keys, "acme") && is_in_force(&keys, "other"));
    }

    #[test]
    fn what_a_key_may_do_follows_the_database_before_its_budgets_are_put() {
        let rows = |rules: &str| vec![stored("acme", rules, false)];
        let (config, before) = (config(""), rows(r#"{"budget":[{"usd":"5","per":"day"}]}"#));
        let on_ring = Keys::of(&config, &before);
        let keys = ClientKeys::new(KeyRing::new(true, None), 1, all(before.clone()), on_ring.clone());
        let rules = || match keys.ring().find(b"acme") {
            Presented::InForce(key) => key.rules.clone(),
            other => panic!("{other:?}"),
        };
        let narrow = r#"{"models":["a/b"],"concurrency":1,"budget":[{"usd":"9","per":"day"}]}"#;
        keys.read(2, all(rows(narrow)));
        for _ in 0..2 {
            assert_eq!((rules().models, rules().concurrency), (vec!["a/b".to_owned()], Some(1)));
            assert_eq!(rules().budget, before[0].rules.budget, "the other one waits");
            // A reload that began before the change.
            keys.put(on_ring.clone());
        }
        keys.read(3, all(rows(r#"{"concurrency":0}"#)));
        assert_eq!(rules().concurrency, Some(1), "what cannot be is not followed");
        keys.read(4, all(rows(r#"{"expires":"2020-01-01"}"#)));
        assert!(matches!(keys.ring().find(b"acme"), Presented::Expired(..)));
    }

    #[test]
    fn keys_that_cannot_be_read_are_left_out() {
        let keys = ClientKeys::new(KeyRing::new(true, None), 0, StoredKeys::default(), Keys::default());
        let unreadable = vec!["`acme`: invalid type".to_owned()];
        keys.read(
            1,
            StoredKeys {
                unreadable,
                ..all(vec![stored("other", "{}", false)])
            },
        );
        assert_eq!(keys.left_out(), 1);
        keys.read(2, StoredKeys::default());
        assert_eq!(keys.left_out(), 0);
    }

    #[test]
    fn a_key_of_the_file_outlasts_the_one_of_the_database() {
        let hash = KeyHash::of(b"acme").written();
        let config = config(&format!("[[key]]\nname = \"acme\"\nhash = \"{hash}\""));
        let keys = ClientKeys::new(
            KeyRing::new(true, None),
            0,
            StoredKeys::default(),
            Keys::of(&config, &[]),
        );
        keys.read(1, all(vec![stored("acme", "{}", true)]));
        keys.put(Keys::of(&config, &keys.stored().1));
        assert!(is_in_force(&keys, "acme"));
    }
}
