use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project::pin_project;
use tokio::time::Instant;

use super::{Chain, Hedge, SERVER_SIDE_MODELS, cursor::Cursor, track::Track};
use crate::{Call, Candidate, Degraded, DegradedSource, Failure, LlmRequest, NoStore, Outcome};

/// Whose turn it is, and which models went along with it for the router to try.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) candidate: Candidate,
    pub(super) along: Vec<Candidate>,
    /// What its answer is to be marked with.
    mark: Option<Degraded>,
}

/// How a candidate is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The only one there is.
    Alone,
    /// In its turn; `last` where nobody comes after it.
    Turn { last: bool },
    /// Beside another one, which is late; `resort` where its circuit lets through a part of the attempts only.
    Hedge { last: bool, resort: bool },
    /// Its circuit is open, and nobody else is left.
    LastResort,
}

/// One candidate that is being asked.
#[pin_project]
pub(super) struct Lane<F> {
    #[pin]
    future: F,
    turn: Turn,
    timed: Option<(Arc<Track>, Instant)>,
}

impl Turn {
    /// Makes the request this candidate's.
    pub(super) fn give<R: LlmRequest>(
        request: &mut Request<R>,
        candidate: Candidate,
        cursor: &Cursor,
        role: Role,
    ) -> Self {
        let body = request.body_mut();
        let mark = mark(&*body, &candidate, cursor.chain());
        if body.model() != Some(candidate.model()) {
            body.set_model(candidate.model());
        }
        let mut along = Vec::new();
        if cursor.chain().is_server_side() && role != Role::LastResort {
            // What the router makes of them could not be marked.
            let whole = cursor.rest().take_while(|next| !cursor.chain().is_cheaper(next));
            let same = whole.filter(|next| next.upstream() == candidate.upstream());
            along.extend(same.take(SERVER_SIDE_MODELS - 1).cloned());
            let models: Vec<_> = along.iter().map(Candidate::model).collect();
            if !models.is_empty() {
                body.set_alternatives(&models);
            }
        }
        let (is_last, is_alone) = match role {
            Role::Alone => (true, true),
            Role::Turn { last } | Role::Hedge { last, .. } => (last, false),
            Role::LastResort => (true, false),
        };
        let call = body.call_mut();
        call.set_candidate(candidate.clone(), is_last, is_alone);
        match role {
            // Nobody comes after it, and it is the only one whose circuit may be open.
            Role::Alone | Role::Turn { .. } if cursor.is_at_end() && !cursor.has_open() => call.set_last_resort(),
            Role::LastResort => call.set_last_resort(),
            Role::Hedge { resort, .. } => {
                call.set_hedge();
                if resort {
                    call.set_last_resort();
                }
            }
            Role::Alone | Role::Turn { .. } => {}
        }
        Self { candidate, along, mark }
    }
}

/// The mark of an answer by a cheaper model; none where that was what the request asked for.
fn mark<R: LlmRequest>(request: &R, candidate: &Candidate, chain: &Chain) -> Option<Degraded> {
    let asked = request.model();
    if !chain.is_cheaper(candidate) || asked == Some(candidate.model()) {
        return None;
    }
    let tried = request.call().attempts().map(|log| log.attempts()).unwrap_or_default();
    let reason = tried.iter().rev().find_map(|line| match line.outcome {
        Outcome::Failed(kind) => Some(kind),
        _ => None,
    });
    Some(Degraded {
        source: DegradedSource::CheaperModel,
        reason,
        age: None,
        asked: asked.map(Box::from),
    })
}

impl<F> Lane<F> {
    pub(super) fn new(future: F, turn: Turn, hedge: Option<&Hedge>, streaming: bool) -> Self {
        let track = hedge.and_then(|hedge| hedge.track(&turn.candidate, streaming));
        Self {
            future,
            turn,
            timed: track.map(|track| (track, Instant::now())),
        }
    }

    pub(super) const fn candidate(&self) -> &Candidate {
        &self.turn.candidate
    }

    pub(super) fn track(&self) -> Option<&Track> {
        self.timed.as_ref().map(|(track, _)| &**track)
    }

    /// Polls it; at its end, what its candidate is known for is brought up to date.
    pub(super) fn poll<B, E>(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Response<B>, (E, Turn)>>
    where
        F: Future<Output = Result<Response<B>, E>>,
        E: Failure,
    {
        let this = self.project();
        let mut result = ready!(this.future.poll(cx));
        if let Some((track, since)) = this.timed {
            match &result {
                Ok(_) => track.began(since.elapsed()),
                Err(error) => track.failed(error.kind()),
            }
        }
        if let (Ok(response), Some(mark)) = (&mut result, this.turn.mark.take()) {
            response.extensions_mut().insert(NoStore);
            mark.put(response);
        }
        Poll::Ready(result.map_err(|error| {
            let along = std::mem::take(&mut this.turn.along);
            let candidate = this.turn.candidate.clone();
            let mark = None;
            (error, Turn { candidate, along, mark })
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
            track.outrun(since.elapsed());
        }
        if let Some(call) = call {
            call.outrun(&self.turn.candidate);
        }
    }
}
