//! What happens after a candidate has failed.

use std::{pin::Pin, time::Duration};

use http::{Request, Response};
use tower_service::Service;

use super::{
    FallbackFuture,
    future::Next,
    hedging::{advance, pass_over},
    lane::CandidateTurn,
    verdict::{is_local, is_more_informative},
};
use crate::{
    Failure, FailureKind, LayerError, LlmRequest,
    call::Role,
    events::{EventKind, emit},
};

impl<S, R, B> FallbackFuture<S, R>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    /// One has failed: the other one continues, or the next candidate is called. Returns the error if no candidate is left.
    pub(super) fn after(self: Pin<&mut Self>, error: S::Error, turn: &CandidateTurn) -> Option<S::Error> {
        let this = self.project();
        let others = &mut **this.others;
        let Some(original) = others.original.as_ref().map(Request::body) else {
            return Some(error);
        };
        let call = original.call();
        if error.kind() == FailureKind::CircuitOpen {
            pass_over(original, &turn.candidate, &error.summary());
        }
        // It did not fit beside the other one, whose reservation or place may be free when its turn comes.
        let for_now = matches!(
            error.kind(),
            FailureKind::BudgetExceeded | FailureKind::ConcurrencyLimited | FailureKind::RateLimited
        );
        if for_now && error.status().is_none() && this.lane.is_some() {
            if let Some(hedge) = others
                .hedge
                .as_ref()
                .filter(|_| call.was_sent_in(turn.number) != Some(true))
            {
                hedge.refund();
            }
            others.cursor.give_back(turn.candidate.clone());
            return None;
        }
        // Without attempts in the log, as far as the error tells.
        let was_sent = call.was_sent_in(turn.number).unwrap_or_else(|| !is_local(&error));
        let may_move = others.cursor.learn(&error, &turn.candidate, &turn.along, was_sent);
        others.largest.note(&error, (&turn.candidate, turn.number), original);
        // No hedge is called any more.
        *this.next = Next::Nothing;
        // A failure of the request itself holds for every other candidate that is being called.
        if !may_move && matches!(error.kind(), FailureKind::BadRequest | FailureKind::ContentFiltered) {
            if this.lane.is_some() {
                others.stopped = Some(Box::new(error));
                return None;
            }
            if let Some(hedge) = others.beside.take() {
                hedge.outrun(Some(call));
            }
            return Some(error);
        }
        if this.lane.is_some() || others.beside.is_some() {
            return None;
        }
        if !may_move {
            return Some(others.stopped.take().map_or(error, |stopped| *stopped));
        }
        if call.remaining() == Some(Duration::ZERO) {
            return Some(error);
        }
        if call.attempts_left() == 0 {
            call.decided(turn.number, |line| line.note = Some(crate::call::ATTEMPTS_SPENT.into()));
            return Some(error);
        }
        let next = advance(&mut others.cursor, original);
        // A single candidate was called as the last one that there is.
        if next.is_none() && others.is_alone {
            return Some(error);
        }
        let (candidate, role) = if let Some(candidate) = next {
            let is_at_end = others.cursor.is_at_end();
            let is_last = is_at_end || call.attempts_left() <= 1;
            let is_last_resort = is_at_end && !others.cursor.has_open();
            (
                candidate,
                Role::InOrder {
                    is_last,
                    is_last_resort,
                },
            )
        } else if let Some(shortened) = others.largest.take(original) {
            let tokens = shortened.by_balance.then_some(shortened.tokens);
            let note = match tokens {
                Some(tokens) => format!("called again for {tokens} tokens, since no candidate gives the whole answer"),
                None => "called again for a shorter answer, since no candidate gives the whole".to_owned(),
            };
            call.decided(shortened.turn, |line| line.note = Some(note.into()));
            let is_last_resort = others.cursor.is_at_end() && !others.cursor.has_open();
            (shortened.candidate, Role::Shortened { tokens, is_last_resort })
        } else {
            match others.cursor.last_resort() {
                Some(candidate) => (candidate, Role::LastResort),
                None => return Some(error),
            }
        };
        let kind = error.kind().as_str();
        let (model, upstream) = (candidate.model(), candidate.upstream());
        if error.kind() == FailureKind::CircuitOpen {
            // Of each call in an outage: nothing was sent, and its beginning was logged.
            tracing::info!(kind, model, upstream, "next candidate");
        } else {
            tracing::warn!(kind, model, upstream, "next candidate");
        }
        emit(|| EventKind::Fallback {
            from: turn.candidate.clone(),
            to: candidate.clone(),
            after: error.kind(),
        });
        let is_more = others
            .before
            .as_ref()
            .is_none_or(|before| !is_more_informative(&**before, &error));
        if (!matches!(role, Role::InOrder { .. }) || others.cursor.repeats()) && is_more {
            others.before = Some(Box::new(error));
        }
        *this.next = Next::Ask(candidate, role);
        None
    }
}
