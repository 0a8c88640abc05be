//! What the page reads of the settings in force: from when on a wait is long, and where the keys of the upstreams are.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tower_openrouter::settings::{KeySettings, Settings, SettingsHandle};

use crate::calls::LongWaits;

/// How long a reading is good for: the settings are copied for it.
const FRESH: Duration = Duration::from_secs(10);

/// What was read.
#[derive(Debug)]
pub(super) struct Known {
    /// Half of the times after which the call is tried elsewhere.
    pub(super) long_waits: LongWaits,
    /// Upstreams with the places of their keys.
    places: Vec<(String, String)>,
}

/// The last reading.
#[derive(Debug, Default)]
pub(super) struct Cached(Mutex<Option<(Instant, Arc<Known>)>>);

impl Cached {
    pub(super) fn read(&self, handle: &SettingsHandle) -> Arc<Known> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, known)) = &*last
            && at.elapsed() < FRESH
        {
            return Arc::clone(known);
        }
        let known = Arc::new(Known::of(&handle.settings()));
        *last = Some((Instant::now(), Arc::clone(&known)));
        known
    }
}

impl Known {
    fn of(settings: &Settings) -> Self {
        let place = |key: &KeySettings| match key {
            KeySettings::One(secret) => Some(format!("`{secret}`")),
            KeySettings::Pool(secrets) => {
                let places: Vec<_> = secrets.iter().map(|secret| format!("`{secret}`")).collect();
                Some(format!("one of {}", places.join(", ")))
            }
            _ => None,
        };
        let upstreams = settings.upstream.iter();
        let places = upstreams.filter_map(|upstream| {
            let place = upstream.key.as_ref().and_then(place)?;
            Some((upstream.name.clone(), place))
        });
        Self {
            long_waits: LongWaits {
                stream: settings.first_token_timeout.on().map(|limit| limit.0 / 2),
                plain: settings.response_timeout.on().map(|limit| limit.0 / 2),
            },
            places: places.collect(),
        }
    }

    /// Where the key of an upstream is: `env:NAME` or `file:PATH`, never the key.
    pub(super) fn place_of_key(&self, upstream: &str) -> Option<&str> {
        let known = self.places.iter().find(|(name, _)| name == upstream);
        known.map(|(_, place)| place.as_str())
    }
}
