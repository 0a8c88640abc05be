//! One plain answer out of the frames of a streamed one.

use bytes::Bytes;
use openrouter_wire::assemble::{AssembleError, Assembler};

use crate::{Api, ChatFrame, Error, FailureKind, FrameKind, frame::HiddenNames};

/// The frames so far, put together as they come.
#[derive(Default)]
pub(crate) struct Gathered {
    assembler: Assembler,
    hidden: HiddenNames,
}

impl Gathered {
    pub(crate) fn take(&mut self, frame: &ChatFrame) -> Result<(), Error> {
        if frame.kind() == FrameKind::KeepAlive {
            return Ok(());
        }
        self.hidden = self.hidden.and(frame.hidden_names());
        let is_whole = frame.kind() == FrameKind::Answer;
        let added = self.assembler.add(frame.api(), frame.bytes(), is_whole);
        added.map_err(|cause| match cause {
            AssembleError::Json(cause) => {
                Error::caused(FailureKind::Malformed, "this frame is not a chunk of a stream", cause)
            }
            cause => Error::new(FailureKind::Malformed, cause.to_string()),
        })
    }

    /// The API of the answer.
    pub(crate) fn api(&self) -> Api {
        self.assembler.api()
    }

    /// Which of its names hold the key that was sent.
    pub(crate) const fn hidden_names(&self) -> HiddenNames {
        self.hidden
    }

    /// The text so far, of the first choice.
    pub(crate) fn text(&self) -> String {
        self.assembler.text()
    }

    /// The answer as a plain call would have brought it: JSON that every parser reads. What came in one piece stays as it came.
    pub(crate) fn whole(self) -> Bytes {
        self.assembler.whole()
    }
}
