//! The ledger of a run, and the source of late bills.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use tower_openrouter::layers::{
    ledger::{Correction, Entry, Ledger},
    reconcile::{Bill, BillFuture, BillSource},
};

use crate::record::Record;

/// Keeps every entry.
#[derive(Debug)]
pub(crate) struct Kept {
    entries: Mutex<Vec<Entry>>,
    corrected: Mutex<HashSet<u128>>,
    record: Arc<Record>,
}

impl Kept {
    pub(crate) fn new(record: Arc<Record>) -> Self {
        Self {
            entries: Mutex::default(),
            corrected: Mutex::default(),
            record,
        }
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }
}

impl Ledger for Kept {
    fn record(&self, entry: &Entry) {
        let mut entries = self.entries.lock().unwrap();
        if entries.iter().any(|known| known.id == entry.id) {
            self.record.wrong("an entry was recorded twice".to_owned());
        }
        entries.push(entry.clone());
    }

    fn correct(&self, correction: &Correction) {
        // A bill that a jump of the clock left to a later run comes after that.
        if !correction.awaits_bill && !self.corrected.lock().unwrap().insert(correction.id.to_u128()) {
            self.record.wrong("an entry was corrected twice".to_owned());
        }
        let mut entries = self.entries.lock().unwrap();
        match entries.iter_mut().find(|known| known.id == correction.id) {
            Some(entry) => correction.apply(entry),
            None => self
                .record
                .wrong("a correction of an entry that was never recorded".to_owned()),
        }
    }
}

/// The upstream's account: it knows the charge of every exchange.
#[derive(Debug)]
pub(crate) struct Bills(pub(crate) Arc<Record>);

impl BillSource for Bills {
    fn bill(&self, entry: &Entry) -> BillFuture {
        let id = entry.generation_id.as_deref().unwrap_or_default();
        let charge = self.0.read(|exchanges| {
            let mut known = exchanges.iter().filter(|exchange| exchange.id == id);
            known.next().map(|exchange| exchange.charge)
        });
        Box::pin(async move { Ok(charge.map(|charge| Bill::new(charge, None))) })
    }
}
