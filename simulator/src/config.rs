//! The settings of a simulator that are in force.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::money::Cost;
use crate::plan::Plan;

/// The settings in force.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) seed: u64,
    pub(crate) keys: BTreeMap<String, Option<Cost>>,
    pub(crate) credits: Option<Cost>,
    pub(crate) plans: Vec<(String, Plan)>,
    pub(crate) all: Option<Plan>,
    pub(crate) piece_delay: Duration,
    pub(crate) generation_lag: Duration,
    pub(crate) generation_misses: u32,
    pub(crate) keep: usize,
}

/// Without the keys.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("seed", &self.seed)
            .field("credits", &self.credits)
            .finish_non_exhaustive()
    }
}
