//! How a simulator is set up.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::config::Config;
use crate::fault::FaultError;
use crate::money::Cost;
use crate::plan::Plan;
use crate::script::Script;

/// Sets up a [`Simulator`](crate::Simulator).
#[derive(Clone, Debug)]
#[must_use = "nothing happens before `start`"]
pub struct Builder {
    pub(crate) address: SocketAddr,
    pub(crate) config: Config,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            config: Config {
                seed: 1,
                keys: BTreeMap::new(),
                credits: None,
                plans: Vec::new(),
                all: None,
                piece_delay: Duration::ZERO,
                generation_lag: Duration::ZERO,
                generation_misses: 0,
                keep: 100_000,
            },
        }
    }
}

impl Builder {
    /// The seed of every choice: texts, ids, percentages. 1 if not given.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// The address to listen on. A free port of 127.0.0.1 if not given.
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Accepts this key. Once a key is listed, all others are unknown; before, every `sk-or-v1-…` is accepted.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.config.keys.insert(key.into(), None);
        self
    }

    /// Accepts this key until it has spent `limit`; from then on it gets 403.
    pub fn key_with_limit(mut self, key: impl Into<String>, limit: Cost) -> Self {
        self.config.keys.insert(key.into(), Some(limit));
        self
    }

    /// The balance of the account: 402 once it is spent, or if `max_tokens` could overdraw it. None if not given.
    pub fn credits(mut self, credits: Cost) -> Self {
        self.config.credits = Some(credits);
        self
    }

    /// The plan of one model, or of a path such as `/models`.
    ///
    /// # Errors
    ///
    /// If the text is no plan.
    pub fn plan(self, model: impl Into<String>, plan: &str) -> Result<Self, FaultError> {
        Ok(self.typed_plan(model, plan.parse::<Plan>()?))
    }

    /// The plan of one model, or of a path such as `/models`.
    pub fn typed_plan(mut self, model: impl Into<String>, plan: impl Into<Plan>) -> Self {
        self.config.plans.push((model.into(), plan.into()));
        self
    }

    /// The plan of every model that has none of its own; each model goes through it by itself.
    ///
    /// # Errors
    ///
    /// If the text is no plan.
    pub fn plan_all(mut self, plan: &str) -> Result<Self, FaultError> {
        self.config.all = Some(plan.parse()?);
        Ok(self)
    }

    /// Takes plans and settings from a script.
    pub fn script(mut self, script: Script) -> Self {
        self.config.plans.extend(script.models);
        self.config.all = script.all.or(self.config.all);
        self.config.seed = script.seed.unwrap_or(self.config.seed);
        self.config.credits = script.credits.or(self.config.credits);
        self.config.keys.extend(script.keys);
        self.config.piece_delay = script.piece_delay.unwrap_or(self.config.piece_delay);
        self.config.generation_lag = script.generation_lag.unwrap_or(self.config.generation_lag);
        self
    }

    /// Time before each piece of an answer. Zero if not given.
    pub fn piece_delay(mut self, delay: Duration) -> Self {
        self.config.piece_delay = delay;
        self
    }

    /// How long `/generation` knows nothing of an answer. Zero if not given.
    pub fn generation_lag(mut self, lag: Duration) -> Self {
        self.config.generation_lag = lag;
        self
    }

    /// How many requests to `/generation` find nothing at first. Zero if not given.
    pub fn generation_misses(mut self, asks: u32) -> Self {
        self.config.generation_misses = asks;
        self
    }

    /// How many requests are remembered; the oldest are forgotten first. 100 000 if not given.
    pub fn keep_attempts(mut self, count: usize) -> Self {
        self.config.keep = count;
        self
    }
}
