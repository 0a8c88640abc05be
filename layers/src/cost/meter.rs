//! One attempt on the meter: from the reservation to the entry.

use std::{fmt, sync::Arc, time::Duration};

use http::response::Parts;
use tokio::time::Instant;

use super::{
    plan::{Limited, Plan},
    settings::Settings,
    usage_tracker::UsageTracker,
};
use crate::{
    AttemptHandle, Candidate, Degraded, Failure, FailureKind, Frame, LayerError, LlmRequest, OutputLimit, Stage,
    Unbilled, UtcTime, WorstCasePrice,
    budget::Reservation,
    call::Preparing,
    ledger::{CallId, EntryOutcome},
    metering::ReservedGauge,
    prices::PromptEstimate,
    util::bounded_name,
    watch::{InSpan, Watch},
};

/// Runs from the reservation of an attempt to its entry. However it ends, dropped included, there is one entry if the attempt was sent,
/// and none if it was not: it was refused, or it ended while it waited for a connection. The reservation ends either way.
pub struct Meter(Option<Box<Running>>);

pub(super) struct Running {
    pub(super) settings: Arc<Settings>,
    pub(super) candidate: Option<Candidate>,
    pub(super) tags: crate::Tags,
    /// The line of the attempt, if an attempt layer stands above.
    pub(super) line: Option<AttemptHandle>,
    pub(super) reservation: Option<Reservation>,
    /// Shown as held as long as this runs.
    pub(super) held: Option<ReservedGauge>,
    pub(super) limited: Limited,
    /// The price that is used if the model's own is unknown.
    pub(super) assumed: Option<WorstCasePrice>,
    pub(super) began: UtcTime,
    pub(super) started: Instant,
    pub(super) streamed: bool,
    /// Tokens of the prompt, roughly.
    pub(super) prompt: PromptEstimate,
    /// The tokens that the answer may have, if the request says so.
    pub(super) asked: Option<u64>,
    /// What the request needs, if anything is estimated by it.
    pub(super) needs: Option<Box<crate::Needs>>,
    /// The model is free by its name.
    pub(super) is_free_model: bool,
    /// Whether the service below was called: it was sent then, unless that service says otherwise on the attempt's line.
    pub(super) sent: bool,
    pub(super) first_token: Option<Duration>,
    pub(super) taken: UsageTracker,
    pub(super) generation_id: Option<Box<str>>,
    pub(super) provider: Option<Box<str>>,
    /// What the account could pay for, says the failure.
    pub(super) affordable_tokens: Option<u64>,
    /// The model that answers, as the upstream names it.
    pub(super) served_model: Option<Box<str>>,
    /// The answer has begun: frames after that are not asked for the provider and the model.
    names_are_read: bool,
    /// The models that the upstream may try by itself, if budgets count by model.
    pub(super) alternatives: Vec<String>,
}

impl Meter {
    pub(super) fn new<R: LlmRequest>(
        settings: &Arc<Settings>,
        request: &R,
        candidate: Option<Candidate>,
        (line, started, began): (Option<AttemptHandle>, Instant, UtcTime),
    ) -> Self {
        // Without a price, a budget or a ledger nothing is estimated: the prompt need not be read for it.
        let needs = settings.estimates().then(|| Box::new(request.needs()));
        let call = request.call();
        let is_free = |candidate: &Candidate| R::pool_of(candidate.upstream(), candidate.model()).is_some();
        Self(Some(Box::new(Running {
            is_free_model: candidate.as_ref().is_some_and(is_free),
            settings: Arc::clone(settings),
            candidate,
            tags: call.tags().clone(),
            line,
            reservation: None,
            held: None,
            limited: Limited::No,
            assumed: None,
            began,
            started,
            streamed: request.is_streaming(),
            prompt: needs.as_deref().map(PromptEstimate::of).unwrap_or_default(),
            asked: request.max_tokens(),
            needs,
            sent: false,
            first_token: None,
            taken: UsageTracker::default(),
            generation_id: None,
            provider: None,
            affordable_tokens: None,
            served_model: None,
            names_are_read: false,
            alternatives: Vec::new(),
        })))
    }

    /// It is refused, and never sent.
    pub(super) fn refused(mut self, error: LayerError) -> LayerError {
        if let Some(line) = self.0.as_ref().and_then(|running| running.line.as_ref()) {
            line.exchange_failed(error.status(), error.retry_after(), error.summary());
        }
        self.end(EntryOutcome::Failed(error.kind()), false);
        error
    }

    /// It waits for its reservation.
    pub(super) fn prepares(&self, what: Preparing) {
        if let Some(line) = self.0.as_ref().and_then(|running| running.line.as_ref()) {
            line.prepares(what);
        }
    }

    /// It waits for its turn now.
    pub(super) fn waits_in_turn(&self) {
        if let Some(line) = self.0.as_ref().and_then(|running| running.line.as_ref()) {
            line.waits_in_turn();
        }
    }

    /// It has its reservation.
    pub(super) fn prepared(&self) {
        if let Some(line) = self.0.as_ref().and_then(|running| running.line.as_ref()) {
            line.sent();
        }
    }

    /// It waits this long for other reservations to end.
    pub(super) fn waits(&self, pause: Duration) {
        if let Some(line) = self.0.as_ref().and_then(|running| running.line.as_ref()) {
            line.waits(pause);
        }
    }

    /// Money is reserved, and the answer may be shorter for it.
    pub(super) fn reserve(&mut self, reservation: Reservation, limited: Limited, plan: &Plan) {
        let Some(running) = &mut self.0 else { return };
        running.held = Some(ReservedGauge::new(reservation.amount()));
        running.reservation = Some(reservation);
        running.limited = limited;
        running.assumed = plan.assumed;
        running.alternatives.clone_from(&plan.alternatives);
        if let Limited::Shortened(tokens) = limited {
            tracing::info!(
                target: "llm::budget",
                model = running.candidate.as_ref().map(Candidate::model),
                max_tokens = tokens,
                "answer shortened to fit a budget"
            );
            if let Some(line) = &running.line {
                line.note(&format!("max_tokens lowered to {tokens} to fit a budget"));
            }
        }
        if let Limited::Tools(most) = limited
            && let Some(line) = &running.line
        {
            line.note(&format!("tools of the upstream limited to {most} to fit a budget"));
        }
        running.asked = match limited {
            Limited::No | Limited::Tools(_) => running.asked,
            Limited::ByDefault(tokens) | Limited::Shortened(tokens) => Some(tokens),
        };
    }

    /// The mark of an answer that was requested with fewer tokens than its caller wanted.
    pub(super) fn shortened(&self) -> Option<Degraded> {
        let running = self.0.as_ref()?;
        let tokens = running.clamped_to()?;
        let asked = running.candidate.as_ref().map(Candidate::model);
        Some(Degraded::shortened(FailureKind::BudgetExceeded, tokens, asked))
    }

    /// The mark of an answer whose `max_tokens` are none of its caller's.
    pub(super) fn default_limit(&self) -> Option<OutputLimit> {
        match self.0.as_ref()?.limited {
            Limited::ByDefault(tokens) => Some(OutputLimit::new(tokens)),
            Limited::No | Limited::Shortened(_) | Limited::Tools(_) => None,
        }
    }

    /// Whether a budget made the answer another one than its caller wanted.
    pub(super) fn is_limited(&self) -> bool {
        let limited = self.0.as_ref().map_or(Limited::No, |running| running.limited);
        matches!(limited, Limited::Shortened(_) | Limited::Tools(_))
    }

    /// The request is on its way.
    pub(super) fn sent(&mut self) {
        if let Some(running) = &mut self.0 {
            running.sent = true;
        }
    }

    /// The response's head has come.
    pub(super) fn responded(&mut self, parts: &Parts) {
        let Some(running) = &mut self.0 else { return };
        if parts.extensions.get::<Unbilled>().is_some() {
            running.taken.unbilled();
        }
        if running.settings.ledger.is_none() {
            return;
        }
        let header = running.settings.generation_header.as_ref();
        running.generation_id = header
            .and_then(|header| parts.headers.get(header))
            .and_then(|id| id.to_str().ok())
            .filter(|id| !id.is_empty())
            .map(bounded_name);
    }

    /// A frame of the answer has come.
    pub(super) fn frame<F: Frame>(&mut self, frame: &F) {
        let Some(running) = &mut self.0 else { return };
        let stage = frame.stage();
        if running.first_token.is_none() && stage.begins_answer() {
            let after = crate::util::since(running.started);
            running.first_token = Some(after);
            if let Some(line) = &running.line {
                line.exchange_began(after);
            }
        }
        running.taken.frame(frame, stage);
        let names_model = running.settings.ledger.is_some() || running.settings.counts_models();
        if !names_model || stage == Stage::KeepAlive {
            return;
        }
        if !running.names_are_read && running.served_model.is_none() {
            running.served_model = frame.model().map(|name| bounded_name(&name));
        }
        if running.generation_id.is_none() {
            running.generation_id = frame.generation_id().map(|id| bounded_name(&id));
        }
        // A router names it in each frame, or in none but the first ones.
        if running.provider.is_none() && !running.names_are_read {
            running.provider = frame.provider().map(|name| bounded_name(&name));
        }
        running.names_are_read |= stage.begins_answer();
    }

    /// The attempt has failed, before or after the answer began.
    pub(super) fn failed<E: Failure>(&mut self, error: &E) {
        let Some(running) = &mut self.0 else { return };
        if let Some(line) = &running.line {
            line.exchange_failed(error.status(), error.retry_after(), error.summary());
        }
        let provider = error.provider().filter(|_| running.settings.ledger.is_some());
        if let Some(provider) = provider {
            running.provider = Some(bounded_name(provider));
        }
        let kind = error.kind();
        if running.generation_id.is_none() && running.settings.ledger.is_some() {
            running.generation_id = error.generation_id().map(bounded_name);
        }
        running.affordable_tokens = error.affordable_tokens();
        if let Some(usage) = error.token_usage() {
            running.taken.failed(usage);
        }
        let is_free = !error.may_be_billed() && running.taken.costs_nothing(error.is_uncharged());
        let free = running.first_token.is_none() && is_free;
        self.end(EntryOutcome::Failed(kind), free);
    }

    fn end(&mut self, outcome: EntryOutcome, free: bool) {
        let Some(running) = self.0.take() else { return };
        // A service below may have refused it, or it ends while it waits for a connection.
        let was_sent = running.line.as_ref().is_none_or(AttemptHandle::was_sent);
        if running.sent && was_sent {
            running.settle(outcome, free);
        } else {
            running.end_line(outcome, crate::util::now(), None);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.end(EntryOutcome::Dropped, false);
    }
}

impl<D: Frame, E: Failure> Watch<D, E> for Meter {
    fn frame(&mut self, frame: &D) {
        Self::frame(self, frame);
    }

    fn failed(&mut self, error: &E) {
        Self::failed(self, error);
    }

    fn ended(&mut self) {
        self.end(EntryOutcome::Answered, false);
    }
}

impl InSpan for Meter {}

impl Running {
    pub(super) const fn clamped_to(&self) -> Option<u64> {
        match self.limited {
            Limited::Shortened(tokens) => Some(tokens),
            Limited::No | Limited::ByDefault(_) | Limited::Tools(_) => None,
        }
    }

    pub(super) fn call_id(&self) -> CallId {
        self.line
            .as_ref()
            .map_or_else(|| CallId::new(self.began), |line| line.call_id(self.began))
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter")
            .field("is_running", &self.0.is_some())
            .finish_non_exhaustive()
    }
}
