//! The clients of one upstream: which one takes a call, and when one is replaced.
//!
//! A client has connections of its own. Over HTTP/2 it keeps one to a host, and whatever happens to that connection happens to every call on
//! it. So a client is replaced when it is old, or when calls on it stay without any response; calls beyond what a peer allows on one connection
//! get another client instead of a place in a hidden queue; and a retry after a broken connection gets a connection of its own.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{TransportProblem, config::Settings, connect::client};
use crate::in_flight::{CallCounter, InFlight};

/// From this age on a client is replaced: a new connection follows changes of DNS and of the upstream's load balancing.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);
/// As many calls in a row without any response replace a client.
const MAX_SILENT: u32 = 2;
/// The clients of one upstream.
pub(super) struct Clients {
    slots: Mutex<Vec<Arc<Slot>>>,
    next: AtomicUsize,
    /// Whether a call is making a further client.
    is_opening: AtomicBool,
    /// Keeps no connection: each call opens its own. Made when the first call needs it.
    unpooled: OnceLock<reqwest::Client>,
    settings: Settings,
}

struct Slot {
    client: reqwest::Client,
    since: Instant,
    in_flight: AtomicUsize,
    silent: AtomicU32,
    /// Whether a call is making the client that takes its place.
    is_replaced: AtomicBool,
}

/// A client that is to be made.
enum ClientRequest {
    InPlaceOf(Arc<Slot>),
    Further,
}

impl Slot {
    fn new(client: reqwest::Client, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            client,
            since: now,
            in_flight: AtomicUsize::new(0),
            silent: AtomicU32::new(0),
            is_replaced: AtomicBool::new(false),
        })
    }

    fn is_worn(&self, now: Instant) -> bool {
        self.silent.load(Ordering::Relaxed) >= MAX_SILENT || now.saturating_duration_since(self.since) >= MAX_AGE
    }

    fn has_room(&self, limit: usize) -> bool {
        self.in_flight.load(Ordering::Relaxed) < limit
    }
}

impl CallCounter for Slot {
    fn responded(&self) {
        self.silent.store(0, Ordering::Relaxed);
    }

    fn ended(&self, in_silence: bool) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        if in_silence {
            self.silent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Clients {
    pub(super) fn new(settings: Settings) -> Result<Self, TransportProblem> {
        let now = Instant::now();
        let slots = (0..settings.shards).map(|_| Ok(Slot::new(client(&settings, true)?, now)));
        let slots = slots.collect::<Result<_, TransportProblem>>()?;
        Ok(Self {
            slots: Mutex::new(slots),
            next: AtomicUsize::new(0),
            is_opening: AtomicBool::new(false),
            unpooled: OnceLock::new(),
            settings,
        })
    }

    /// A client whose next connection is a new one; `None` if none can be made.
    pub(super) fn unpooled(&self) -> Option<reqwest::Client> {
        if let Some(client) = self.unpooled.get() {
            return Some(client.clone());
        }
        match client(&self.settings, false) {
            Ok(client) => Some(self.unpooled.get_or_init(|| client).clone()),
            Err(problem) => {
                tracing::warn!(%problem, "no HTTP client without a pool");
                None
            }
        }
    }

    /// The client that takes the next call, and the call's place on it. A client is made outside of the lock: meanwhile other calls take the
    /// clients that are there.
    pub(super) fn take(&self) -> Option<(reqwest::Client, InFlight)> {
        let now = Instant::now();
        let (mut slot, wanted) = self.choose(now)?;
        if let Some(wanted) = wanted
            && let Some(made) = self.make(wanted, now)
        {
            slot = made;
        }
        slot.in_flight.fetch_add(1, Ordering::Relaxed);
        let client = slot.client.clone();
        Some((client, InFlight::new(slot, now)))
    }

    /// The client for the next call, and what is to be made in addition.
    fn choose(&self, now: Instant) -> Option<(Arc<Slot>, Option<ClientRequest>)> {
        let mut slots = self.slots();
        let start = if slots.len() > 1 {
            self.next.fetch_add(1, Ordering::Relaxed)
        } else {
            0
        };
        let start = start.checked_rem(slots.len().min(self.settings.shards))?;
        self.drop_worn(&mut slots, now);
        let limit = self.settings.max_in_flight;
        let first = slots.get(start)?;
        if first.is_worn(now) && !first.is_replaced.swap(true, Ordering::Relaxed) {
            return Some((Arc::clone(first), Some(ClientRequest::InPlaceOf(Arc::clone(first)))));
        }
        let (before, from) = slots.split_at(start.min(slots.len()));
        let has_room = |slot: &&Arc<Slot>| slot.has_room(limit);
        let all = || from.iter().chain(before);
        if let Some(free) = all().filter(has_room).find(|slot| !slot.is_worn(now)) {
            return Some((Arc::clone(free), None));
        }
        let least = Arc::clone(slots.iter().min_by_key(|slot| slot.in_flight.load(Ordering::Relaxed))?);
        let may_open = slots.len() < self.settings.most_clients && !self.is_opening.swap(true, Ordering::Relaxed);
        Some((least, may_open.then_some(ClientRequest::Further)))
    }

    /// Those that came on top for a rush go without a replacement.
    fn drop_worn(&self, slots: &mut Vec<Arc<Slot>>, now: Instant) {
        let mut index = 0;
        slots.retain(|slot| {
            index += 1;
            index <= self.settings.shards || !slot.is_worn(now)
        });
    }

    /// Makes a client; `None` if that fails.
    fn make(&self, wanted: ClientRequest, now: Instant) -> Option<Arc<Slot>> {
        let made = client(&self.settings, true).map(|client| Slot::new(client, now));
        let mut slots = self.slots();
        match (made, wanted) {
            (Ok(made), ClientRequest::InPlaceOf(worn)) => {
                let silent = worn.silent.load(Ordering::Relaxed);
                tracing::debug!(silent, "HTTP client replaced");
                let place = slots.iter_mut().find(|slot| Arc::ptr_eq(slot, &worn))?;
                *place = Arc::clone(&made);
                Some(made)
            }
            (Ok(made), ClientRequest::Further) => {
                self.is_opening.store(false, Ordering::Relaxed);
                slots.push(Arc::clone(&made));
                tracing::debug!(clients = slots.len(), "HTTP client added");
                Some(made)
            }
            (Err(problem), ClientRequest::InPlaceOf(worn)) => {
                worn.is_replaced.store(false, Ordering::Relaxed);
                tracing::warn!(%problem, "worn HTTP client kept");
                None
            }
            (Err(problem), ClientRequest::Further) => {
                self.is_opening.store(false, Ordering::Relaxed);
                tracing::warn!(%problem, "no further HTTP client");
                None
            }
        }
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clients(change: impl FnOnce(&mut Settings)) -> Clients {
        let mut settings = Settings::default();
        change(&mut settings);
        Clients::new(settings).unwrap()
    }

    fn age(clients: &Clients) -> Duration {
        clients.slots().first().unwrap().since.elapsed()
    }

    async fn silent_call(clients: &Clients) {
        let call = clients.take().unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        drop(call);
    }

    #[tokio::test(start_paused = true)]
    async fn two_silent_calls_in_a_row_replace_a_client() {
        let clients = clients(|_| {});
        silent_call(&clients).await;
        clients.take().unwrap().1.responded();
        silent_call(&clients).await;
        drop(clients.take());
        assert_eq!(age(&clients), Duration::from_secs(4), "a response came in between");
        silent_call(&clients).await;
        drop(clients.take());
        assert_eq!(age(&clients), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_leaves_at_once_says_nothing() {
        let clients = clients(|_| {});
        for _ in 0..10 {
            let call = clients.take();
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(call);
        }
        assert_eq!(age(&clients), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_client_is_replaced() {
        let clients = clients(|_| {});
        tokio::time::sleep(MAX_AGE).await;
        drop(clients.take());
        assert_eq!(age(&clients), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rush_gets_further_clients_which_go_when_they_are_old() {
        let clients = clients(|settings| settings.max_in_flight = 4);
        let calls: Vec<_> = (0..10).map(|_| clients.take()).collect();
        assert_eq!(clients.slots().len(), 3);
        drop(calls);
        drop(clients.take());
        assert_eq!(clients.slots().len(), 3, "they are still of use");
        tokio::time::sleep(MAX_AGE).await;
        drop(clients.take());
        assert_eq!(clients.slots().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_an_end_to_clients() {
        let clients = clients(|settings| (settings.max_in_flight, settings.most_clients) = (1, 3));
        let calls: Vec<_> = (0..7).map(|_| clients.take().unwrap()).collect();
        assert_eq!((calls.len(), clients.slots().len()), (7, 3));
    }
}
