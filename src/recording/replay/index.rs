//! Which recorded attempt an attempt of the replay goes as.

use std::{cmp::Reverse, collections::HashMap};

use super::super::{
    read::Recording,
    record::{AttemptEnd, RecordedAttempt},
};

/// The most attempts that are looked at on either side of an instant.
const FARTHEST: usize = 256;

/// A model of an upstream.
pub(super) type Name = (Box<str>, Box<str>);

/// An attempt: the place of its call, and its own among the call's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordedPosition {
    pub(super) call: usize,
    pub(super) attempt: usize,
}

/// The attempts on each model, by time.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<Name, Vec<(u64, RecordedPosition)>>);

impl Index {
    pub(super) fn of(recording: &Recording) -> Self {
        let mut all: HashMap<Name, Vec<(u64, RecordedPosition)>> = HashMap::new();
        for (place, call) in recording.calls.iter().enumerate() {
            for (own, attempt) in call.attempts.iter().enumerate() {
                let found = RecordedPosition {
                    call: place,
                    attempt: own,
                };
                all.entry(name_of(attempt)).or_default().push((attempt.at_ms, found));
            }
        }
        for attempts in all.values_mut() {
            attempts.sort_by_key(|(at, place)| (*at, place.call, place.attempt));
        }
        Self(all)
    }

    /// How many attempts on each model there are.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&Name, u64)> {
        self.0.iter().map(|(name, attempts)| (name, attempts.len() as u64))
    }

    /// The one nearest in time to this instant: of another call than this one, and one whose end is known, if there is such a one.
    pub(super) fn nearest(
        &self,
        recording: &Recording,
        name: &Name,
        at_ms: u64,
        own: usize,
    ) -> Option<RecordedPosition> {
        let attempts = self.0.get(name)?;
        let middle = attempts.partition_point(|(at, _)| *at < at_ms);
        let near = attempts
            .get(middle.saturating_sub(FARTHEST)..attempts.len().min(middle + FARTHEST))
            .unwrap_or(attempts);
        let rank = |(at, place): &&(u64, RecordedPosition)| {
            let is_known = recording
                .attempt(*place)
                .is_some_and(|attempt| attempt.end != AttemptEnd::Dropped);
            let is_other = place.call != own;
            (
                is_other && is_known,
                is_other,
                Reverse(at.abs_diff(at_ms)),
                Reverse(*at),
            )
        };
        near.iter().max_by_key(rank).map(|(_, place)| *place)
    }
}

impl Recording {
    pub(super) fn attempt(&self, place: RecordedPosition) -> Option<&RecordedAttempt> {
        self.calls.get(place.call)?.attempts.get(place.attempt)
    }

    /// The attempt of a call on this model, after so many others on it.
    pub(super) fn own_attempt(&self, call: usize, name: &Name, after: usize) -> Option<RecordedPosition> {
        let attempts = self.calls.get(call)?.attempts.iter().enumerate();
        let mut on_model = attempts.filter(|(_, attempt)| is_on(attempt, name));
        let (attempt, _) = on_model.nth(after)?;
        Some(RecordedPosition { call, attempt })
    }
}

fn name_of(attempt: &RecordedAttempt) -> Name {
    (attempt.upstream.as_str().into(), attempt.model.as_str().into())
}

fn is_on(attempt: &RecordedAttempt, name: &Name) -> bool {
    *attempt.upstream == *name.0 && *attempt.model == *name.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(attempts: &[(u64, &str)]) -> Recording {
        let lines = attempts.iter().map(|(at, end)| {
            format!(
                "{{\"call\":{{\"at_ms\":{at},\"api\":\"chat\",\"prompt_bytes\":1,\"outcome\":\"answered\",\"whole_ms\":2,\"attempts\":[{{\"number\":1,\
                 \"at_ms\":{at},\"upstream\":\"u\",\"model\":\"m\",\"end\":\"{end}\",\"end_ms\":1}}]}}}}\n"
            )
        });
        let text = "{\"recording\":{\"version\":1,\"began_ms\":0}}\n".to_owned() + &lines.collect::<String>();
        Recording::read(text.as_bytes()).unwrap()
    }

    fn nearest(recording: &Recording, at: u64, own: usize) -> Option<usize> {
        let name = ("u".into(), "m".into());
        Index::of(recording)
            .nearest(recording, &name, at, own)
            .map(|place| place.call)
    }

    #[test]
    fn the_nearest_of_another_call_counts_and_a_dropped_one_comes_last() {
        let known = recording(&[(0, "complete"), (100, "error"), (150, "dropped"), (400, "complete")]);
        assert_eq!(nearest(&known, 90, 0), Some(1));
        assert_eq!(nearest(&known, 90, 1), Some(0));
        assert_eq!(
            nearest(&known, 151, 9),
            Some(1),
            "how the dropped one would have ended is not known"
        );
        assert_eq!(nearest(&known, 1_000, 9), Some(3));
        assert_eq!(nearest(&recording(&[(7, "error")]), 9, 0), Some(0), "there is no other");
        assert_eq!(nearest(&recording(&[(7, "error"), (9, "dropped")]), 9, 0), Some(1));
        let name = ("u".into(), "other".into());
        assert_eq!(Index::of(&known).nearest(&known, &name, 0, 9), None);
    }
}
