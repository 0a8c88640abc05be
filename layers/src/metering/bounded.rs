//! Names that come from requests, and become labels: each is a permanent series, so their number is bounded.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

use metrics::SharedString;

/// How many names are distinguished.
const MOST_NAMES: usize = 1000;
/// How many models are: each has some forty series, most of them histograms, in all up to 40 KB of an exporter's page.
const MOST_MODELS: usize = 200;
/// The longest name that is distinguished, in bytes.
const LONGEST_NAME: usize = 256;
/// What all the others are called.
pub(super) const OTHER: &str = "other";

/// The names that have been met, up to a number.
#[derive(Debug)]
pub(crate) struct Bounded {
    names: RwLock<BTreeSet<Arc<str>>>,
    most: usize,
}

impl Default for Bounded {
    /// Names of models.
    fn default() -> Self {
        Self::of_models()
    }
}

impl Bounded {
    /// Names of anything else than models.
    pub(crate) const fn of_names() -> Self {
        Self::of(MOST_NAMES)
    }

    /// Names of models, which are fewer.
    pub(crate) const fn of_models() -> Self {
        Self::of(MOST_MODELS)
    }

    const fn of(most: usize) -> Self {
        Self {
            names: RwLock::new(BTreeSet::new()),
            most,
        }
    }

    /// The name as a label.
    pub(crate) fn label(&self, name: &str) -> SharedString {
        self.label_if(name, || true)
    }

    /// The same. `counts`: whether a name that is not known yet exists, and may take a place.
    pub(crate) fn label_if(&self, name: &str, counts: impl FnOnce() -> bool) -> SharedString {
        let found = self.known(name).or_else(|| counts().then(|| self.add(name)).flatten());
        found.map_or(SharedString::const_str(OTHER), SharedString::from)
    }

    /// The name, if there is room for it.
    pub(crate) fn known_or_new(&self, name: &str) -> Option<Arc<str>> {
        self.known(name).or_else(|| self.add(name))
    }

    fn known(&self, name: &str) -> Option<Arc<str>> {
        let known = self.names.read().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned()
    }

    #[cold]
    fn add(&self, name: &str) -> Option<Arc<str>> {
        if name.len() > LONGEST_NAME {
            return None;
        }
        let mut known = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.most {
            return known.get(name).cloned();
        }
        let name: Arc<str> = name.into();
        known.insert(Arc::clone(&name));
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &Bounded, name: &str, counts: bool) -> String {
        names.label_if(name, || counts).into_owned()
    }

    #[test]
    fn there_is_an_end_to_names() {
        let names = Bounded::of_names();
        assert_eq!(
            told(&names, "typo", false),
            "other",
            "what does not exist takes no place"
        );
        for number in 0..MOST_NAMES {
            let name = format!("model-{number}");
            assert_eq!(told(&names, &name, true), name);
        }
        assert_eq!(told(&names, "one-more", true), "other");
        assert_eq!(told(&names, "model-7", true), "model-7");
        assert_eq!(told(&names, "model-7", false), "model-7");
    }

    #[test]
    fn there_is_an_end_to_models_sooner() {
        for names in [Bounded::of_models(), Bounded::default()] {
            for number in 0..MOST_MODELS {
                let name = format!("model-{number}");
                assert_eq!(told(&names, &name, true), name);
            }
            assert_eq!(told(&names, "one-more", true), "other");
            assert_eq!(told(&names, "model-7", true), "model-7");
        }
    }

    #[test]
    fn long_names_take_no_place() {
        let names = Bounded::of_names();
        assert_eq!(told(&names, &"x".repeat(LONGEST_NAME + 1), true), "other");
        let longest = "x".repeat(LONGEST_NAME);
        assert_eq!(told(&names, &longest, true), longest);
    }
}
