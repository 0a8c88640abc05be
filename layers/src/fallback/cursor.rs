//! The position of one call in the chain, and what it may no longer try.

use std::{sync::Arc, time::Duration};

use super::{
    Chain,
    interrupted::{late, twice},
    same_model::is_same_model,
};
use crate::{
    Candidate, CandidateError, ContinueBy, Failure, FailureKind, FailureScope, FallbackAdvice, LlmRequest, Needs,
    call::Continuation,
    protocol::{in_pool_of, requested},
};

/// The position of one call in the chain, and the candidates that it may no longer try.
pub(super) struct Cursor {
    chain: Chain,
    /// Candidates that go before the chain and have not been tried: the one that is to continue the answer, the request's own model.
    heads: [Option<Candidate>; 2],
    /// The same, to be skipped if the chain names them again.
    first: [Option<Candidate>; 2],
    /// Candidates whose answers were interrupted in this call: once before anything was shown, and else twice. They are tried once more, after all others.
    late: Vec<Candidate>,
    /// Set if this call resumes an interrupted stream.
    continuation: Option<Arc<Continuation>>,
    next: usize,
    /// Only if the chain knows what its candidates can do.
    needs: Option<Box<Needs>>,
    /// No candidate's context holds the prompt and the largest requested answer together: the prompt alone decides, since the answer may be
    /// shorter, and the upstream knows the tokens better.
    is_prompt_alone: bool,
    /// The only model that may answer.
    only: Option<String>,
    bans: Vec<Ban>,
    /// Every candidate would fail the same way.
    stopped: bool,
    /// Those that were not called since their circuit is open or they are paused, and when each is looked at again.
    aside: Vec<Aside>,
    /// Whether they are being called after all.
    resorts: bool,
    /// Whether a candidate whose answer was interrupted is being tried once more.
    repeats: bool,
    /// Why the model that the request names cannot be one.
    bad_model: Option<CandidateError>,
    /// The model that the request keeps, whatever its setter is given.
    kept_model: Option<Box<str>>,
}

/// A candidate that was not called.
struct Aside {
    candidate: Candidate,
    /// When it is looked at again.
    next_look: Duration,
    is_paused: bool,
}

/// What a failure rules out.
#[derive(Debug)]
pub(super) enum Ban {
    Pool(Candidate),
    Upstream(Candidate),
    ContextUpTo(u64),
    PriceFrom(u64),
    /// The router has tried it by itself.
    Tried(Candidate),
    /// Its answers were interrupted, and it has been tried once more.
    BrokeOff(Candidate),
}

/// Why a candidate is passed over.
pub(super) struct Reason {
    pub(super) text: String,
    /// Whether its context is too small for the request.
    pub(super) is_context: bool,
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self {
            text,
            is_context: false,
        }
    }
}

impl Cursor {
    pub(super) fn new<R: LlmRequest>(chain: &Chain, request: &R) -> Self {
        let mut bad_model = None;
        let asked = request.model().filter(|_| chain.takes_asked_model()).and_then(|model| {
            let known = chain.candidates().iter().find(|candidate| candidate.model() == model);
            let of_its_own = || requested::<R>(chain.upstream(), model);
            let asked = known.cloned().map_or_else(of_its_own, Ok);
            // A blank name is no name: the chain decides.
            asked
                .map_err(|error| bad_model = (!error.is_blank()).then_some(error))
                .ok()
        });
        let mut needs = chain.has_capabilities().then(|| Box::new(request.needs()));
        let call = request.call();
        let continuation = call.continuation().cloned();
        let broke_off = call.interrupted().cloned();
        let asked = asked.filter(|asked| Some(asked) != broke_off.as_ref());
        let broken = call.all_interrupted();
        let (mut late, bans) = if continuation.is_some() {
            (twice(broken), Vec::new())
        } else {
            late(broken)
        };
        if let Some(continuation) = &continuation {
            // One that takes no begun message continues by instruction.
            needs
                .as_mut()
                .filter(|_| !continuation.begun_by_caller)
                .into_iter()
                .for_each(|needs| needs.prefill = false);
            let silent = broke_off.iter().filter(|_| continuation.fell_silent);
            late.splice(
                0..0,
                silent
                    .filter(|silent| !late.contains(silent))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        }
        let first = [broke_off, asked];
        let heads = first.clone().map(|head| head.filter(|head| !late.contains(head)));
        let mut cursor = Self {
            chain: chain.clone(),
            first,
            heads,
            late,
            continuation,
            next: 0,
            needs,
            is_prompt_alone: false,
            only: chain.only_model(request),
            bans,
            stopped: false,
            aside: Vec::new(),
            resorts: false,
            repeats: false,
            bad_model,
            kept_model: None,
        };
        let wants_answer = cursor.needs.as_ref().is_some_and(|needs| needs.max_tokens > 0);
        cursor.is_prompt_alone = wants_answer && cursor.is_at_end();
        cursor
    }

    /// The next candidate that may be tried; those passed over are reported.
    pub(super) fn advance(&mut self, mut passed_over: impl FnMut(&Candidate, Reason)) -> Option<Candidate> {
        loop {
            let candidate = self.step()?;
            match self.reason_against(&candidate) {
                None => return Some(candidate),
                Some(reason) => passed_over(&candidate, reason),
            }
        }
    }

    /// Why the model that the request names cannot be one; no candidate is called then.
    pub(super) const fn bad_model(&self) -> Option<&CandidateError> {
        self.bad_model.as_ref()
    }

    /// Notes that the request keeps this model: from now on only candidates with it are called.
    pub(super) fn keep_model(&mut self, model: &str) {
        self.kept_model = Some(model.into());
    }

    /// The longest answer of a candidate, in tokens, if the request allows a longer one.
    pub(super) fn longest_answer(&self, candidate: &Candidate) -> Option<u64> {
        let needs = self.needs.as_ref()?;
        self.chain.capability(candidate)?.limits(needs)
    }

    /// The candidates that may still be tried after this one, as far as is known now.
    pub(super) fn rest(&self) -> impl Iterator<Item = &Candidate> {
        let chain = self.chain.candidates().get(self.next..).unwrap_or_default().iter();
        let rest = chain.filter(|candidate| !self.has_own_turn(candidate));
        let rest = self.heads.iter().flatten().chain(rest).chain(&self.late);
        rest.filter(|candidate| self.reason_against(candidate).is_none())
    }

    /// Whether no candidate may be tried after this one.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest().next().is_none()
    }

    /// Whether a candidate was not called since its circuit is open or it is paused.
    pub(super) const fn has_open(&self) -> bool {
        !self.aside.is_empty()
    }

    /// The candidate to call when no other is left: of those whose circuit is open or that are paused, the one that is looked at again
    /// first. Those that accept part of the attempts again are called in turn; of the others with an open circuit one is enough.
    pub(super) fn last_resort(&mut self) -> Option<Candidate> {
        self.resorts = true;
        let mut allowed = std::mem::take(&mut self.aside);
        allowed.retain(|aside| self.reason_against(&aside.candidate).is_none());
        allowed.sort_by_key(|aside| aside.next_look);
        let mut allowed = allowed.into_iter();
        let soonest = allowed.next()?;
        // A pause may turn out too long to be waited for: then nothing was sent, and the next one is called.
        if soonest.next_look.is_zero() || soonest.is_paused {
            self.aside = allowed.collect();
        }
        Some(soonest.candidate)
    }

    /// The candidate for a hedge: the next, or else one that accepts a part of the attempts again. It goes before cheaper
    /// models, which are for when the others have failed, not for when they are late.
    pub(super) fn beside(&self) -> Option<(Candidate, bool)> {
        let next = self.rest().next().filter(|next| !self.chain.is_cheaper(next));
        let returning = || {
            let mut returning = self.aside.iter().filter(|aside| aside.next_look.is_zero());
            let returning = returning.find(|aside| self.reason_against(&aside.candidate).is_none())?;
            Some((returning.candidate.clone(), true))
        };
        next.map(|next| (next.clone(), false)).or_else(returning)
    }

    /// Takes the candidate for a hedge.
    pub(super) fn take_beside(&mut self, candidate: &Candidate, passed_over: impl FnMut(&Candidate, Reason)) {
        let known = self.aside.len();
        self.aside.retain(|aside| aside.candidate != *candidate);
        if self.aside.len() == known {
            // Those before it may not be tried.
            self.advance(passed_over);
        }
    }

    /// It could not be a hedge: it is to be tried in its turn.
    pub(super) fn give_back(&mut self, candidate: Candidate) {
        if let Some(head) = self.heads.iter_mut().find(|head| head.is_none()) {
            *head = Some(candidate);
        }
    }

    /// Whether a candidate whose answer was interrupted is being tried once more.
    pub(super) const fn repeats(&self) -> bool {
        self.repeats
    }

    /// Whether only one model may answer.
    pub(super) const fn is_bound(&self) -> bool {
        self.only.is_some()
    }

    pub(super) const fn chain(&self) -> &Chain {
        &self.chain
    }

    fn step(&mut self) -> Option<Candidate> {
        if let Some(head) = self.heads.iter_mut().find_map(Option::take) {
            return Some(head);
        }
        while let Some(candidate) = self.chain.candidates().get(self.next) {
            self.next += 1;
            if !self.has_own_turn(candidate) {
                return Some(candidate.clone());
            }
        }
        let late = (!self.late.is_empty()).then(|| self.late.remove(0));
        self.repeats = late.is_some();
        late
    }

    /// Whether it goes before the chain or after it.
    fn has_own_turn(&self, candidate: &Candidate) -> bool {
        let mut own = self.first.iter().flatten().chain(&self.late);
        own.any(|own| own == candidate)
    }

    /// What a failure rules out; `false` if no other candidate may answer.
    ///
    /// `was_sent`: whether the failed attempt reached its upstream, which then has tried the models that went along.
    pub(super) fn learn<E: Failure>(
        &mut self,
        error: &E,
        failed: &Candidate,
        along: &[Candidate],
        was_sent: bool,
    ) -> bool {
        if error.kind() == FailureKind::CircuitOpen || error.marks().is_paused() {
            // One that takes a part of the attempts again is better than one that is being probed.
            let next_look = error.retry_after().unwrap_or(Duration::from_nanos(1));
            if !self.resorts {
                self.aside.push(Aside {
                    candidate: failed.clone(),
                    next_look,
                    is_paused: error.marks().is_paused(),
                });
            }
            return !self.stopped;
        }
        if let Some(continuation) = &self.continuation
            && continuation.takes_another_turn(failed)
        {
            // It takes no begun message: after the others it continues by instruction.
            self.late.push(failed.clone());
        }
        let known = self.chain.capability(failed);
        match error.advice().fall_back {
            // It takes no message that was begun for it; the next one may.
            FallbackAdvice::Never if self.continuation.is_some() && error.kind() == FailureKind::BadRequest => {}
            FallbackAdvice::Never => self.stopped = true,
            FallbackAdvice::IfRouteAllows if !self.chain.may_move_on_refusal() => self.stopped = true,
            FallbackAdvice::Any | FallbackAdvice::IfRouteAllows => {}
            FallbackAdvice::OtherPool => self.bans.push(Ban::Pool(in_pool_of(error, failed))),
            // Another key of this upstream's pool may still serve.
            FallbackAdvice::OtherUpstream if error.marks().has_other_key() => {}
            FallbackAdvice::OtherUpstream => self.bans.push(Ban::Upstream(failed.clone())),
            FallbackAdvice::LargerContext => {
                self.bans
                    .extend(known.and_then(|known| known.context_length).map(Ban::ContextUpTo));
            }
            FallbackAdvice::Cheaper => self
                .bans
                .extend(known.and_then(|known| known.price).map(Ban::PriceFrom)),
        }
        match error.scope() {
            FailureScope::Candidate => {}
            FailureScope::Upstream if error.marks().has_other_key() => {}
            FailureScope::Pool => self.bans.push(Ban::Pool(in_pool_of(error, failed))),
            FailureScope::Upstream => self.bans.push(Ban::Upstream(failed.clone())),
        }
        // If the router answered, it has tried the list that was sent along; if it did not, none of it was tried.
        let reached = !matches!(
            error.kind(),
            FailureKind::Connect | FailureKind::Reset | FailureKind::Timeout(_)
        );
        if was_sent && reached {
            self.bans.extend(along.iter().cloned().map(Ban::Tried));
        }
        !self.stopped
    }

    fn reason_against(&self, candidate: &Candidate) -> Option<Reason> {
        let known = self.chain.capability(candidate);
        let cannot_continue = |continuation: &Arc<Continuation>| {
            let takes_prefill = known.as_ref().and_then(|known| known.prefill);
            continuation.way(candidate, takes_prefill) == ContinueBy::Never
        };
        if self.continuation.as_ref().is_some_and(cannot_continue) {
            return Some("it cannot continue an interrupted answer".to_owned().into());
        }
        if let Some(kept) = &self.kept_model
            && **kept != *candidate.model()
        {
            return Some(keeps(kept).into());
        }
        if let Some(only) = &self.only
            && !is_same_model(only, candidate.model())
        {
            return Some(format!("its vectors are not comparable with those of {only}").into());
        }
        if let Some(needs) = &self.needs {
            let answer = if self.is_prompt_alone { 0 } else { needs.max_tokens };
            if let Some(lack) = known.as_ref().and_then(|known| known.lack(needs, answer)) {
                return Some(Reason {
                    text: lack.reason,
                    is_context: lack.is_context,
                });
            }
        }
        let banned = self.bans.iter().find_map(|ban| match ban {
            Ban::Pool(failed) if candidate.pool() == failed.pool() => {
                Some(format!("paid from the same pool as {}", failed.model()))
            }
            Ban::Upstream(failed) if candidate.upstream() == failed.upstream() => {
                Some(format!("{} takes the same key", failed.upstream()))
            }
            Ban::ContextUpTo(context) => {
                let own = known.as_ref()?.context_length?;
                (own <= *context).then(|| format!("its context of {own} is no larger"))
            }
            Ban::PriceFrom(price) => (known.as_ref()?.price? >= *price).then(|| "it is no cheaper".to_owned()),
            Ban::Tried(tried) if candidate == tried => Some("the router has tried it".to_owned()),
            Ban::BrokeOff(broken) if candidate == broken => Some("its answer was interrupted twice".to_owned()),
            Ban::Pool(_) | Ban::Upstream(_) | Ban::Tried(_) | Ban::BrokeOff(_) => None,
        });
        banned.map(Reason::from)
    }
}

/// Why no other candidate is called for a request that keeps its model.
pub(super) fn keeps(model: &str) -> String {
    format!("the request keeps its model {model}: `LlmRequest::set_model` did not change it")
}
