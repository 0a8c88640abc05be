//! A body that follows a script.

use std::{
    borrow::Cow,
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame as BodyFrame};
use tokio::time::{Sleep, sleep};
use tower_llm_layers::{Frame, Stage, TokenUsage};

use super::{Beat, Probe, TestError};

/// A frame with its place in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TestFrame {
    pub(crate) stage: Stage,
    pub(crate) index: usize,
    pub(crate) used: Option<u64>,
    pub(crate) usage: Option<TokenUsage>,
    pub(crate) size: usize,
}

impl TestFrame {
    /// The first of its stream, of eight bytes.
    pub(crate) const fn of(stage: Stage) -> Self {
        Self {
            stage,
            index: 0,
            used: None,
            usage: None,
            size: 8,
        }
    }
}

impl bytes::Buf for TestFrame {
    fn remaining(&self) -> usize {
        0
    }

    fn chunk(&self) -> &[u8] {
        b"the secret answer"
    }

    fn advance(&mut self, _count: usize) {}
}

impl Frame for TestFrame {
    fn stage(&self) -> Stage {
        self.stage
    }

    fn used_tokens(&self) -> Option<u64> {
        self.used
    }

    fn token_usage(&self) -> Option<TokenUsage> {
        self.usage
    }

    /// The envelope names the model that answers.
    fn model(&self) -> Option<Cow<'_, str>> {
        (self.stage == Stage::Preamble).then_some("the-model-2026".into())
    }

    fn finish_reason(&self) -> Option<Cow<'_, str>> {
        (self.stage == Stage::Finish).then_some("stop".into())
    }

    fn size_in_bytes(&self) -> usize {
        self.size
    }

    fn replayed(&self) -> Self {
        Self {
            used: self.used.map(|_| 0),
            usage: self.usage.map(|_| TokenUsage::default()),
            ..*self
        }
    }
}

/// A body that plays its beats. Panics if it is read after its end.
#[derive(Debug)]
pub(crate) struct ScriptBody {
    beats: VecDeque<Beat>,
    pause: Option<Pin<Box<Sleep>>>,
    index: usize,
    ended: bool,
    probe: Probe,
}

impl ScriptBody {
    pub(super) fn new(beats: Vec<Beat>, probe: Probe) -> Self {
        probe.change(|counts| counts.bodies_open += 1);
        Self {
            beats: beats.into(),
            pause: None,
            index: 0,
            ended: false,
            probe,
        }
    }

    fn frame(
        &mut self,
        stage: Stage,
        used: Option<u64>,
        size: usize,
    ) -> Option<Result<BodyFrame<TestFrame>, TestError>> {
        self.put(TestFrame {
            stage,
            index: self.index,
            used,
            usage: None,
            size,
        })
    }

    fn charged(&mut self, stage: Stage, usage: TokenUsage) -> Option<Result<BodyFrame<TestFrame>, TestError>> {
        self.put(TestFrame {
            stage,
            index: self.index,
            used: Some(usage.total()),
            usage: Some(usage),
            size: 1,
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "as a read gives it")]
    fn put(&mut self, frame: TestFrame) -> Option<Result<BodyFrame<TestFrame>, TestError>> {
        self.index += 1;
        Some(Ok(BodyFrame::data(frame)))
    }

    fn end(&mut self) {
        assert!(!self.ended, "read after its end");
        self.ended = true;
    }
}

impl Body for ScriptBody {
    type Data = TestFrame;
    type Error = TestError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<TestFrame>, TestError>>> {
        loop {
            if let Some(pause) = self.pause.as_mut() {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            return Poll::Ready(match self.beats.pop_front() {
                Some(Beat::Frame(stage)) => self.frame(stage, None, 1),
                Some(Beat::Held(size)) => self.frame(Stage::Preamble, None, size),
                Some(Beat::Used(used)) => self.frame(Stage::Trailer, Some(used), 1),
                Some(Beat::Charged(stage, usage)) => self.charged(stage, usage),
                #[cfg(feature = "cache")]
                Some(Beat::Sized(size)) => self.frame(Stage::Content, None, size),
                Some(Beat::Trailers) => Some(Ok(BodyFrame::trailers(http::HeaderMap::new()))),
                Some(Beat::Pause(pause)) => {
                    self.pause = Some(Box::pin(sleep(pause)));
                    continue;
                }
                Some(Beat::Fail(error)) => {
                    self.end();
                    Some(Err(error))
                }
                Some(Beat::Stall) => {
                    self.beats.push_front(Beat::Stall);
                    return Poll::Pending;
                }
                None => {
                    self.end();
                    None
                }
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.beats.is_empty() && self.pause.is_none()
    }
}

impl Drop for ScriptBody {
    fn drop(&mut self) {
        let ended = self.ended || self.is_end_stream();
        self.probe.change(|counts| {
            counts.bodies_open -= 1;
            counts.bodies_dropped += usize::from(!ended);
        });
    }
}
