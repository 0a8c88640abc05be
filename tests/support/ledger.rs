//! A ledger that keeps every entry and correction.

use std::sync::{Arc, Mutex};

use openrouter_simulator::Simulator;
use tower_openrouter::layers::ledger::{Correction, Entry, Ledger};

#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Vec<Entry>>);

impl Kept {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }

    /// What all entries cost together, in pico-dollars.
    pub(crate) fn total(&self) -> i128 {
        self.entries().iter().map(|entry| entry.cost().pico()).sum()
    }
}

/// The simulator's own bill, in pico-dollars.
pub(crate) fn bill(simulator: &Simulator) -> i128 {
    i128::from(simulator.billed_total().pico())
}

impl Ledger for Kept {
    fn record(&self, entry: &Entry) {
        let mut entries = self.0.lock().unwrap();
        assert!(entries.iter().all(|known| known.id != entry.id), "recorded twice");
        entries.push(entry.clone());
    }

    fn correct(&self, correction: &Correction) {
        let mut entries = self.0.lock().unwrap();
        let entry = entries.iter_mut().find(|known| known.id == correction.id);
        correction.apply(entry.unwrap());
    }
}
