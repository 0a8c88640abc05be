//! One attempt that a circuit let through: its result, or its place given back.

use std::{sync::Arc, time::Duration};

use super::{circuit::Circuit, pass::Pass};
use crate::{Failure, Health, LayerError, LlmRequest, call::FirstTokenTimer};

/// One attempt that was let through: it says once what became of it, and a probe that is dropped gives its place back.
#[derive(Debug)]
pub(super) struct Admitted {
    /// Until its result has been recorded.
    circuit: Option<Arc<Circuit>>,
    pass: Pass,
    /// After what time a beginning is slow, and what times it; only if slow beginnings count.
    timer: Option<(Duration, FirstTokenTimer)>,
}

/// An answer in progress: it may still be interrupted.
#[derive(Debug)]
pub(super) struct InProgress {
    circuit: Arc<Circuit>,
    pass: Pass,
    number: Option<u64>,
}

impl Admitted {
    pub(super) fn at<R: LlmRequest>(circuit: Arc<Circuit>, request: &R) -> Result<Self, LayerError> {
        match circuit.admit(request.call().is_last_resort()) {
            Ok(pass) => {
                let slow_after = circuit.slow_after();
                // A plain answer begins when it is whole, which tells how long it is and not how well its upstream does.
                let timed = slow_after.filter(|_| request.is_streaming());
                let timer = timed.map(|after| (after, request.call().first_token_timer()));
                let circuit = Some(circuit);
                Ok(Self { circuit, pass, timer })
            }
            Err(retry_after) => Err(LayerError::CircuitOpen {
                model: circuit.candidate().model().to_owned(),
                upstream: circuit.candidate().upstream().to_owned(),
                retry_after: Some(retry_after),
            }),
        }
    }

    /// The answer has begun.
    pub(super) fn began(mut self) -> Option<InProgress> {
        let circuit = self.circuit.take()?;
        let now = crate::util::now();
        let timer = self.timer.as_ref();
        let slow = timer.is_some_and(|(after, timer)| timer.took() > *after);
        let (number, closed) = circuit.succeeded(self.pass, slow, now);
        if closed {
            probe_others(&circuit);
        }
        let pass = self.pass;
        Some(InProgress { circuit, pass, number })
    }

    /// It failed; `true` if trying the same candidate again would be refused.
    pub(super) fn failed<E: Failure>(mut self, error: &E) -> bool {
        if error.advice().health != Health::Unhealthy {
            return false;
        }
        self.circuit.take().is_some_and(|circuit| circuit.failed(self.pass))
    }
}

/// One is back: the others of its upstream may be, too, and need not wait for their probe.
fn probe_others(back: &Circuit) {
    let all = back.circuits().map(|circuits| circuits.all());
    let back = back.candidate();
    for circuit in all.into_iter().flatten() {
        let candidate = circuit.candidate();
        if candidate.upstream() == back.upstream() && candidate != back {
            circuit.probe_now();
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(circuit) = self.circuit.take() {
            circuit.ended_without_result(self.pass);
        }
    }
}

impl InProgress {
    pub(super) fn interrupted<E: Failure>(self, error: &E) {
        if error.advice().health == Health::Unhealthy {
            self.circuit.interrupted(self.pass, self.number);
        }
    }
}
