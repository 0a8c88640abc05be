//! What all copies of one call's request share: the lines of its log, and the cap on its attempts.

use std::{
    fmt,
    sync::{
        MutexGuard,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use smallvec::SmallVec;
use tokio::time::Instant;

use super::{Attempt, Candidate, Outcome};
use crate::util::Lock;

/// The lines of a call. Most calls make one attempt: its line needs no allocation of its own.
pub(super) type Lines = SmallVec<[Attempt; 1]>;

/// Shared by all copies of a call.
pub(crate) struct CallState {
    begun: Instant,
    /// The deadline, in nanoseconds after the beginning; `u64::MAX` without one.
    ends: AtomicU64,
    #[cfg(feature = "cost")]
    id: std::sync::OnceLock<super::CallId>,
    cap: AtomicU32,
    claimed: AtomicU32,
    turns: AtomicU32,
    /// The turns that were given within another one, each with that one's number: of a chain below a retry.
    within: Lock<Vec<(u32, u32)>>,
    /// Whether it has been counted among the calls that retries are a share of.
    counted: std::sync::atomic::AtomicBool,
    lines: Lock<Lines>,
}

impl CallState {
    pub(super) fn new(begun: Instant) -> Self {
        Self {
            begun,
            ends: AtomicU64::new(u64::MAX),
            #[cfg(feature = "cost")]
            id: std::sync::OnceLock::new(),
            cap: AtomicU32::new(u32::MAX),
            claimed: AtomicU32::new(0),
            turns: AtomicU32::new(0),
            within: Lock::new(Vec::new()),
            counted: std::sync::atomic::AtomicBool::new(false),
            lines: Lock::new(Lines::new()),
        }
    }

    pub(super) fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock()
    }

    /// The call ends by this instant, or an earlier one that was set before.
    pub(super) fn ends_by(&self, deadline: Instant) {
        let nanos = u64::try_from(self.since_begin(deadline).as_nanos()).unwrap_or(u64::MAX);
        self.ends.fetch_min(nanos, Ordering::Relaxed);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let nanos = self.ends.load(Ordering::Relaxed);
        let time = (nanos < u64::MAX).then(|| Duration::from_nanos(nanos))?;
        self.begun.checked_add(time)
    }

    pub(super) fn elapsed(&self) -> Duration {
        crate::util::since(self.begun)
    }

    pub(super) fn since_begin(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.begun)
    }

    /// The call's id in the ledger: made when it is first requested.
    #[cfg(feature = "cost")]
    pub(super) fn id(&self, at: crate::UtcTime) -> super::CallId {
        *self.id.get_or_init(|| super::CallId::new(at))
    }

    /// The same if it was requested before.
    #[cfg(feature = "cost")]
    pub(super) fn known_id(&self) -> Option<super::CallId> {
        self.id.get().copied()
    }

    pub(super) fn has_attempts(&self) -> bool {
        self.claimed.load(Ordering::Relaxed) > 0
    }

    /// A number that no other turn of this call has, for a turn within another one; 0 is none.
    pub(super) fn new_turn(&self, within: u32) -> u32 {
        let number = self.turns.fetch_add(1, Ordering::Relaxed) + 1;
        if within > 0 {
            self.within.lock().push((number, within));
        }
        number
    }

    /// Whether this turn is the other one, or was given within it. A turn that is given within another one is newer.
    fn is_within(turns: &[(u32, u32)], mut turn: u32, outer: u32) -> bool {
        while turn > outer {
            let found = turns.iter().find(|(inner, _)| *inner == turn);
            let Some((_, within)) = found else { return false };
            turn = *within;
        }
        turn == outer
    }

    pub(super) fn counts(&self) -> bool {
        !self.counted.swap(true, Ordering::Relaxed)
    }

    pub(super) fn attempts_left(&self, own: u32) -> u32 {
        let cap = self.cap.load(Ordering::Relaxed).min(own);
        if cap == u32::MAX {
            return cap;
        }
        cap.saturating_sub(self.claimed.load(Ordering::Relaxed))
    }

    /// Takes one attempt out of the cap; its number, or the cap if that is spent.
    pub(super) fn claim(&self, cap: u32) -> Result<u32, u32> {
        let cap = self.cap.fetch_min(cap, Ordering::Relaxed).min(cap);
        let below = |claimed| (claimed < cap).then_some(claimed + 1);
        let claimed = self
            .claimed
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, below)
            .map_err(|_| cap)?;
        Ok(claimed + 1)
    }

    /// Writes a new line; its index.
    pub(super) fn push(&self, line: Attempt) -> usize {
        let mut lines = self.lines();
        lines.push(line);
        lines.len() - 1
    }

    pub(super) fn change(&self, index: usize, change: impl FnOnce(&mut Attempt)) {
        if let Some(line) = self.lines().get_mut(index) {
            change(line);
        }
    }

    /// Whether the exchange over this line is its first one.
    pub(super) fn begin_exchange(&self, index: usize) -> bool {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(index).filter(|line| line.exchanges == 0) else {
            return false;
        };
        line.exchanges = 1;
        true
    }

    /// Opens a line for a further exchange over this one; its index.
    pub(super) fn repeat_exchange(&self, index: usize, number: u32) -> usize {
        let started = self.elapsed();
        let mut lines = self.lines();
        let mut line = Attempt::new(number, None, started);
        if let Some(first) = lines.get_mut(index) {
            first.exchanges += 1;
            line.candidate.clone_from(&first.candidate);
            line.turn = first.turn;
        }
        line.exchanges = 1;
        line.repeats = Some(index);
        line.note = Some("sent again by a service below the attempt".into());
        lines.push(line);
        lines.len() - 1
    }

    /// The exchanges of the attempt on this line: its own, and those that a service below the attempt made after it.
    pub(super) fn exchanges(lines: &[Attempt], index: usize) -> impl DoubleEndedIterator<Item = &Attempt> {
        let own = move |(at, line): (usize, &'_ Attempt)| at == index || line.repeats == Some(index);
        let of_attempt = lines.iter().enumerate().filter(move |line| own(*line));
        of_attempt.map(|(_, line)| line)
    }

    /// Whether a request that a ledger entry accounts for is sent for the first time.
    pub(super) fn is_first_sending(&self, index: usize) -> bool {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(index).filter(|line| line.exchanges > 0) else {
            return true;
        };
        line.sendings += 1;
        line.sendings == 1
    }

    /// Writes down a candidate that was passed over, after `noted` has read the line.
    pub(super) fn skipped(&self, candidate: Candidate, reason: &str, noted: impl FnOnce(&Attempt)) {
        let mut line = Attempt::new(0, Some(candidate), self.elapsed());
        line.outcome = Outcome::Skipped;
        line.summary = Some(reason.into());
        noted(&line);
        self.push(line);
    }

    /// Visits the attempts of one turn and of the turns within it, the newest first, until `found` returns true. Returns whether it did.
    pub(super) fn find_in_turn(&self, turn: u32, found: impl FnMut(&mut Attempt) -> bool) -> bool {
        self.find_in_turn_from(0, turn, found)
    }

    /// The same among the lines from this index on.
    pub(super) fn find_in_turn_from(&self, from: usize, turn: u32, found: impl FnMut(&mut Attempt) -> bool) -> bool {
        let (turns, mut lines) = (self.within.lock(), self.lines());
        let mut own = lines
            .iter_mut()
            .skip(from)
            .rev()
            .filter(|line| line.number > 0 && Self::is_within(&turns, line.turn, turn));
        own.any(found)
    }

    /// The candidates whose answers began and were interrupted, each as often as it happened.
    pub(super) fn interrupted(&self) -> Vec<Candidate> {
        let lines = self.lines();
        let interrupted = lines
            .iter()
            .filter(|line| line.first_token.is_some() && matches!(line.outcome, Outcome::Failed(_)));
        interrupted.filter_map(|line| line.candidate.clone()).collect()
    }
}

impl fmt::Debug for CallState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallState")
            .field("attempts", &self.lines().len())
            .finish_non_exhaustive()
    }
}
