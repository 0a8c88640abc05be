//! What callers caused counts against no upstream, every verdict ends, and state is bounded.

use tower_openrouter::{
    FailureKind,
    layers::{adaptive_concurrency::ConcurrencyLimits, circuit_breaker::CircuitState},
};

use super::Evidence;
use crate::{caller::Ending, faults::Fate, setup::Own};

impl Evidence<'_> {
    pub(super) fn health(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        self.ends(&mut wrong);
        self.bounded(&mut wrong);
        // A coalesced failure is the upstream's word to another call.
        let own = self.seen.iter().filter(|_| !self.setup.shares_answers());
        for (call, seen) in own {
            if let Ending::Failed(kind @ (FailureKind::CircuitOpen | FailureKind::RateLimited), false) = seen.ending
                && self.of(call).count() == 0
            {
                wrong.push(format!(
                    "invariant 15: call {}: {kind} does not say until when: {}",
                    call.index, seen.error
                ));
            }
        }
        wrong
    }

    /// Invariant 15: a long time after the upstream is well again, it answers, the first candidate first.
    fn ends(&self, wrong: &mut Vec<String>) {
        let Some((call, seen)) = self.after.last() else { return };
        // The money is spent; a layer of the user's that sends an attempt again finds the cap instead.
        let is_spent = match seen.ending {
            Ending::Failed(FailureKind::BudgetExceeded, _) => true,
            _ => self.setup.own_attempt == Own::Repeats,
        };
        let is_spent = is_spent && !self.setup.caps.is_empty();
        if is_spent {
            return;
        }
        if seen.ending != Ending::Whole {
            wrong.push(format!(
                "invariant 15: long after everything is well: {:?} {}",
                seen.ending, seen.error
            ));
        }
        let first = self.of(call).next();
        let own = call.model.is_none() && self.setup.caps.is_empty() && !self.setup.shares_answers();
        if let Some(first) = first.filter(|first| own && first.model != "acme/model-0") {
            wrong.push(format!(
                "invariant 15: long after everything is well, {} is called first",
                first.model
            ));
        }
    }

    /// Invariant 11.
    fn bounded(&self, wrong: &mut Vec<String>) {
        if let Some((cache, most)) = &self.built.cache
            && cache.bytes() > *most
        {
            wrong.push(format!(
                "invariant 11: the cache holds {} bytes of {most}",
                cache.bytes()
            ));
        }
        let limits = self
            .built
            .stack
            .concurrency()
            .map(ConcurrencyLimits::reports)
            .unwrap_or_default();
        for report in limits {
            if report.in_flight > 0 || report.waiting > 0 {
                wrong.push(format!("places are taken at the end: {report:?}"));
            }
        }
        let circuits = self
            .built
            .stack
            .circuits()
            .map_or(0, |circuits| circuits.reports().len());
        if circuits > 2 * 2 * self.built.candidates.len() {
            wrong.push(format!(
                "invariant 11: {circuits} circuits of {} candidates",
                self.built.candidates.len()
            ));
        }
    }
}

impl crate::stack::Built {
    /// Invariant 8: the circuit of a candidate that never failed by itself is closed. The `unhealthy` ones are left out.
    pub(crate) fn open_circuits(&self, exchanges: &[crate::record::Exchange]) -> Vec<String> {
        let Some(circuits) = self.stack.circuits() else {
            return Vec::new();
        };
        let failed = |model: &str| {
            let mut own = exchanges.iter().filter(|exchange| exchange.model == model);
            own.any(|exchange| exchange.fate == Fate::Unhealthy && !exchange.is_pinned)
        };
        let open = circuits.reports().into_iter().filter(|report| {
            !report.is_pinned && report.state != CircuitState::Closed && !failed(report.candidate.model())
        });
        open.map(|report| {
            format!(
                "invariant 8: {} has never failed, and its circuit is {:?}",
                report.candidate, report.state
            )
        })
        .collect()
    }
}
