//! What a seed decides about one call: when it comes, what it wants, and how its caller behaves.

use std::time::Duration;

use tower_openrouter::Api;

use super::{answer, draw::Draw, setup::Setup};

/// Through which door a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Stream,
    Complete,
    /// The stack as a bare service.
    Raw,
    EndpointStream,
    EndpointPlain,
}

/// Whether and when the caller leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    Never,
    /// At the so many-th poll.
    AtPoll(u32),
    /// After so many frames.
    AfterFrames(u32),
    /// It stays, but reads no more after so many frames.
    StopsReading(u32),
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) index: u64,
    pub(crate) at: Duration,
    pub(crate) question: u64,
    pub(crate) tenant: u64,
    pub(crate) api: Api,
    pub(crate) form: Form,
    pub(crate) leave: Leave,
    /// The caller's own deadline.
    pub(crate) deadline: Option<Duration>,
    pub(crate) max_tokens: Option<u64>,
    /// Pauses between two frames.
    pub(crate) reads_slowly: Option<Duration>,
    /// The request names this candidate's model.
    pub(crate) model: Option<usize>,
    /// The request pins a provider that is down.
    pub(crate) is_pinned: bool,
    pub(crate) is_batch: bool,
    pub(crate) has_tags: bool,
    pub(crate) bypasses_cache: bool,
    /// The number of its idempotency key: that of its question, or by mistake another one.
    pub(crate) key: Option<u64>,
}

impl Call {
    /// The calls of a run.
    pub(crate) fn all(seed: u64, setup: &Setup) -> Vec<Self> {
        let draw = &mut Draw::of(seed, &[3]);
        let count = draw.weighed(&[(2, 1), (4, 8), (3, 16), (1, 40)]);
        let span = draw.pick(&[1_000, 20_000, 60_000]);
        let leavers = draw.pick(&[5, 40, 75]);
        (1..=count)
            .map(|index| Self::of(index, span, leavers, setup, draw))
            .collect()
    }

    fn of(index: u64, span: u64, leavers: u32, setup: &Setup, draw: &mut Draw) -> Self {
        let leave = if draw.chance(leavers) {
            match draw.number(0..4) {
                0 | 1 => Leave::AtPoll(u32::try_from(draw.number(0..14)).unwrap()),
                2 => Leave::AfterFrames(u32::try_from(draw.number(0..6)).unwrap()),
                _ => Leave::StopsReading(u32::try_from(draw.number(0..4)).unwrap()),
            }
        } else {
            Leave::Never
        };
        let api = if setup.only_chat {
            Api::Chat
        } else {
            draw.pick(&[Api::Chat, Api::Responses, Api::Messages, Api::Embeddings])
        };
        let questions = if setup.shares_answers() { 3 } else { answer::QUESTIONS };
        let question = draw.number(0..questions);
        let key = draw.maybe(70, |draw| if draw.chance(90) { question } else { draw.number(0..3) });
        let key = key.filter(|_| setup.idempotency.is_some());
        Self {
            index,
            at: draw.millis(0..span),
            question,
            tenant: draw.number(0..3),
            api,
            form: draw.weighed(&[
                (4, Form::Stream),
                (3, Form::Complete),
                (2, Form::Raw),
                (2, Form::EndpointStream),
                (1, Form::EndpointPlain),
            ]),
            leave,
            deadline: draw.maybe(15, |draw| draw.millis(20..8_000)),
            max_tokens: draw.maybe(40, |draw| draw.pick(&[1, 40, 400])),
            reads_slowly: draw.maybe(10, |draw| draw.millis(1..1_500)),
            // A list of vectors is always of the model that the request names.
            model: draw.maybe(if api == Api::Embeddings { 100 } else { 10 }, |draw| {
                draw.index(setup.moods.len())
            }),
            is_pinned: draw.chance(8),
            is_batch: draw.chance(20),
            has_tags: !draw.chance(5),
            bypasses_cache: draw.chance(15) && key.is_none(),
            key,
        }
    }

    /// By when the call must have ended, counted from its start.
    pub(crate) fn limit(&self, setup: &Setup) -> Option<Duration> {
        match (self.deadline, setup.deadline) {
            (Some(own), Some(all)) => Some(own.min(all)),
            (own, all) => own.or(all),
        }
    }

    pub(crate) const fn is_streamed(&self) -> bool {
        !matches!(self.api, Api::Embeddings) && matches!(self.form, Form::Stream | Form::Raw | Form::EndpointStream)
    }
}
