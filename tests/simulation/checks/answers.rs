//! What callers got: in time, whole or honestly not, no character lost or repeated.

use std::time::Duration;

use tower_openrouter::{FailureKind, Phase, layers::DegradedSource};

use super::Evidence;
use crate::{
    answer::{self, CANNED},
    call::{Call, Form, Leave},
    caller::{Ending, Seen},
    faults::Fate,
};

/// What timers may be late by.
const LATE: Duration = Duration::from_millis(20);

impl Evidence<'_> {
    pub(super) fn answer(&self, call: &Call, seen: &Seen) -> Vec<String> {
        let mut wrong = Vec::new();
        self.deadline(call, seen, &mut wrong);
        self.text(call, seen, &mut wrong);
        self.good(call, seen, &mut wrong);
        wrong
    }

    /// Invariant 1.
    fn deadline(&self, call: &Call, seen: &Seen, wrong: &mut Vec<String>) {
        let Some(limit) = call.limit(self.setup) else { return };
        // A bare service is driven by polls, and its readiness is its caller's.
        if self.jumped || (call.form == Form::Raw && (self.setup.is_unready || call.reads_slowly.is_some())) {
            return;
        }
        let by = seen.began + limit + LATE;
        if seen.last.is_some_and(|last| last > by) {
            wrong.push(format!(
                "invariant 1: text came at {:?}, after the deadline at {by:?}",
                seen.last
            ));
        }
        let waits = matches!(call.leave, Leave::StopsReading(_)) || call.reads_slowly.is_some();
        if seen.ended > by && !waits {
            wrong.push(format!(
                "invariant 1: it ended at {:?}, after the deadline at {by:?}",
                seen.ended
            ));
        }
    }

    /// Invariants 2 and 3.
    fn text(&self, call: &Call, seen: &Seen, wrong: &mut Vec<String>) {
        let whole = answer::text(self.seed, call.question);
        let text = seen.text.as_str();
        let is_canned = seen.degraded == Some(DegradedSource::CannedReply) && text == CANNED;
        if is_canned {
            return;
        }
        if !whole.starts_with(text) {
            wrong.push(format!("invariant 3: it got {text:?} of {whole:?}"));
            return;
        }
        if seen.ending != Ending::Whole {
            return;
        }
        if text.is_empty() {
            wrong.push("invariant 2: an empty answer looks whole".to_owned());
        }
        if self.setup.shares_answers() {
            // It may be another call's.
            if text != whole && !self.exchanges.iter().any(|exchange| exchange.is_cut) {
                wrong.push(format!("invariant 2: {text:?} looks whole, and is a part of {whole:?}"));
            }
            return;
        }
        let Some(last) = self.of(call).filter(|exchange| exchange.whole.is_some()).last() else {
            wrong.push(format!("invariant 2: {text:?} looks whole, and no answer ended"));
            return;
        };
        if text != whole && !last.is_cut {
            wrong.push(format!("invariant 2: {text:?} looks whole, and is a part of {whole:?}"));
        }
    }

    /// Invariants 2 and 3: a good answer is neither refused, nor requested again; after the first content nothing else is called.
    fn good(&self, call: &Call, seen: &Seen, wrong: &mut Vec<String>) {
        let exchanges: Vec<_> = self.of(call).collect();
        for (place, exchange) in exchanges.iter().enumerate() {
            let later = &exchanges[place + 1..];
            let whole = exchange.whole.filter(|_| exchange.fate == Fate::Good);
            if let Some(at) = whole.filter(|at| later.iter().any(|later| later.began > *at)) {
                wrong.push(format!(
                    "invariant 2: attempt {} was whole at {at:?}, and another followed",
                    exchange.attempt
                ));
            }
            let shown = exchange
                .shown
                .filter(|_| call.is_streamed() && self.setup.resume.is_none());
            if let Some(at) = shown.filter(|at| later.iter().any(|later| later.began > *at)) {
                wrong.push(format!(
                    "invariant 3: attempt {} began its answer at {at:?}, and another followed",
                    exchange.attempt
                ));
            }
            let deadline = FailureKind::Timeout(Phase::Deadline);
            let failed = match seen.ending {
                Ending::Failed(kind, _) => kind != deadline,
                // The endpoint's status for its deadline.
                Ending::Refused(status) => status != 504 && !seen.error.contains("deadline"),
                _ => false,
            };
            if whole.is_some() && failed && exchange.taken == exchange.written.bytes.len() && !self.jumped {
                wrong.push(format!(
                    "invariant 2: attempt {} was good, and its caller got {:?}",
                    exchange.attempt, seen.ending
                ));
            }
        }
        // A shared call continues for the others when one caller has got its canned reply.
        if self.setup.resume.is_none()
            && !self.setup.shares_answers()
            && let Some(at) = seen
                .shown
                .filter(|at| exchanges.iter().any(|exchange| exchange.began > *at))
        {
            wrong.push(format!(
                "invariant 3: text was shown at {at:?}, and another attempt followed"
            ));
        }
    }
}
