//! What counts beside the stack: a budget store that is watched, a limit store, the ledger, the source of late bills.

mod account;
mod budgets;
mod ledger;
mod limits;
mod wall;

use std::{sync::Arc, time::Duration};

use account::Account;
pub(crate) use budgets::WatchedStore;
pub(crate) use ledger::{Bills, Kept};
pub(crate) use limits::SharedLimits;
use tokio::time::sleep;
pub(crate) use wall::{Steps, Wall};

use super::{record::Record, setup::StoreMood};

/// When a remote store is out of order.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    pub(crate) record: Arc<Record>,
    pub(crate) mood: StoreMood,
    pub(crate) outage: (Duration, Duration),
}

impl Weather {
    /// Passes the time of one question; `Err` if the store is down.
    async fn pass(&self) -> Result<(), String> {
        let now = self.record.now();
        let is_out = !self.record.is_well() && now >= self.outage.0 && now < self.outage.1;
        match self.mood {
            StoreMood::Hangs if is_out => std::future::pending().await,
            StoreMood::Fails if is_out => Err("connection refused".to_owned()),
            StoreMood::Local => Ok(()),
            _ => {
                sleep(Duration::from_millis(fastrand::u64(0..4))).await;
                Ok(())
            }
        }
    }
}
