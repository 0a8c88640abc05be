//! The upstream's own record: every exchange that reached it, what it sent, and when the connection closed.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tower_openrouter::{Api, UsdAmount};

use super::{faults::Fate, wire::Written};

/// One exchange, as the upstream saw it.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) call: u64,
    /// The attempt's number, as the request carried it.
    pub(crate) attempt: u32,
    pub(crate) api: Api,
    pub(crate) model: String,
    pub(crate) streamed: bool,
    pub(crate) began: Duration,
    pub(crate) closed: Option<Duration>,
    pub(crate) fate: Fate,
    pub(crate) is_pinned: bool,
    /// What of the answer is complete where.
    pub(crate) written: Written,
    /// Bytes that the other side has taken.
    pub(crate) taken: usize,
    /// When the first content was taken.
    pub(crate) shown: Option<Duration>,
    /// When the answer was whole on the other side.
    pub(crate) whole: Option<Duration>,
    /// The charge of the answer as a whole, and what was taken of it costs.
    pub(crate) charge: UsdAmount,
    /// The counts alone are reported, and true.
    pub(crate) is_counted: bool,
    pub(crate) id: String,
    /// The answer was cut by `max_tokens`.
    pub(crate) is_cut: bool,
    /// The other side let go before the end.
    pub(crate) was_dropped: bool,
}

impl Exchange {
    /// The charge, if it was reported and the other side has read to the end.
    pub(crate) fn told_charge(&self) -> Option<UsdAmount> {
        (self.was_charged() && !self.was_dropped).then_some(self.charge)
    }

    /// The other side has taken the bytes that report the charge.
    pub(crate) fn was_charged(&self) -> bool {
        self.written.charged.is_some_and(|place| place <= self.taken)
    }

    /// How many bytes of text the other side has.
    pub(crate) fn text_taken(&self) -> usize {
        self.written.text_within(self.taken)
    }
}

/// All exchanges of a run, and what was found wrong.
#[derive(Debug)]
pub(crate) struct Record {
    began: Instant,
    exchanges: Mutex<Vec<Exchange>>,
    wrong: Mutex<Vec<String>>,
    /// From now on the upstream is well.
    is_well: AtomicBool,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            exchanges: Mutex::default(),
            wrong: Mutex::default(),
            is_well: AtomicBool::new(false),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn open(&self, exchange: Exchange) -> usize {
        let mut exchanges = self.exchanges.lock().unwrap();
        exchanges.push(exchange);
        exchanges.len() - 1
    }

    pub(crate) fn change(&self, index: usize, change: impl FnOnce(&mut Exchange)) {
        change(&mut self.exchanges.lock().unwrap()[index]);
    }

    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }

    /// What this reads of all exchanges.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&[Exchange]) -> T) -> T {
        read(&self.exchanges.lock().unwrap())
    }

    /// Exchanges whose connection is open: of this call, or of all.
    pub(crate) fn open_of(&self, call: Option<u64>) -> usize {
        let exchanges = self.exchanges.lock().unwrap();
        let mine = exchanges
            .iter()
            .filter(|exchange| call.is_none_or(|call| exchange.call == call));
        mine.filter(|exchange| exchange.closed.is_none()).count()
    }

    /// Writes down that something is wrong.
    pub(crate) fn wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    pub(crate) fn all_wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap().clone()
    }

    pub(crate) fn recover(&self) {
        self.is_well.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_well(&self) -> bool {
        self.is_well.load(Ordering::Relaxed)
    }
}
