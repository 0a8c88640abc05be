//! Which candidate is the hedge of a slow one.

use std::sync::Arc;

use super::{
    Hedge,
    cursor::{Cursor, keeps},
    lane::set_model,
    track::Track,
};
use crate::{
    Candidate, LlmRequest, Route,
    call::Role,
    events::{EventKind, candidate_skipped, emit},
    protocol::route_of,
};

/// The candidate for a hedge, if the hedge ratio allows one; and whether its circuit accepts only a part of the attempts.
pub(super) fn beside<R: LlmRequest>(
    cursor: &Cursor,
    hedge: &Hedge,
    original: &R,
    late: u32,
) -> Option<(Candidate, bool)> {
    let call = original.call();
    // One that waits for its turn, or for its retry, has its attempt still before it.
    let own = u32::from(!call.is_waiting_in(late));
    let found = cursor.beside().filter(|_| call.attempts_left() > own)?;
    if !set_model(&mut original.clone(), &found.0) {
        return None;
    }
    let barred = track_of(hedge, &found.0, original).and_then(|track| track.next_hedge());
    if let Some(next_probe) = barred {
        tracing::debug!(
            model = found.0.model(),
            upstream = found.0.upstream(),
            ?next_probe,
            "no hedge: most of its last attempts failed"
        );
        return None;
    }
    Some(found)
}

/// What is known of a candidate for requests such as this one.
fn track_of<R: LlmRequest>(hedge: &Hedge, candidate: &Candidate, original: &R) -> Option<Arc<Track>> {
    hedge.track(candidate, route_of(original), original.is_streaming())
}

/// Takes it, and its share.
pub(super) fn take_beside<R: LlmRequest>(
    cursor: &mut Cursor,
    hedge: &Hedge,
    original: &R,
    late: u32,
) -> Option<(Candidate, Role)> {
    let (candidate, is_last_resort) = beside(cursor, hedge, original, late).filter(|_| hedge.withdraw())?;
    cursor.take_beside(&candidate, |candidate, reason| {
        pass_over(original, candidate, &reason.text);
    });
    let is_probe = track_of(hedge, &candidate, original).is_some_and(|track| track.hedged());
    tracing::info!(
        model = candidate.model(),
        upstream = candidate.upstream(),
        is_probe,
        "no first token yet: sending a hedge"
    );
    emit(|| EventKind::Hedge {
        candidate: candidate.clone(),
    });
    let is_last = original.call().attempts_left() <= 1 || cursor.is_at_end();
    Some((
        candidate,
        Role::Hedge {
            is_last,
            is_last_resort,
        },
    ))
}

pub(super) fn pass_over<R: LlmRequest>(request: &R, candidate: &Candidate, reason: &str) {
    tracing::info!(
        model = candidate.model(),
        upstream = candidate.upstream(),
        reason,
        "candidate passed over"
    );
    request.call().skipped(candidate.clone(), reason, candidate_skipped);
}

/// Passes over a candidate since the request keeps another model, and with it all others of other models. Returns why.
pub(super) fn learn_model<R: LlmRequest>(cursor: &mut Cursor, request: &R, candidate: &Candidate) -> String {
    let kept = request.model().unwrap_or_default();
    cursor.keep_model(kept);
    let reason = keeps(kept);
    pass_over(request, candidate, &reason);
    reason
}

/// The next candidate whose model the request takes.
pub(super) fn advance<R: LlmRequest>(cursor: &mut Cursor, original: &R) -> Option<Candidate> {
    loop {
        let next = cursor.advance(|candidate, reason| pass_over(original, candidate, &reason.text))?;
        if set_model(&mut original.clone(), &next) {
            return Some(next);
        }
        learn_model(cursor, original, &next);
    }
}

/// What a hedge tells requests apart by; nothing without one.
pub(super) fn routes_of<R: LlmRequest>(request: &R, hedges: bool) -> (Route, bool) {
    if hedges {
        (route_of(request), request.is_streaming())
    } else {
        (Route::FREE, false)
    }
}
