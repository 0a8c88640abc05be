use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::circuit::{Circuit, Pass};
use crate::{AttemptLog, Call, Failure, Health, LayerError};

/// One attempt that was let through: it says once what became of it, and a probe that is dropped gives its place back.
#[derive(Debug)]
pub(super) struct Admitted {
    /// Until it has been told.
    circuit: Option<Arc<Circuit>>,
    pass: Pass,
    clock: Option<Clock>,
}

/// By what a slow beginning is told.
#[derive(Debug)]
struct Clock {
    after: Duration,
    since: Instant,
    /// What the attempt's own clock says: a wait for a turn is not the upstream's.
    log: Option<AttemptLog>,
}

/// An answer that goes on: it may still break off.
#[derive(Debug)]
pub(super) struct Begun {
    circuit: Arc<Circuit>,
    pass: Pass,
    number: Option<u64>,
}

impl Admitted {
    pub(super) fn at(circuit: Arc<Circuit>, call: &Call) -> Result<Self, LayerError> {
        match circuit.admit(call.is_last_resort()) {
            Ok(pass) => {
                let clock = circuit.slow_after().map(|after| Clock {
                    after,
                    since: Instant::now(),
                    log: call.attempts(),
                });
                let circuit = Some(circuit);
                Ok(Self { circuit, pass, clock })
            }
            Err(retry_after) => Err(LayerError::CircuitOpen {
                model: circuit.candidate().model().to_owned(),
                upstream: circuit.candidate().upstream().to_owned(),
                retry_after,
            }),
        }
    }

    /// The answer has begun.
    pub(super) fn began(mut self) -> Option<Begun> {
        let circuit = self.circuit.take()?;
        let now = Instant::now();
        let slow = self.clock.as_ref().is_some_and(|clock| {
            let own = clock.log.as_ref();
            let own = own.and_then(|log| log.last_first_token(circuit.candidate()));
            own.unwrap_or_else(|| now.saturating_duration_since(clock.since)) > clock.after
        });
        let (number, closed) = circuit.succeeded(self.pass, slow, now);
        if closed && let Some(table) = circuit.table() {
            table.probe_others(circuit.candidate());
        }
        let pass = self.pass;
        Some(Begun { circuit, pass, number })
    }

    /// It failed; `true` where trying the same candidate again would be refused.
    pub(super) fn failed<E: Failure>(mut self, error: &E) -> bool {
        if error.kind().advice().health != Health::Hurts {
            return false;
        }
        self.circuit.take().is_some_and(|circuit| circuit.failed(self.pass))
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(circuit) = self.circuit.take() {
            circuit.said_nothing(self.pass);
        }
    }
}

impl Begun {
    pub(super) fn broke_off<E: Failure>(self, error: &E) {
        if error.kind().advice().health == Health::Hurts {
            self.circuit.broke_off(self.pass, self.number);
        }
    }
}
