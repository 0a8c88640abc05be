use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::circuit::{Circuit, Pass};
use crate::{AttemptLog, Call, Failure, Health, LayerError};

/// One attempt that was let through: it says once what became of it, and a probe that is dropped gives its place back.
#[derive(Debug)]
pub(super) struct Admitted {
    circuit: Arc<Circuit>,
    pass: Pass,
    clock: Option<Clock>,
    open: bool,
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
                Ok(Self {
                    circuit,
                    pass,
                    clock,
                    open: true,
                })
            }
            Err(retry_after) => Err(LayerError::CircuitOpen {
                model: circuit.candidate().model().to_owned(),
                upstream: circuit.candidate().upstream().to_owned(),
                retry_after,
            }),
        }
    }

    /// The answer has begun.
    pub(super) fn began(mut self) -> Begun {
        self.open = false;
        let slow = self.clock.as_ref().is_some_and(|clock| {
            let candidate = self.circuit.candidate();
            let own = clock.log.as_ref().and_then(|log| log.last_first_token(candidate));
            own.unwrap_or_else(|| clock.since.elapsed()) > clock.after
        });
        let (number, closed) = self.circuit.succeeded(self.pass, slow);
        if closed && let Some(table) = self.circuit.table() {
            table.probe_others(self.circuit.candidate());
        }
        Begun {
            circuit: Arc::clone(&self.circuit),
            number,
        }
    }

    /// It failed; `true` where trying the same candidate again would be refused.
    pub(super) fn failed<E: Failure>(mut self, error: &E) -> bool {
        if error.kind().advice().health != Health::Hurts {
            return false;
        }
        self.open = false;
        self.circuit.failed(self.pass)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if self.open {
            self.circuit.said_nothing(self.pass);
        }
    }
}

impl Begun {
    pub(super) fn broke_off<E: Failure>(self, error: &E) {
        if error.kind().advice().health == Health::Hurts {
            self.circuit.broke_off(self.number);
        }
    }
}
