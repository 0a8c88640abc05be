//! What the log of one operation comes to.

use crate::{Attempt, AttemptLog, Candidate, UsdAmount};

/// The sums of one operation's log.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Attempts sent upstream.
    pub(super) attempts: usize,
    /// Of these, at a candidate that had been tried before.
    pub(super) retries: usize,
    /// Candidates tried after the first.
    pub(super) fallbacks: usize,
    /// What all of them cost; `None` if costs are not counted.
    pub(super) cost: Option<UsdAmount>,
    /// Of this, for answers that no caller got.
    pub(super) wasted: Option<UsdAmount>,
    /// The candidate that answered, or was tried last.
    pub(super) candidate: Option<Candidate>,
}

impl Tally {
    /// `got`: the caller has the whole answer, though it may have left before the very last byte. It is of so many parts more than one.
    pub(super) fn of(log: &AttemptLog, got: bool, resumptions: usize) -> Self {
        let lines = log.attempts();
        let sent: Vec<&Attempt> = lines.iter().filter(|line| line.is_sent).collect();
        let begun_last = sent.iter().rposition(|line| line.first_token.is_some());
        let begun = sent.iter().enumerate().filter(|(_, line)| line.first_token.is_some());
        let parts = if got { resumptions + 1 } else { 0 };
        let answering: Vec<usize> = begun.map(|(index, _)| index).rev().take(parts).collect();
        let mut tally = Self {
            attempts: sent.len(),
            ..Self::default()
        };
        for (index, line) in sent.iter().enumerate() {
            let before = sent.iter().take(index);
            let again = before.clone().any(|earlier| earlier.candidate == line.candidate);
            match (index, again) {
                (0, _) => {}
                (_, true) => tally.retries += 1,
                (_, false) => tally.fallbacks += 1,
            }
            let Some(cost) = line.cost else { continue };
            add(&mut tally.cost, cost);
            let wasted = !answering.contains(&index) && !line.has_answered();
            add(&mut tally.wasted, if wasted { cost } else { UsdAmount::ZERO });
        }
        let last = begun_last.and_then(|index| sent.get(index)).copied();
        let last = last.or_else(|| sent.last().copied());
        // A candidate that was passed over was not tried.
        let last = last.or_else(|| lines.iter().rfind(|line| line.number > 0));
        let last = last.or_else(|| lines.last());
        tally.candidate = last.and_then(|line| line.candidate.clone());
        tally
    }
}

fn add(sum: &mut Option<UsdAmount>, cost: UsdAmount) {
    *sum = Some(sum.unwrap_or(UsdAmount::ZERO).saturating_add(cost));
}
