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
    /// Whether a jump of the clock may end the time in which bills are requested.
    may_leave_bills: bool,
    record: Arc<Record>,
}

impl Kept {
    pub(crate) fn new(record: Arc<Record>, may_leave_bills: bool) -> Self {
        Self {
            entries: Mutex::default(),
            corrected: Mutex::default(),
            may_leave_bills,
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
        let id = correction.id.to_u128();
        let mut corrected = self.corrected.lock().unwrap();
        // A bill that a jump of the clock left to a later run comes after that.
        let is_first = if correction.awaits_bill {
            !corrected.contains(&id)
        } else {
            corrected.insert(id)
        };
        drop(corrected);
        if !is_first {
            self.record.wrong("an entry was corrected twice".to_owned());
        }
        if correction.awaits_bill && !self.may_leave_bills {
            self.record.wrong("a bill was left to a later run".to_owned());
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
