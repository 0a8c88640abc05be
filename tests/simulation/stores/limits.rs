//! A limit store that several processes could share: places alone, counted strictly.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use tower_openrouter::layers::rate_limit::{Admitting, LimitStore, LimitWait, Limits, RateLimitPermit, WaitReason};

use super::Weather;

type Places = Arc<Mutex<HashMap<Arc<str>, u32>>>;

/// Counts the places of each key.
#[derive(Debug)]
pub(crate) struct SharedLimits {
    places: Places,
    weather: Weather,
}

impl SharedLimits {
    pub(crate) fn new(weather: Weather) -> Self {
        let places = Places::default();
        Self { places, weather }
    }

    /// Places that are taken.
    pub(crate) fn taken(&self) -> u32 {
        self.places.lock().unwrap().values().sum()
    }
}

impl LimitStore for SharedLimits {
    fn admit(&self, key: &Arc<str>, limits: &Limits, _: u64) -> Admitting {
        let (places, weather, key) = (Arc::clone(&self.places), self.weather.clone(), Arc::clone(key));
        let most = limits.concurrency.map_or(u32::MAX, NonZeroU32::get);
        Box::pin(async move {
            weather
                .pass()
                .await
                .map_err(|cause| LimitWait::new(Duration::from_secs(1), WaitReason::StoreDown { cause }, None))?;
            let mut table = places.lock().unwrap();
            let taken = table.entry(Arc::clone(&key)).or_default();
            if *taken >= most {
                return Err(LimitWait::new(Duration::from_millis(50), WaitReason::Concurrency, None));
            }
            *taken += 1;
            drop(table);
            Ok(Box::new(Place { places, key }) as Box<dyn RateLimitPermit>)
        })
    }
}

#[derive(Debug)]
struct Place {
    places: Places,
    key: Arc<str>,
}

impl RateLimitPermit for Place {
    fn used(self: Box<Self>, _: u64) {}
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.places.lock().unwrap().get_mut(&self.key).unwrap() -= 1;
    }
}
