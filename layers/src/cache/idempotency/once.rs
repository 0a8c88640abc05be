//! A call that is made once: claims its key, makes the call or replays its answer, and keeps the answer before its end is shown.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::{Claim, Claiming, IdempotencyClaim, IdempotencyStore, InFlight, Keeping};
use crate::{
    Failure, Frame, LayerError, Replayed,
    cache::{
        AnswerKey, CachedResponse,
        entry::{Entry, Head, Piece},
        flight::{BoxDrive, Drive, Step},
    },
    protocol::is_end,
};

/// How soon a call looks again at a key that another process has in flight: at first, and at most.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const LOOK_AGAIN_AT_MOST: Duration = Duration::from_millis(500);

/// What a call is made once by.
pub(super) struct Terms<D> {
    pub(super) store: Arc<dyn IdempotencyStore<D>>,
    pub(super) key: AnswerKey,
    pub(super) request: AnswerKey,
    pub(super) in_flight: InFlight,
    pub(super) keep_for: Duration,
    pub(super) largest: usize,
}

/// Nothing but polls drives it: dropped, it drops the call and the claim, whichever it has.
pub(super) struct Once<D, E> {
    terms: Terms<D>,
    state: State<D, E>,
    /// The call, until the key is claimed for it.
    call: Option<BoxDrive<D, E>>,
    claim: Option<Box<dyn IdempotencyClaim<D>>>,
    pause: Duration,
    seen: Seen<D>,
}

enum State<D, E> {
    Claiming(Claiming<D>),
    Waiting(Pin<Box<Sleep>>),
    Calling(BoxDrive<D, E>),
    /// The answer is kept before its end or its last frame is shown: a caller that has all of it can be given it again. Then the call continues if it
    /// has not ended: read to its end, its connection can be used again.
    Keeping(Keeping, Step<D, E>, Option<BoxDrive<D, E>>),
    Replaying(Arc<Entry<D>>, usize),
    Ended,
}

/// The answer so far.
struct Seen<D> {
    begun: Instant,
    head: Option<Head>,
    pieces: Vec<Piece<D>>,
    bytes: usize,
    /// Whether a frame has said that the answer has ended.
    has_end: bool,
}

/// Nothing in it is pinned in its place.
impl<D, E> Unpin for Once<D, E> {}

impl<D, E> Once<D, E>
where
    D: Frame + Clone + Send + Sync + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    /// Makes this call, once its key is claimed for it.
    pub(super) fn begin(terms: Terms<D>, call: BoxDrive<D, E>) -> BoxDrive<D, E> {
        let claiming = terms.store.claim(&terms.key, &terms.request);
        Box::pin(Self {
            terms,
            state: State::Claiming(claiming),
            call: Some(call),
            claim: None,
            pause: LOOK_AGAIN,
            seen: Seen {
                begun: Instant::now(),
                head: None,
                pieces: Vec::new(),
                bytes: 0,
                has_end: false,
            },
        })
    }

    /// What follows from what is known of the key.
    fn claimed(&mut self, claim: Claim<D>) -> Result<State<D, E>, LayerError> {
        Ok(match claim {
            Claim::Taken(claim) => {
                self.claim = Some(claim);
                self.call.take().map_or(State::Ended, State::Calling)
            }
            Claim::Kept(response) => {
                self.call = None;
                State::Replaying(response.0, 0)
            }
            Claim::InFlight if self.terms.in_flight == InFlight::Wait => {
                let pause = self.pause;
                self.pause = pause.saturating_mul(2).min(LOOK_AGAIN_AT_MOST);
                State::Waiting(Box::pin(tokio::time::sleep(pause)))
            }
            Claim::InFlight => return Err(LayerError::IdempotencyInFlight),
            Claim::TooLarge => return Err(LayerError::IdempotencyTooLarge),
            Claim::OtherRequest => return Err(LayerError::IdempotencyMismatch),
        })
    }

    /// A step of the call, on its way to the readers.
    fn stepped(&mut self, step: Step<D, E>) -> Option<Step<D, E>> {
        let (ended, is_complete) = match &step {
            Step::Head(parts, ended) => {
                self.seen.head = Some(Head::of(parts));
                (*ended, *ended)
            }
            Step::Piece(piece, ended) => {
                let is_last = self.seen.push(piece, self.terms.largest);
                (*ended, *ended || is_last)
            }
            Step::End => (true, true),
            Step::Failed(_) => {
                // The key is free again.
                self.claim = None;
                self.state = State::Ended;
                return Some(step);
            }
        };
        if !is_complete {
            return Some(step);
        }
        let rest = match std::mem::replace(&mut self.state, State::Ended) {
            State::Calling(call) if !ended => Some(call),
            _ => None,
        };
        let keeping = self.claim.take().filter(|_| self.seen.is_good());
        let Some(claim) = keeping else {
            self.state = rest.map_or(State::Ended, State::Calling);
            return Some(step);
        };
        let response = self.seen.take(self.terms.largest, self.terms.keep_for);
        self.state = State::Keeping(claim.keep(response, self.terms.keep_for), step, rest);
        None
    }
}

impl<D: Frame + Clone> Seen<D> {
    /// Takes note of a piece. Returns whether nothing follows it.
    fn push(&mut self, piece: &Piece<D>, largest: usize) -> bool {
        if piece.is_sign_of_life() {
            return false;
        }
        self.bytes = self.bytes.saturating_add(piece.size_in_bytes());
        if self.bytes > largest {
            // It is not kept, so it need not be held.
            self.pieces = Vec::new();
        } else {
            self.pieces.push(piece.clone());
        }
        let Piece::Data(data) = piece else { return false };
        self.has_end |= is_end(data);
        self.has_end && data.is_last()
    }

    fn is_good(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.status.is_success())
    }

    /// All of it, as it is kept; `None` if it is too large.
    fn take(&mut self, largest: usize, keep_for: Duration) -> Option<CachedResponse<D>> {
        let head = self.head.take().filter(|_| self.bytes <= largest)?;
        let entry = Entry::as_it_came(head, &std::mem::take(&mut self.pieces), (self.begun, keep_for))?;
        Some(CachedResponse(Arc::new(entry)))
    }
}

impl<D, E> Drive<D, E> for Once<D, E>
where
    D: Frame + Clone + Send + Sync + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    fn poll_step(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step<D, E>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Claiming(claiming) => {
                    let claim = ready!(claiming.as_mut().poll(cx)).map_err(|error| LayerError::IdempotencyStoreDown {
                        cause: error.to_string(),
                    });
                    match claim.and_then(|claim| this.claimed(claim)) {
                        Ok(state) => this.state = state,
                        Err(error) => {
                            this.state = State::Ended;
                            return Poll::Ready(Step::Failed(error.into()));
                        }
                    }
                    if let State::Replaying(entry, _) = &this.state {
                        let age = Instant::now().saturating_duration_since(entry.came);
                        let (mut parts, ()) = entry.head.response(()).into_parts();
                        parts.extensions.insert(Replayed { age });
                        return Poll::Ready(Step::Head(parts, false));
                    }
                }
                State::Waiting(sleep) => {
                    ready!(sleep.as_mut().poll(cx));
                    this.state = State::Claiming(this.terms.store.claim(&this.terms.key, &this.terms.request));
                }
                State::Calling(call) => {
                    let step = ready!(call.as_mut().poll_step(cx));
                    if let Some(step) = this.stepped(step) {
                        return Poll::Ready(step);
                    }
                }
                State::Keeping(keeping, ..) => {
                    if let Err(error) = ready!(keeping.as_mut().poll(cx)) {
                        tracing::warn!(%error, "the answer to a call with an idempotency key could not be kept");
                    }
                    if let State::Keeping(_, step, rest) = std::mem::replace(&mut this.state, State::Ended) {
                        this.state = rest.map_or(State::Ended, State::Calling);
                        return Poll::Ready(step);
                    }
                }
                State::Replaying(entry, next) => {
                    let piece = entry.piece(*next);
                    *next += 1;
                    return Poll::Ready(piece.map_or(Step::End, |piece| Step::Piece(piece, false)));
                }
                State::Ended => return Poll::Pending,
            }
        }
    }
}
