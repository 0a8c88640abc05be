//! What was shown of an answer so far, and how a continuation joins it.

use std::{collections::VecDeque, fmt, sync::Arc};

use http::Request;

use super::{
    blocks::{Blocks, Fitted},
    overlap::is_rounded_off,
    seam::{Joined, Seam, last_of},
};
use crate::{
    Candidate, Continuable, ContinueBy, Degraded, Failure, FailureKind, Frame, Health, LlmRequest, Phase, Resumed,
    Resumption, Shown, Stage,
    call::{Continuation, InstructionOnly},
    protocol::is_end,
    util::Lock,
};

/// The most text that is kept to resume from, in bytes: about a quarter of a million tokens.
const MOST_TEXT: usize = 1024 * 1024;

/// The smallest answer worth asking for: several providers refuse less.
const FEWEST_TOKENS: u64 = 16;

/// What it takes to resume: the service, the request as it came, and what was shown of the answer.
pub(super) struct ResumableAnswer<S, R, D> {
    pub(super) service: S,
    original: Request<R>,
    times_left: u32,
    shown: String,
    tokens: u64,
    /// Those of the text that is held back.
    held_tokens: u64,
    resumed: Resumed,
    /// The join in progress.
    joining: Option<Joining<D>>,
    blocks: Blocks<D>,
    learned: Arc<InstructionOnly>,
    /// Whether some continuation is being read.
    is_resuming: bool,
    state: Continuability,
}

/// A continuation that is not joined yet.
struct Joining<D> {
    seam: Seam,
    way: ContinueBy,
    /// The last frame that is held back.
    held: Option<D>,
    /// What is noted once it is joined.
    place: Resumption,
}

/// Whether the answer could be resumed from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Continuability {
    Open,
    /// The end of the answer has been shown: what may follow is no text.
    Finished,
    /// Something has been shown that no text can continue.
    Closed,
}

/// What to show of a frame.
pub(super) enum Emit<D> {
    One(D),
    /// These, in order: what was held back before the last.
    Several(VecDeque<D>),
    Nothing,
    /// The continuation is an answer from the start, or says nothing: it is not joined.
    Restart,
}

impl<S, R: LlmRequest + Continuable, D: Frame> ResumableAnswer<S, R, D> {
    pub(super) fn new(service: S, original: Request<R>, times: u32, learned: Arc<InstructionOnly>) -> Self {
        Self {
            service,
            original,
            times_left: times,
            shown: String::new(),
            tokens: 0,
            held_tokens: 0,
            resumed: Resumed::default(),
            joining: None,
            blocks: Blocks::default(),
            learned,
            is_resuming: false,
            state: Continuability::Open,
        }
    }

    /// Takes note of a frame, and says what to show of it.
    pub(super) fn read(&mut self, mut frame: D) -> Emit<D> {
        if self.is_resuming {
            frame = match self.blocks.fit(frame, self.joining.is_some()) {
                Fitted::Frame(frame) => frame,
                Fitted::Nothing => return Emit::Nothing,
                Fitted::Unfit => return self.restart(),
            };
        }
        let shown = self.take(frame);
        self.in_blocks(shown)
    }

    /// What is shown, with what its blocks need before it.
    fn in_blocks(&mut self, shown: Emit<D>) -> Emit<D> {
        let frames = match shown {
            Emit::One(frame) if self.blocks.is_first(&frame) => return Emit::One(frame),
            Emit::One(frame) => VecDeque::from([frame]),
            Emit::Several(frames) => frames,
            Emit::Nothing | Emit::Restart => return shown,
        };
        let mut all = VecDeque::with_capacity(frames.len() + 2);
        for frame in frames {
            self.blocks.show(frame, &mut all);
        }
        Emit::Several(all)
    }

    fn take(&mut self, frame: D) -> Emit<D> {
        let finishes = is_end(&frame);
        if finishes {
            self.state = Continuability::Finished;
        }
        // Usage alone is no end: an upstream may report it with the error that interrupts its answer.
        let ends = finishes || frame.stage() == Stage::Trailer;
        let is_of_no_block = || frame.block().is_none();
        let text = match frame.shown() {
            Shown::Text(text) => text.into_owned(),
            // A continuation reasons again: the caller has seen the first reasoning.
            Shown::Reasoning if self.is_resuming && !ends => return Emit::Nothing,
            Shown::Nothing if self.is_resuming && !ends && frame.stage() == Stage::Preamble && is_of_no_block() => {
                return Emit::Nothing;
            }
            Shown::Nothing if frame.stage() == Stage::KeepAlive => return Emit::One(frame),
            Shown::Reasoning | Shown::Nothing => return self.after_held(frame),
            // It begins from the start, whatever it says.
            Shown::Whole if self.is_resuming => return self.restart(),
            Shown::Whole | Shown::Other => {
                self.state = Continuability::Closed;
                return self.after_held(frame);
            }
        };
        let tokens = u64::from(frame.tokens());
        let Some(joining) = &mut self.joining else {
            self.tokens += tokens;
            self.keep(&text);
            return Emit::One(frame);
        };
        let mut joined = joining.seam.push(&text);
        if self.state == Continuability::Finished && joined == Joined::Undecided {
            if joining.seam.is_silent() && !is_believed(&self.shown, &frame) {
                return self.not_continued();
            }
            joined = joining.seam.close();
        }
        let new = match joined {
            Joined::Text(new) => new,
            Joined::Restart => return self.restart(),
            Joined::Undecided => {
                joining.held = Some(frame);
                self.held_tokens += tokens;
                return Emit::Nothing;
            }
        };
        self.joined();
        // What is left out was not shown, and takes nothing of what may still come.
        let held_tokens = std::mem::take(&mut self.held_tokens);
        self.tokens += match new.len() {
            0 => 0,
            length if length > text.len() => held_tokens + tokens,
            _ => tokens,
        };
        self.keep(&new);
        if new.is_empty() && self.state != Continuability::Finished {
            return Emit::Nothing;
        }
        Emit::One(if new == text { frame } else { frame.with_text(&new) })
    }

    /// The continuation is joined.
    fn joined(&mut self) {
        if let Some(joining) = self.joining.take() {
            self.resumed.note(joining.place);
        }
    }

    /// The continuation is an answer from the start.
    fn restart(&mut self) -> Emit<D> {
        if let Some(joining) = &self.joining
            && joining.way == ContinueBy::Prefill
            && let Some(by) = &joining.place.by
        {
            self.learned.note(by);
        }
        self.not_joined("answered from the start")
    }

    /// The continuation has shown nothing, and what was shown is no whole answer.
    fn not_continued(&mut self) -> Emit<D> {
        self.not_joined("continued with nothing")
    }

    fn not_joined(&mut self, what: &str) -> Emit<D> {
        if let Some(joining) = self.joining.take() {
            let by = joining.place.by.as_ref();
            tracing::warn!(
                target: "llm::resume",
                model = by.map(Candidate::model),
                upstream = by.map(Candidate::upstream),
                "not resumed: the model has {what}"
            );
            self.original.body().call().not_joined(&format!("{what}, not joined"));
        }
        Emit::Restart
    }

    /// Whether a continuation is being joined that has shown nothing so far.
    fn is_silent(&self) -> bool {
        self.joining.as_ref().is_some_and(|joining| joining.seam.is_silent())
    }

    /// The continuation was interrupted before it was joined. Nothing of what it held back is shown: all of it may repeat what was shown, or
    /// begin the answer from the start, or else it would not be held.
    fn interrupt(&mut self) {
        self.held_tokens = 0;
        self.joining = None;
    }

    /// Shows what is held back and new, as no more text comes; or tells that the continuation is not joined.
    pub(super) fn close(&mut self) -> Emit<D> {
        if self.state != Continuability::Finished && self.is_silent() {
            // Without a reason to end it is no end.
            return self.not_continued();
        }
        let shown = self.close_seam();
        self.in_blocks(shown)
    }

    fn close_seam(&mut self) -> Emit<D> {
        let Some(joining) = &mut self.joining else {
            return Emit::Nothing;
        };
        let (joined, held) = (joining.seam.close(), joining.held.take());
        let Joined::Text(new) = joined else {
            return self.restart();
        };
        self.joined();
        let tokens = std::mem::take(&mut self.held_tokens);
        let Some(frame) = held.filter(|_| !new.is_empty()) else {
            return Emit::Nothing;
        };
        self.tokens += tokens;
        self.keep(&new);
        Emit::One(frame.with_text(&new))
    }

    fn after_held(&mut self, frame: D) -> Emit<D> {
        if self.is_silent() {
            match self.state {
                // Usage alone: text may still come.
                Continuability::Open if frame.stage() == Stage::Trailer => return Emit::One(frame),
                Continuability::Finished if !is_believed(&self.shown, &frame) => return self.not_continued(),
                Continuability::Open | Continuability::Finished | Continuability::Closed => {}
            }
        }
        match self.close_seam() {
            Emit::One(held) => Emit::Several([held, frame].into()),
            Emit::Restart => Emit::Restart,
            _ => Emit::One(frame),
        }
    }

    fn keep(&mut self, text: &str) {
        if self.shown.len() + text.len() > MOST_TEXT {
            self.shown = String::new();
            self.state = Continuability::Closed;
        }
        if self.state == Continuability::Open {
            self.shown.push_str(text);
        }
    }

    /// The request that resumes the answer after this failure, if it may be resumed.
    pub(super) fn resume_request<E: Failure>(&mut self, error: &E) -> Option<Request<R>> {
        self.interrupt();
        // A timeout of the call's own says nothing of the upstream, and the answer is interrupted all the same.
        let is_own = error.marks().is_own_timeout();
        let hurts = is_own || matches!(error.advice().health, Health::Unhealthy | Health::Paused);
        if self.state != Continuability::Open || !self.blocks.is_continuable() || self.times_left == 0 || !hurts {
            return None;
        }
        let original = self.original.body();
        let call = original.call();
        if call.attempts_left() == 0 || call.is_over() {
            return None;
        }
        let mut body = original.continue_after(self.shown.trim_end())?;
        if let Some(most) = body.max_tokens() {
            let left = most.checked_sub(self.tokens).filter(|left| *left > 0)?;
            // An answer that cannot be shortened may come out longer; its parts are distinguished all the same.
            if let Some(body) = body.budgeted() {
                let _is_set = body.set_max_tokens(left.max(FEWEST_TOKENS).min(most));
            }
        }
        let broke = call.attempts().and_then(|log| log.shown());
        let fell_silent = matches!(error.kind(), FailureKind::Timeout(Phase::Idle | Phase::Throughput));
        tracing::warn!(
            target: "llm::resume",
            kind = error.kind().as_str(),
            model = broke.as_ref().map(Candidate::model),
            upstream = broke.as_ref().map(Candidate::upstream),
            after = self.shown.len(),
            "answer interrupted: resuming"
        );
        body.call_mut().resume(Arc::new(Continuation {
            interrupted: broke,
            fell_silent,
            begun_by_caller: original.needs().prefill,
            last: last_of(&self.shown).to_owned(),
            table: R::continue_by,
            learned: Arc::clone(&self.learned),
            refused: Lock::default(),
        }));
        self.times_left -= 1;
        let mut request = Request::new(body);
        *request.method_mut() = self.original.method().clone();
        *request.uri_mut() = self.original.uri().clone();
        *request.version_mut() = self.original.version();
        request.headers_mut().clone_from(self.original.headers());
        request.extensions_mut().clone_from(self.original.extensions());
        Some(request)
    }

    /// A candidate has begun to continue the answer, asked in this way.
    pub(super) fn begin_resume<E: Failure>(&mut self, after: &E, way: ContinueBy, mark: Option<Degraded>) {
        self.is_resuming = true;
        self.blocks.begin();
        let log = self.original.body().call().attempts();
        self.joining = Some(Joining {
            seam: Seam::after(&self.shown, way),
            way,
            held: None,
            place: Resumption {
                after: self.shown.len(),
                reason: after.kind(),
                by: log.and_then(|log| log.shown()),
                degraded: mark,
            },
        });
    }
}

/// Whether this end of a continuation that has shown nothing is the end of what was shown. A limit or a filter is passed on to the caller.
fn is_believed<D: Frame>(shown: &str, end: &D) -> bool {
    end.is_cut_short() || is_rounded_off(shown)
}

impl<S, R, D> ResumableAnswer<S, R, D> {
    /// Whether text is held back.
    pub(super) fn holds(&self) -> bool {
        self.joining.is_some()
    }

    pub(super) const fn resumed(&self) -> &Resumed {
        &self.resumed
    }
}

impl<S, R, D> fmt::Debug for ResumableAnswer<S, R, D> {
    /// How much was shown; never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumableAnswer")
            .field("shown", &self.shown.len())
            .field("times_left", &self.times_left)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
