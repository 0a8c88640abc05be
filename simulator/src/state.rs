//! What all connections share.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::Config;
use crate::generation::Generation;
use crate::money::Cost;
use crate::plans::Plans;
use crate::prompt_cache::PromptCache;
use crate::report::{Attempt, Report};
use crate::response_cache::ResponseCache;
use crate::script::Script;
use crate::written::Written;

/// The state, its clock, and the bell that rings at each change.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) changed: Notify,
    pub(crate) written: Written,
    pub(crate) started: Instant,
    pub(crate) open: AtomicU64,
    pub(crate) accepted: AtomicU64,
}

/// Everything under the one lock.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) dice: fastrand::Rng,
    pub(crate) plans: Plans,
    pub(crate) attempts: VecDeque<Attempt>,
    pub(crate) next_index: u64,
    pub(crate) billed: Cost,
    pub(crate) spent: HashMap<String, Cost>,
    pub(crate) closed_by_client: u64,
    pub(crate) generations: HashMap<String, Generation>,
    pub(crate) prompt_cache: PromptCache,
    pub(crate) response_cache: ResponseCache,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        let mut plans = Plans::default();
        for (model, plan) in &config.plans {
            plans.set(model.clone(), plan.clone());
        }
        plans.set_all(config.all.clone());
        let state = State {
            dice: fastrand::Rng::with_seed(config.seed),
            plans,
            attempts: VecDeque::new(),
            next_index: 0,
            billed: Cost::ZERO,
            spent: HashMap::new(),
            closed_by_client: 0,
            generations: HashMap::new(),
            prompt_cache: PromptCache::default(),
            response_cache: ResponseCache::default(),
            config,
        };
        Self {
            state: Mutex::new(state),
            changed: Notify::new(),
            written: Written::default(),
            started: Instant::now(),
            open: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
        }
    }

    /// The state. A panic elsewhere leaves it as good as it was: every change is one assignment.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The report so far.
    pub(crate) fn report(&self) -> Report {
        let state = self.lock();
        Report {
            attempts: state.attempts.iter().cloned().collect(),
            billed: state.billed,
            closed_by_client: state.closed_by_client,
            connections_accepted: self.accepted.load(Ordering::Relaxed),
            open_connections: self.open.load(Ordering::Relaxed),
        }
    }
}

impl State {
    /// The record of a request, while it is kept.
    pub(crate) fn attempt(&mut self, index: u64) -> Option<&mut Attempt> {
        let first = self.next_index - self.attempts.len() as u64;
        let place = usize::try_from(index.checked_sub(first)?).ok()?;
        self.attempts.get_mut(place)
    }

    /// Adds a record, and removes the oldest if there are too many.
    pub(crate) fn record(&mut self, attempt: Attempt) {
        self.next_index += 1;
        self.attempts.push_back(attempt);
        while self.attempts.len() > self.config.keep {
            if let Some(id) = self.attempts.pop_front().and_then(|old| old.generation_id) {
                self.generations.remove(&id);
            }
        }
    }

    /// Puts a cost on the bill of a request and its key.
    pub(crate) fn charge(&mut self, index: u64, key: &str, cost: Cost) {
        self.billed += cost;
        *self.spent.entry(key.to_owned()).or_default() += cost;
        if let Some(attempt) = self.attempt(index) {
            attempt.billed += cost;
        }
    }

    /// A new id, `gen-<seconds>-<20 letters and digits>`, and those seconds.
    pub(crate) fn generation_id(&mut self) -> (String, u64) {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let tail: String = (0..20).map(|_| self.dice.alphanumeric()).collect();
        (format!("gen-{seconds}-{tail}"), seconds)
    }

    /// Takes on a script: its plans replace all others.
    pub(crate) fn run_script(&mut self, script: Script) {
        self.plans.clear();
        for (model, plan) in script.models {
            self.plans.set(model, plan);
        }
        self.plans.set_all(script.all);
        if let Some(seed) = script.seed {
            self.config.seed = seed;
            self.dice = fastrand::Rng::with_seed(seed);
        }
        if script.credits.is_some() {
            self.config.credits = script.credits;
        }
        if !script.keys.is_empty() {
            self.config.keys = script.keys.into_iter().collect();
        }
        self.config.piece_delay = script.piece_delay.unwrap_or(self.config.piece_delay);
        self.config.generation_lag = script.generation_lag.unwrap_or(self.config.generation_lag);
    }

    /// Forgets what was seen, spent and planned; keeps the settings.
    pub(crate) fn reset(&mut self) {
        self.plans.clear();
        self.attempts.clear();
        self.generations.clear();
        self.prompt_cache = PromptCache::default();
        self.spent.clear();
        self.billed = Cost::ZERO;
        self.closed_by_client = 0;
        self.dice = fastrand::Rng::with_seed(self.config.seed);
    }
}

/// Without the keys.
impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("plans", &self.plans)
            .field("billed", &self.billed)
            .finish_non_exhaustive()
    }
}
