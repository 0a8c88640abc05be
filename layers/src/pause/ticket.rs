//! One call that has passed.

use super::{Pauses, RateLimitStatus, pauses::Reach, verdict::ActivePause};
use crate::{Candidate, Failure, FailureKind, LlmRequest, protocol::with_candidate};

/// Tells once what became of the attempt; a probe that is dropped before leaves the next call to be the probe.
#[derive(Debug)]
pub(super) struct Ticket {
    pauses: Pauses,
    candidate: Candidate,
    reach: Reach,
    /// The newest era when it began.
    era: u64,
    is_probe: bool,
}

impl Ticket {
    /// Lets the call pass, or says what is in its way; `Ok(None)` if it names no model.
    pub(super) fn take<R: LlmRequest>(pauses: &Pauses, request: &R) -> Result<Option<Self>, ActivePause> {
        let ticket = with_candidate(request, |candidate| {
            let reach = Reach::new(candidate, request.pinned_route(), request.call().account());
            Some(pauses.admit(reach).map(|(era, is_probe)| Self {
                pauses: pauses.clone(),
                candidate: candidate.clone(),
                reach,
                era,
                is_probe,
            }))
        });
        ticket.transpose()
    }

    pub(super) fn succeeded(mut self, status: Option<&RateLimitStatus>) {
        // A probe goes to the next call.
        if self.pauses.is_outdated(&self.candidate) {
            return;
        }
        self.is_probe = false;
        self.pauses.succeeded(&self.candidate, self.reach, self.era, status);
    }

    pub(super) fn failed<E: Failure>(mut self, error: &E) {
        let said = matches!(error.kind(), FailureKind::RateLimited | FailureKind::QuotaExhausted);
        // A limit of our own says nothing of the upstream; and what a pool of keys remembers of a key ends with that key.
        let counts = said && !error.marks().is_local() && !error.marks().is_key_resting();
        if counts && !self.pauses.is_outdated(&self.candidate) {
            self.is_probe = false;
            self.pauses.failed(&self.candidate, self.reach, self.era, error);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_probe {
            self.pauses.give_back(self.reach, self.era);
        }
    }
}
