//! What one event of a stream, or one whole document, says of an answer: the same for all APIs whose streams are typed events.

mod course;
mod items;
mod json;

use std::borrow::Cow;

use super::{Api, messages, responses};
use crate::{
    request::{
        JsonError,
        facts::{raw_member, text},
        scan::{Text, check_utf8},
    },
    response::{End, UpstreamError},
};

pub(super) use crate::response::full;
pub(crate) use course::Course;
pub(crate) use items::Said;
pub(crate) use items::texts;
pub(super) use items::{Item, all, full_text};
pub(super) use json::{filled, is_error};

/// English text has about 4.3 bytes a token: 5 counts rather too few tokens.
const BYTES_PER_TOKEN: usize = 5;

/// What a piece does to the course of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A sign of life.
    Ping,
    /// Part of the envelope, or of an unknown type.
    Envelope,
    /// An item of the answer begins, or a block.
    Opens,
    /// One part of an item begins.
    OpensPart,
    /// A piece of an item.
    Delta,
    /// A part of an item, once more as a whole.
    ClosesPart,
    /// An item has ended; it may come once more as a whole.
    Closes,
    /// The reason why the answer ended, which is not its last event.
    Finishes,
    /// The last event.
    Ends,
    /// A whole answer.
    Document,
}

/// What was found in one event or document. Builds nothing.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    body: &'a [u8],
    api: Api,
    pub(crate) step: Step,
    /// Which item or block it is about.
    pub(crate) index: u64,
    pub(crate) id: Option<Text<'a>>,
    pub(crate) model: Option<Text<'a>>,
    /// Text that a delta adds.
    pub(super) text: Option<Text<'a>>,
    /// An item, a block, or a list of them, in which more text may stand.
    pub(super) list: Option<&'a [u8]>,
    pub(crate) said: Said,
    /// Why it ended, in the upstream's word.
    pub(super) finish: Option<Text<'a>>,
    pub(crate) usage: Option<&'a [u8]>,
    /// Whether it reports a failure.
    pub(super) failed: bool,
    /// Whether the item is the answer itself, and not what came before it.
    pub(super) is_answer: bool,
    /// A response that the upstream works on after this.
    pub(crate) is_pending: bool,
}

impl<'a> Piece<'a> {
    /// Looks at a JSON object of this API.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8, not JSON, or not an object.
    pub(crate) fn read(api: Api, body: &'a [u8]) -> Result<Self, JsonError> {
        check_utf8(body)?;
        let mut piece = Self {
            body,
            api,
            step: Step::Envelope,
            index: 0,
            id: None,
            model: None,
            text: None,
            list: None,
            said: Said::default(),
            finish: None,
            usage: None,
            failed: false,
            is_answer: false,
            is_pending: false,
        };
        let is_known = match api {
            Api::Messages => messages::read(&mut piece, body)?,
            _ => responses::read(&mut piece, body)?,
        };
        // An error that stands by itself, in whatever shape.
        if !is_known && !piece.failed {
            piece.failed = UpstreamError::parse(body).is_some();
        }
        Ok(piece)
    }

    /// Whether it reports a failure.
    pub(crate) const fn is_failure(&self) -> bool {
        self.failed
    }

    /// The failure. This builds it.
    pub(crate) fn upstream_error(&self) -> Option<UpstreamError> {
        self.failed.then(|| UpstreamError::parse(self.body)).flatten()
    }

    /// The text to show; that of all items if there are several.
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        if let Some(text) = self.text {
            return Some(text.to_str());
        }
        texts(self.list?).map(Cow::Owned)
    }

    /// The type of the item or block that begins here.
    pub(crate) fn item_type(&self) -> Option<Cow<'a, str>> {
        raw_member(self.list?, "type").and_then(text).map(Text::to_str)
    }

    /// Why the answer ended, in OpenRouter's words; an unknown word stays as it is.
    pub(crate) fn finish_word(&self) -> Option<Cow<'a, str>> {
        let word = self.finish?.to_str();
        let known = match End::of(&word) {
            End::Stop if self.said.calls => "tool_calls",
            End::Stop => "stop",
            End::Length => "length",
            End::ToolCalls => "tool_calls",
            End::Filter => "content_filter",
            End::Error => "error",
            End::None | End::Unknown => return Some(word),
        };
        Some(Cow::Borrowed(known))
    }

    /// The same in the upstream's own word.
    pub(crate) fn native_word(&self) -> Option<Cow<'a, str>> {
        self.finish.map(Text::to_str)
    }

    /// The kind of end.
    pub(crate) fn end(&self) -> End {
        self.finish.map_or(End::None, |word| End::of(&word.to_str()))
    }

    /// Roughly how many tokens it shows.
    pub(crate) fn shown_tokens(&self) -> u32 {
        let bytes = self.said.bytes();
        let tokens = u32::try_from(bytes / BYTES_PER_TOKEN).unwrap_or(u32::MAX);
        tokens.max(u32::from(bytes > 0))
    }

    pub(crate) const fn api(&self) -> Api {
        self.api
    }
}
