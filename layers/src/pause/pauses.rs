//! All that is remembered, by candidate, pool and upstream.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use foldhash::fast::RandomState;
use tokio::time::Instant;

use super::{
    RateLimitStatus,
    verdict::{ActivePause, Verdict},
};
use crate::{
    Candidate, Failure, FailureKind, FailureScope, Route,
    protocol::in_pool_of,
    util::{Seconds, Standing},
};

/// Pauses held at most: a request may name any model. Beyond them, the one that ends first is forgotten.
pub const MAX_PAUSES: usize = 10_000;

/// What upstreams said of their limits. Cheap to clone, and shared by all clones.
#[derive(Clone, Default)]
pub struct Pauses(Arc<Table>);

#[derive(Default)]
struct Table {
    /// How many verdicts there are: without any, as on a good day, the table is not looked at.
    held: AtomicUsize,
    /// The newest era.
    era: AtomicU64,
    /// By a keyed hash of what it reaches: see [`Reach`].
    verdicts: Mutex<HashMap<u64, Verdict, RandomState>>,
}

/// Where verdicts on a call are found: on its candidate, on its pool, on its upstream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach([u64; 3]);

/// One pause as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PauseReport {
    /// The candidate that met it.
    pub candidate: Candidate,
    /// How far it reaches: this candidate, its pool, or its upstream.
    pub scope: FailureScope,
    /// What the upstream said.
    pub kind: FailureKind,
    /// When a call may pass again, as a probe or since it is over.
    pub next_probe_in: Duration,
    /// When it is over by itself.
    pub ends_in: Duration,
}

impl fmt::Display for PauseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            FailureScope::Candidate => write!(f, "{}", self.candidate)?,
            FailureScope::Pool => write!(f, "all that is paid from the pool of {}", self.candidate)?,
            FailureScope::Upstream => write!(f, "all of {}", self.candidate.upstream())?,
        }
        let (next, ends) = (Seconds(self.next_probe_in), Seconds(self.ends_in));
        write!(f, ": paused ({}), next attempt in {next}, over in {ends}", self.kind)
    }
}

impl Reach {
    /// What a caller pins keeps its candidate apart; the account is what pool and upstream are kept apart by.
    pub(super) fn new(candidate: &Candidate, pinned: Route, account: Route) -> Self {
        let apart = account.hash().rotate_left(17);
        Self([
            candidate.own_hash() ^ pinned.and(account).hash(),
            candidate.quota_hash() ^ apart,
            candidate.upstream_hash() ^ apart,
        ])
    }

    /// The same if the pool of `candidate` was another one: the rest is kept.
    fn with_pool_of(self, candidate: &Candidate) -> Self {
        let [own, _, upstream] = self.0;
        let apart = upstream ^ candidate.upstream_hash();
        Self([own, candidate.quota_hash() ^ apart, upstream])
    }

    const fn of(self, scope: FailureScope) -> u64 {
        let [candidate, pool, upstream] = self.0;
        match scope {
            FailureScope::Candidate => candidate,
            FailureScope::Pool => pool,
            FailureScope::Upstream => upstream,
        }
    }
}

impl Pauses {
    /// Nothing is remembered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every pause as it stands, in no order.
    #[must_use]
    pub fn reports(&self) -> Vec<PauseReport> {
        let now = Instant::now();
        let verdicts = self.lock();
        let resting = verdicts.values().filter_map(|verdict| {
            let rest = verdict.rest.filter(|rest| rest.standing(now) != Standing::Over)?;
            let ends = rest.until().unwrap_or_else(|| rest.next_look());
            Some(PauseReport {
                candidate: verdict.candidate.clone(),
                scope: verdict.scope,
                kind: verdict.kind,
                next_probe_in: rest.next_look().saturating_duration_since(now),
                ends_in: ends.saturating_duration_since(now),
            })
        });
        resting.collect()
    }

    /// Ends every pause that applies to this candidate, and what was counted towards one: its own, on each route that requests pin, that of
    /// its [pool](Candidate::pool), and that of its upstream. For an operator who has raised a limit or a quota, and does not want to wait for the
    /// next probe. If the upstream still refuses, the next attempt pauses the candidate again.
    ///
    /// Returns how many pauses it ended.
    ///
    /// ```
    /// use tower_llm_layers::{Candidate, pause::Pauses};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pauses = Pauses::new();
    /// assert_eq!(pauses.lift(&Candidate::new("openrouter", "openai/gpt-5")?), 0, "nothing was paused");
    /// # Ok(())
    /// # }
    /// ```
    pub fn lift(&self, candidate: &Candidate) -> usize {
        self.lift_if(|verdict| verdict.reaches(candidate))
    }

    /// The same for all candidates of an upstream, their pools, and the upstream itself: e.g. when the limit of its key was raised.
    pub fn lift_upstream(&self, upstream: &str) -> usize {
        self.lift_if(|verdict| verdict.candidate.upstream() == upstream)
    }

    /// The same for everything that is paused.
    pub fn lift_all(&self) -> usize {
        self.lift_if(|_| true)
    }

    fn lift_if(&self, is_meant: impl Fn(&Verdict) -> bool) -> usize {
        let now = Instant::now();
        let mut verdicts = self.lock();
        let mut lifted = 0;
        verdicts.retain(|_, verdict| {
            if !is_meant(verdict) {
                return true;
            }
            let is_paused = verdict.is_paused(now);
            if is_paused {
                tracing::info!(
                    model = verdict.candidate.model(),
                    upstream = verdict.candidate.upstream(),
                    kind = verdict.kind.as_str(),
                    scope = ?verdict.scope,
                    "pause lifted"
                );
            }
            lifted += usize::from(is_paused);
            false
        });
        self.count(&verdicts);
        lifted
    }

    /// Lets a call pass, with the newest era and whether it is a probe, or says what is in its way.
    pub(super) fn admit(&self, reach: Reach) -> Result<(u64, bool), ActivePause> {
        let is_probe = self.0.held.load(Ordering::Acquire) > 0 && self.look(reach)?;
        Ok((self.0.era.load(Ordering::Relaxed), is_probe))
    }

    #[cold]
    fn look(&self, reach: Reach) -> Result<bool, ActivePause> {
        let now = Instant::now();
        let mut verdicts = self.lock();
        let mut worst: Option<ActivePause> = None;
        let mut is_probe = false;
        for key in reach.0 {
            let Some(verdict) = verdicts.get_mut(&key) else {
                continue;
            };
            match verdict.look(now) {
                Ok(probe) => is_probe |= probe,
                Err(held) if worst.is_none_or(|worst| worst.next_look < held.next_look) => worst = Some(held),
                Err(_) => {}
            }
            if verdict.is_empty() {
                verdicts.remove(&key);
            }
        }
        self.count(&verdicts);
        if let Some(worst) = worst {
            return Err(worst);
        }
        for key in reach.0 {
            if let Some(verdict) = verdicts.get_mut(&key) {
                verdict.pass(now, is_probe);
            }
        }
        Ok(is_probe)
    }

    /// An attempt that began in this era failed so.
    pub(super) fn failed<E: Failure>(&self, candidate: &Candidate, reach: Reach, begun: u64, error: &E) {
        let (scope, paid_from) = (error.scope(), in_pool_of(error, candidate));
        if scope == FailureScope::Pool && paid_from.pool() != candidate.pool() {
            // It leads to a pool that is not its own: both are known by it, and what its own pool pays for is not touched.
            self.pause((&paid_from, scope), reach.with_pool_of(&paid_from), begun, error);
            self.pause((candidate, FailureScope::Candidate), reach, begun, error);
        } else {
            self.pause((candidate, scope), reach, begun, error);
        }
    }

    fn pause<E: Failure>(&self, (candidate, scope): (&Candidate, FailureScope), reach: Reach, begun: u64, error: &E) {
        let (kind, now) = (error.kind(), Instant::now());
        let mut verdicts = self.lock();
        make_room(&mut verdicts);
        let verdict = verdicts
            .entry(reach.of(scope))
            .or_insert_with(|| Verdict::new(candidate.clone(), scope, now));
        let next_era = self.0.era.load(Ordering::Relaxed) + 1;
        let paused = verdict.failed(kind, error.retry_after(), (begun, next_era), now);
        if paused.is_some() {
            self.0.era.store(next_era, Ordering::Relaxed);
        }
        self.count(&verdicts);
        drop(verdicts);
        if let Some(pause) = paused {
            crate::metering::paused(candidate, kind.as_str());
            tracing::warn!(
                model = candidate.model(),
                upstream = candidate.upstream(),
                kind = kind.as_str(),
                ?scope,
                ?pause,
                "candidate paused"
            );
        }
    }

    /// An attempt that began in this era was answered.
    pub(super) fn succeeded(&self, candidate: &Candidate, reach: Reach, begun: u64, status: Option<&RateLimitStatus>) {
        let slows = status.is_some_and(|status| status.gap().is_some());
        if self.0.held.load(Ordering::Acquire) == 0 && !slows {
            return;
        }
        let now = Instant::now();
        let mut verdicts = self.lock();
        for key in reach.0 {
            if let Some(verdict) = verdicts.get_mut(&key).filter(|verdict| verdict.era <= begun) {
                verdict.lift();
                if verdict.is_empty() {
                    verdicts.remove(&key);
                }
            }
        }
        if let Some(status) = status {
            let key = reach.of(FailureScope::Candidate);
            if slows {
                make_room(&mut verdicts);
                let new = || Verdict::new(candidate.clone(), FailureScope::Candidate, now);
                verdicts.entry(key).or_insert_with(new).slow_down(status, now);
            } else if let Some(verdict) = verdicts.get_mut(&key) {
                verdict.slow_down(status, now);
                if verdict.is_empty() {
                    verdicts.remove(&key);
                }
            }
        }
        self.count(&verdicts);
    }

    /// A probe has learned nothing.
    #[cold]
    pub(super) fn give_back(&self, reach: Reach, begun: u64) {
        let now = Instant::now();
        let mut verdicts = self.lock();
        for key in reach.0 {
            if let Some(verdict) = verdicts.get_mut(&key).filter(|verdict| verdict.era <= begun) {
                verdict.give_back(now);
            }
        }
    }

    fn count(&self, verdicts: &HashMap<u64, Verdict, RandomState>) {
        self.0.held.store(verdicts.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Verdict, RandomState>> {
        self.0.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a tenth if there are too many: a caller that names ever new models pays for it once in so many calls.
fn make_room(verdicts: &mut HashMap<u64, Verdict, RandomState>) {
    if verdicts.len() < MAX_PAUSES {
        return;
    }
    let mut all: Vec<_> = verdicts
        .iter()
        .map(|(key, verdict)| (verdict.worth(), verdict.touched, *key))
        .collect();
    all.sort_unstable();
    for (.., key) in all.iter().take(MAX_PAUSES / 10) {
        verdicts.remove(key);
    }
}

impl fmt::Debug for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pauses")
            .field("held", &self.0.held)
            .finish_non_exhaustive()
    }
}
