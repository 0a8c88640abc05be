//! One turn of a candidate, and its attempt in flight.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project::pin_project;
use tokio::time::Instant;

use super::{Chain, Hedge, cursor::Cursor, track::Track};
use crate::{
    Call, Candidate, Degraded, DegradedSource, Failure, FailureKind, LlmRequest, NoStore, Outcome, Route, call::Role,
};

/// Whose turn it is, and which models went along with it for the router to try.
#[derive(Debug)]
pub(super) struct CandidateTurn {
    pub(super) candidate: Candidate,
    /// By which the log finds its attempts.
    pub(super) number: u32,
    pub(super) along: Vec<Candidate>,
    /// What its answer is to be marked with.
    mark: Option<Box<Degraded>>,
}

/// One attempt in flight.
#[pin_project]
pub(super) struct Lane<F> {
    #[pin]
    future: F,
    turn: CandidateTurn,
    timed: Option<(Arc<Track>, Instant)>,
}

impl CandidateTurn {
    /// Makes the request this candidate's. The candidate comes back if the request keeps another model.
    pub(super) fn give<R: LlmRequest>(
        request: &mut Request<R>,
        candidate: Candidate,
        cursor: &Cursor,
        role: Role,
    ) -> Result<Self, Candidate> {
        let body = request.body_mut();
        let mut mark = mark(&*body, &candidate, cursor.chain());
        if let Role::Shortened {
            tokens: Some(tokens), ..
        } = role
        {
            let shortened = Degraded::shortened(FailureKind::InsufficientFunds, tokens, body.model());
            if body.budgeted().is_some_and(|body| body.set_max_tokens(tokens)) {
                mark = Some(Box::new(shortened));
            }
        }
        if !set_model(body, &candidate) {
            return Err(candidate);
        }
        // A longer answer than its longest is one that an upstream refuses to begin.
        if let Some(most) = cursor.longest_answer(&candidate) {
            let is_lowered = body.budgeted().is_some_and(|body| body.set_max_tokens(most));
            tracing::debug!(
                model = candidate.model(),
                most,
                is_lowered,
                "max_tokens is over its longest answer"
            );
        }
        for (name, json) in candidate.parameters() {
            if !body.set_parameter(name, json) {
                tracing::warn!(
                    model = candidate.model(),
                    parameter = name,
                    "parameter not set: the request has none such"
                );
            }
        }
        let mut along = Vec::new();
        let goes_along = cursor.chain().along() > 0;
        if goes_along && !matches!(role, Role::LastResort | Role::Shortened { .. }) {
            // What the router makes of them could not be marked.
            let whole = cursor.rest().take_while(|next| !cursor.chain().is_cheaper(next));
            let same = whole.filter(|next| next.upstream() == candidate.upstream());
            along.extend(same.take(cursor.chain().along()).cloned());
            let models: Vec<_> = along.iter().map(Candidate::model).collect();
            if !models.is_empty() && !body.set_alternatives(&models) {
                along.clear();
            }
        }
        let takes_prefill = body
            .call()
            .is_continuation()
            .then(|| cursor.chain().capability(&candidate));
        let takes_prefill = takes_prefill.flatten().and_then(|known| known.prefill);
        let number = body.call_mut().give_turn(candidate.clone(), role, takes_prefill);
        Ok(Self {
            candidate,
            number,
            along,
            mark,
        })
    }
}

/// Requests the candidate's model; whether the request does not name another one then. One that names none may choose by its candidate.
pub(super) fn set_model<R: LlmRequest>(body: &mut R, candidate: &Candidate) -> bool {
    if body.model() != Some(candidate.model()) {
        body.set_model(candidate.model());
    }
    body.model().is_none_or(|model| model == candidate.model())
}

/// The mark of an answer by a cheaper model; `None` if the request named that model.
fn mark<R: LlmRequest>(request: &R, candidate: &Candidate, chain: &Chain) -> Option<Box<Degraded>> {
    let asked = request.model();
    if !chain.is_cheaper(candidate) || asked == Some(candidate.model()) {
        return None;
    }
    let tried = request.call().attempts().map(|log| log.attempts()).unwrap_or_default();
    let reason = tried.iter().rev().find_map(|line| match line.outcome {
        Outcome::Failed(kind) => Some(kind),
        _ => None,
    });
    Some(Box::new(Degraded::new(DegradedSource::CheaperModel, reason, asked)))
}

impl<F> Lane<F> {
    #[inline]
    pub(super) fn new(
        future: F,
        turn: CandidateTurn,
        hedge: Option<&Hedge>,
        (route, streaming): (Route, bool),
    ) -> Self {
        let track = hedge.and_then(|hedge| hedge.track(&turn.candidate, route, streaming));
        Self {
            future,
            turn,
            timed: track.map(|track| (track, crate::util::now())),
        }
    }

    pub(super) const fn candidate(&self) -> &Candidate {
        &self.turn.candidate
    }

    pub(super) const fn turn(&self) -> u32 {
        self.turn.number
    }

    pub(super) fn track(&self) -> Option<&Track> {
        self.timed.as_ref().map(|(track, _)| &**track)
    }

    /// Polls it; at its end, what its candidate is known for is brought up to date.
    pub(super) fn poll<B, E>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<B>, (E, CandidateTurn)>>
    where
        F: Future<Output = Result<Response<B>, E>>,
        E: Failure,
    {
        let this = self.project();
        let mut result = ready!(this.future.poll(cx));
        if let Some((track, since)) = this.timed {
            match &result {
                Ok(_) => track.began(crate::util::since(*since)),
                Err(error) => track.failed(error.kind(), error.advice().health),
            }
        }
        if let (Ok(response), Some(mark)) = (&mut result, this.turn.mark.take()) {
            response.extensions_mut().insert(NoStore);
            // That it was shortened says more.
            if response.extensions().get::<Degraded>().is_none() {
                mark.put(response);
            }
        }
        Poll::Ready(result.map_err(|error| {
            let along = std::mem::take(&mut this.turn.along);
            let turn = CandidateTurn {
                candidate: this.turn.candidate.clone(),
                number: this.turn.number,
                along,
                mark: None,
            };
            (error, turn)
        }))
    }

    /// Another candidate was faster: this one is about to be dropped.
    pub(super) fn outrun(&self, call: Option<&Call>) {
        tracing::debug!(
            model = self.turn.candidate.model(),
            upstream = self.turn.candidate.upstream(),
            "outrun by another candidate"
        );
        if let Some((track, since)) = &self.timed {
            track.outrun(crate::util::since(*since));
        }
        if let Some(call) = call {
            call.outrun(self.turn.number);
        }
    }
}
