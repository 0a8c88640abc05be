use std::fmt;

use http::Request;

use super::seam::{Joined, Seam};
use crate::{Candidate, Continuable, Degraded, Failure, Frame, Health, LlmRequest, Resumed, Resumption, Shown, Stage};

/// The most text that is kept to resume from, in bytes: about a quarter of a million tokens.
const MOST_TEXT: usize = 1024 * 1024;

/// The smallest answer worth asking for: several providers refuse less.
const FEWEST_TOKENS: u64 = 16;

/// What it takes to resume: the service, the request as it came, and what was shown of the answer.
pub(super) struct Story<S, R, D> {
    pub(super) service: S,
    original: Request<R>,
    times_left: u32,
    shown: String,
    tokens: u64,
    /// Those of the text that is held back.
    held_tokens: u64,
    resumed: Resumed,
    /// The join in progress, and the last frame that is held back for it.
    seam: Option<(Seam, Option<D>)>,
    /// Whether some continuation is being read.
    goes_on: bool,
    state: State,
}

/// Whether the answer could be resumed from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The end of the answer has been shown: what may follow is no text.
    Finished,
    /// Something has been shown that no text can continue.
    Closed,
}

/// What to show of a frame.
pub(super) enum Show<D> {
    One(D),
    /// What was held back, and this one after it.
    Two(D, D),
    Nothing,
}

impl<S, R: LlmRequest + Continuable, D: Frame> Story<S, R, D> {
    pub(super) fn new(service: S, original: Request<R>, times: u32) -> Self {
        Self {
            service,
            original,
            times_left: times,
            shown: String::new(),
            tokens: 0,
            held_tokens: 0,
            resumed: Resumed::default(),
            seam: None,
            goes_on: false,
            state: State::Open,
        }
    }

    /// Takes note of a frame, and says what to show of it.
    pub(super) fn read(&mut self, frame: D) -> Show<D> {
        let ends = matches!(frame.stage(), Stage::Finish | Stage::Trailer) || frame.finishes_answer();
        if ends {
            self.state = State::Finished;
        }
        let text = match frame.shown() {
            Shown::Text(text) => text.into_owned(),
            // A continuation reasons again: the caller has seen the first reasoning.
            Shown::Reasoning if self.goes_on && !ends => return Show::Nothing,
            Shown::Nothing if self.goes_on && !ends && frame.stage() == Stage::Preamble => return Show::Nothing,
            Shown::Nothing if frame.stage() == Stage::KeepAlive => return Show::One(frame),
            Shown::Reasoning | Shown::Nothing => return self.after_held(frame),
            Shown::Other => {
                self.state = State::Closed;
                return self.after_held(frame);
            }
        };
        let tokens = u64::from(frame.tokens());
        let Some((seam, held)) = &mut self.seam else {
            self.tokens += tokens;
            self.keep(&text);
            return Show::One(frame);
        };
        let mut joined = seam.push(&text);
        if self.state == State::Finished && matches!(joined, Joined::Undecided) {
            joined = Joined::Text(seam.close());
        }
        let Joined::Text(new) = joined else {
            *held = Some(frame);
            self.held_tokens += tokens;
            return Show::Nothing;
        };
        self.seam = None;
        // What is left out was not shown, and takes nothing of what may still come.
        let held_tokens = std::mem::take(&mut self.held_tokens);
        self.tokens += match new.len() {
            0 => 0,
            length if length > text.len() => held_tokens + tokens,
            _ => tokens,
        };
        self.keep(&new);
        if new.is_empty() && self.state != State::Finished {
            return Show::Nothing;
        }
        Show::One(if new == text { frame } else { frame.with_text(&new) })
    }

    /// The text that is still held back, when nothing more comes.
    pub(super) fn held(&mut self) -> Option<D> {
        let (mut seam, held) = self.seam.take()?;
        let new = seam.close();
        let tokens = std::mem::take(&mut self.held_tokens);
        let frame = held.filter(|_| !new.is_empty())?;
        self.tokens += tokens;
        self.keep(&new);
        Some(frame.with_text(&new))
    }

    fn after_held(&mut self, frame: D) -> Show<D> {
        match self.held() {
            Some(held) => Show::Two(held, frame),
            None => Show::One(frame),
        }
    }

    fn keep(&mut self, text: &str) {
        if self.shown.len() + text.len() > MOST_TEXT {
            self.shown = String::new();
            self.state = State::Closed;
        }
        if self.state == State::Open {
            self.shown.push_str(text);
        }
    }

    /// The request that resumes the answer after this failure, if it may be resumed.
    pub(super) fn go_on<E: Failure>(&mut self, error: &E) -> Option<Request<R>> {
        let hurts = matches!(error.advice().health, Health::Unhealthy | Health::Paused);
        if self.state != State::Open || self.times_left == 0 || !hurts {
            return None;
        }
        let original = self.original.body();
        let call = original.call();
        if call.attempts_left() == 0 || call.remaining().is_some_and(|left| left.is_zero()) {
            return None;
        }
        let mut body = original.continue_after(self.shown.trim_end())?;
        if let Some(most) = body.max_tokens() {
            let left = most.checked_sub(self.tokens).filter(|left| *left > 0)?;
            // An answer that cannot be shortened may come out longer; its parts are distinguished all the same.
            if let Some(body) = body.budgeted() {
                let _is_told = body.set_max_tokens(left.max(FEWEST_TOKENS).min(most));
            }
        }
        let broke = call.attempts().and_then(|log| log.shown());
        tracing::warn!(
            target: "llm::resume",
            kind = error.kind().as_str(),
            model = broke.as_ref().map(Candidate::model),
            upstream = broke.as_ref().map(Candidate::upstream),
            after = self.shown.len(),
            "answer interrupted: resuming"
        );
        body.call_mut().resume(broke);
        self.times_left -= 1;
        let mut request = Request::new(body);
        *request.method_mut() = self.original.method().clone();
        *request.uri_mut() = self.original.uri().clone();
        *request.version_mut() = self.original.version();
        request.headers_mut().clone_from(self.original.headers());
        request.extensions_mut().clone_from(self.original.extensions());
        Some(request)
    }

    /// A candidate continues the answer.
    pub(super) fn goes_on<E: Failure>(&mut self, after: &E, mark: Option<Degraded>) {
        self.goes_on = true;
        self.held_tokens = 0;
        self.seam = Some((Seam::after(&self.shown), None));
        let log = self.original.body().call().attempts();
        self.resumed.note(Resumption {
            after: self.shown.len(),
            reason: after.kind(),
            by: log.and_then(|log| log.shown()),
            degraded: mark,
        });
    }
}

impl<S, R, D> Story<S, R, D> {
    /// Whether text is held back.
    pub(super) fn holds(&self) -> bool {
        matches!(self.seam, Some((_, Some(_))))
    }

    pub(super) const fn resumed(&self) -> &Resumed {
        &self.resumed
    }
}

impl<S, R, D> fmt::Debug for Story<S, R, D> {
    /// How much was shown; never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story")
            .field("shown", &self.shown.len())
            .field("times_left", &self.times_left)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
