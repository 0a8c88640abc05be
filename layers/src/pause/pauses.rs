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

use tokio::time::Instant;

use super::{
    RateLimitStatus,
    lifts::Lifted,
    verdict::{ActivePause, Verdict},
    verdicts::{VerdictKey, Verdicts},
};
use crate::{
    Candidate, Failure, FailureKind, FailureScope, Route,
    protocol::in_pool_of,
    util::{Lock, Seconds, Standing},
};

/// Pauses held at most: a request may name any model. Beyond them, the one that ends first is forgotten. Those of what requests pin are held apart, a
/// tenth of this number.
pub const MAX_PAUSES: usize = 10_000;

/// What upstreams said of their limits. Cheap to clone, and shared by all clones.
#[derive(Clone, Default)]
pub struct Pauses {
    table: Arc<Table>,
    /// How many [successors](Self::successor) lead to this handle.
    generation: u64,
}

#[derive(Default)]
struct Table {
    /// How many verdicts there are: without any, as on a good day, the table is not looked at.
    held: AtomicUsize,
    /// The newest era: of the last pause or lift.
    era: AtomicU64,
    /// Found by [`Reach`].
    verdicts: Mutex<Verdicts>,
    /// The newest generation that has restarted an upstream: handles of it and after it look up no restart.
    newest_restart: AtomicU64,
    /// The generation that has restarted each upstream last. As many as the settings of a process ever name.
    restarts: Lock<HashMap<Box<str>, u64>>,
}

/// Where verdicts on a call are found: on its candidate, on its pool, on its upstream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach([VerdictKey; 3]);

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
        let key = |hash: u64, route: Route| VerdictKey {
            hash,
            is_pinned: !route.is_free(),
        };
        let own = pinned.and(account);
        Self([
            key(candidate.own_hash() ^ own.hash(), own),
            key(candidate.quota_hash() ^ apart, account),
            key(candidate.upstream_hash() ^ apart, account),
        ])
    }

    /// The same if the pool of `candidate` was another one: the rest is kept.
    fn with_pool_of(self, candidate: &Candidate) -> Self {
        let [own, pool, upstream] = self.0;
        let apart = upstream.hash ^ candidate.upstream_hash();
        let pool = VerdictKey {
            hash: candidate.quota_hash() ^ apart,
            ..pool
        };
        Self([own, pool, upstream])
    }

    const fn of(self, scope: FailureScope) -> VerdictKey {
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
    /// next probe. If the upstream still refuses, the next attempt pauses the candidate again; one that is under way does not.
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
        self.end(Lifted::Candidate(candidate.clone()))
    }

    /// The same for all candidates of an upstream, their pools, and the upstream itself: e.g. when the limit of its key was raised.
    pub fn lift_upstream(&self, upstream: &str) -> usize {
        self.end(Lifted::Upstream(upstream.into()))
    }

    /// The same for everything that is paused.
    pub fn lift_all(&self) -> usize {
        self.end(Lifted::All)
    }

    /// The handle of a stack that replaces the one with this handle. Both are handles of the same pauses, and each lifts and reports them all; only
    /// at upstreams that the new one has [restarted](Self::restart_upstream), the old one pauses nothing any more.
    #[must_use]
    pub fn successor(&self) -> Self {
        Self {
            table: Arc::clone(&self.table),
            generation: self.generation.saturating_add(1),
        }
    }

    /// Restarts an upstream that has another key or another base URL than in the stacks before: [lifts](Self::lift_upstream) its pauses. What calls
    /// with a handle before this [successor](Self::successor) meet at the upstream neither begins nor ends a pause from now on, also if their attempts
    /// begin after it: they still have the old key.
    ///
    /// Returns how many pauses it ended.
    ///
    /// ```
    /// use tower_llm_layers::pause::Pauses;
    ///
    /// let before = Pauses::new(); // of the stack before
    /// let after = before.successor();
    /// assert_eq!(after.restart_upstream("openrouter"), 0, "nothing was paused");
    /// ```
    pub fn restart_upstream(&self, upstream: &str) -> usize {
        self.table
            .restarts
            .lock()
            .entry(upstream.into())
            .and_modify(|newest| *newest = self.generation.max(*newest))
            .or_insert(self.generation);
        self.table.newest_restart.fetch_max(self.generation, Ordering::AcqRel);
        self.lift_upstream(upstream)
    }

    /// Whether the upstream of this candidate was restarted by a handle after this one: what calls meet with this one counts no more.
    pub(super) fn is_outdated(&self, candidate: &Candidate) -> bool {
        if self.generation >= self.table.newest_restart.load(Ordering::Acquire) {
            return false;
        }
        let restarts = self.table.restarts.lock();
        restarts
            .get(candidate.upstream())
            .is_some_and(|newest| self.generation < *newest)
    }

    fn end(&self, lift: Lifted) -> usize {
        let now = Instant::now();
        let mut verdicts = self.lock();
        let mut lifted = 0;
        verdicts.retain(|verdict| {
            if !lift.ends(&verdict.candidate, verdict.scope) {
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
        let era = self.table.era.load(Ordering::Relaxed) + 1;
        self.table.era.store(era, Ordering::Relaxed);
        verdicts.lifts.add(lift, era);
        self.count(&verdicts);
        lifted
    }

    /// Lets a call pass, with the newest era and whether it is a probe, or says what is in its way.
    pub(super) fn admit(&self, reach: Reach) -> Result<(u64, bool), ActivePause> {
        let is_probe = self.table.held.load(Ordering::Acquire) > 0 && self.look(reach)?;
        Ok((self.table.era.load(Ordering::Relaxed), is_probe))
    }

    #[cold]
    fn look(&self, reach: Reach) -> Result<bool, ActivePause> {
        let now = Instant::now();
        let mut verdicts = self.lock();
        let mut worst: Option<ActivePause> = None;
        let mut is_probe = false;
        for key in reach.0 {
            let Some(verdict) = verdicts.get_mut(key) else {
                continue;
            };
            match verdict.look(now) {
                Ok(probe) => is_probe |= probe,
                Err(held) if worst.is_none_or(|worst| worst.next_look < held.next_look) => worst = Some(held),
                Err(_) => {}
            }
            if verdict.is_empty() {
                verdicts.remove(key);
            }
        }
        self.count(&verdicts);
        if let Some(worst) = worst {
            return Err(worst);
        }
        for key in reach.0 {
            if let Some(verdict) = verdicts.get_mut(key) {
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
        if verdicts.lifts.ended(candidate, scope, begun) {
            return;
        }
        let verdict = verdicts.get_or_add(reach.of(scope), || Verdict::new(candidate.clone(), scope, now));
        let next_era = self.table.era.load(Ordering::Relaxed) + 1;
        let paused = verdict.failed(kind, error.retry_after(), (begun, next_era), now);
        if paused.is_some() {
            self.table.era.store(next_era, Ordering::Relaxed);
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
        if self.table.held.load(Ordering::Acquire) == 0 && !slows {
            return;
        }
        let now = Instant::now();
        let mut verdicts = self.lock();
        for key in reach.0 {
            if let Some(verdict) = verdicts.get_mut(key).filter(|verdict| verdict.era <= begun) {
                verdict.lift();
                if verdict.is_empty() {
                    verdicts.remove(key);
                }
            }
        }
        let is_of_now = |_: &&RateLimitStatus| !verdicts.lifts.ended(candidate, FailureScope::Candidate, begun);
        if let Some(status) = status.filter(is_of_now) {
            let key = reach.of(FailureScope::Candidate);
            if slows {
                let new = || Verdict::new(candidate.clone(), FailureScope::Candidate, now);
                verdicts.get_or_add(key, new).slow_down(status, now);
            } else if let Some(verdict) = verdicts.get_mut(key) {
                verdict.slow_down(status, now);
                if verdict.is_empty() {
                    verdicts.remove(key);
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
            if let Some(verdict) = verdicts.get_mut(key).filter(|verdict| verdict.era <= begun) {
                verdict.give_back(now);
            }
        }
    }

    fn count(&self, verdicts: &Verdicts) {
        self.table.held.store(verdicts.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Verdicts> {
        self.table.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pauses")
            .field("held", &self.table.held)
            .finish_non_exhaustive()
    }
}
