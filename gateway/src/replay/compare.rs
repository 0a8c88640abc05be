//! A replay beside its recording: the figures of both, and the calls whose outcome changed.

use std::path::PathBuf;

use serde::Serialize;
use tower_openrouter::{
    FailureKind, UsdAmount,
    recording::{RecordedCall, RecordedOutcome, Recording, ReplayReport, ReplayedCall},
};

use super::figures::{Counted, Figures};
use crate::calls::dollars;

/// A replay beside its recording.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Comparison {
    /// What was recorded.
    pub recording: Recording,
    /// What came of it under the other settings.
    pub replayed: ReplayReport,
    /// The settings file that it was replayed against; `None` for the settings of the environment.
    pub settings: Option<PathBuf>,
    /// Settings that a replay cannot apply, and that were set.
    pub set_aside: Vec<&'static str>,
    /// The figures of the recording.
    pub before: Figures,
    /// The figures of the replay.
    pub after: Figures,
}

/// One call before and after. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Changed<'a> {
    /// When it came, after the recording's begin.
    pub at_ms: u64,
    /// The API.
    pub api: &'static str,
    /// The requested model.
    pub requested: Option<&'a str>,
    /// As recorded.
    pub recorded: Side<'a>,
    /// In the replay.
    pub replayed: Side<'a>,
}

/// How a call went.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Side<'a> {
    /// How it ended.
    pub outcome: RecordedOutcome,
    /// Why it failed.
    pub kind: Option<&'static str>,
    /// The model that answered.
    pub model: Option<&'a str>,
    /// From its beginning to the first content.
    pub first_ms: Option<u64>,
    /// From its beginning to its end.
    pub whole_ms: u64,
    /// Attempts that were sent.
    pub attempts: u64,
    /// What they cost, in US dollars.
    #[serde(serialize_with = "dollars")]
    pub cost: Option<UsdAmount>,
}

impl<'a> Side<'a> {
    fn of(call: impl Into<Counted<'a>>, kind: Option<FailureKind>) -> Self {
        let call = call.into();
        Self {
            outcome: call.outcome,
            kind: kind.map(FailureKind::as_str),
            model: call.model,
            first_ms: call.first_ms,
            whole_ms: call.whole_ms,
            attempts: call.attempts,
            cost: call.cost,
        }
    }
}

impl Comparison {
    pub(super) fn new(
        recording: Recording,
        replayed: ReplayReport,
        settings: Option<PathBuf>,
        set_aside: Vec<&'static str>,
    ) -> Self {
        Self {
            before: Figures::of(recording.calls.iter().map(Counted::from)),
            after: Figures::of(replayed.calls.iter().map(Counted::from)),
            recording,
            replayed,
            settings,
            set_aside,
        }
    }

    /// All calls, before and after.
    pub fn calls(&self) -> impl Iterator<Item = Changed<'_>> {
        let both = self.recording.calls.iter().zip(&self.replayed.calls);
        both.map(|(before, after)| Changed::of(before, after))
    }

    /// The calls whose outcome changed.
    pub fn changed(&self) -> impl Iterator<Item = Changed<'_>> {
        self.calls()
            .filter(|call| call.recorded.outcome != call.replayed.outcome)
    }

    /// How many calls that had failed were answered.
    #[must_use]
    pub fn rescued(&self) -> usize {
        let rescued = |call: &Changed<'_>| {
            (call.recorded.outcome, call.replayed.outcome) == (RecordedOutcome::Failed, RecordedOutcome::Answered)
        };
        self.changed().filter(rescued).count()
    }

    /// How many calls that had not failed did.
    #[must_use]
    pub fn newly_failed(&self) -> usize {
        self.changed()
            .filter(|call| call.replayed.outcome == RecordedOutcome::Failed)
            .count()
    }
}

impl<'a> Changed<'a> {
    fn of(before: &'a RecordedCall, after: &'a ReplayedCall) -> Self {
        Self {
            at_ms: before.at_ms,
            api: before.api.name(),
            requested: before.models.first().map(String::as_str),
            recorded: Side::of(before, before.kind),
            replayed: Side::of(after, after.kind),
        }
    }
}
