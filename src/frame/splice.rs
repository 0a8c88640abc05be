//! Frames of Messages as parts of another answer: in which block each stands, and the same frame in another block.

use std::ops::Range;

use bytes::Bytes;
use tower_llm_layers::{Block, BlockEdge, BlockKind, Splice, Stage};

use super::{ChatFrame, FrameKind, flags::Flags};
use crate::Api;
use openrouter_wire::{
    events::Step,
    json::{Cursor, JsonError, json_string},
};

impl ChatFrame {
    /// Where it stands, if it is an event of Messages that belongs to a block.
    pub(super) fn block_of_message(&self) -> Option<Block> {
        if self.api != Api::Messages || self.kind() != FrameKind::Chunk {
            return None;
        }
        let piece = self.piece()?;
        let edge = match piece.step {
            Step::Opens => BlockEdge::Opens(match &*piece.item_type()? {
                "text" => BlockKind::Text,
                "thinking" | "redacted_thinking" => BlockKind::Reasoning,
                _ => BlockKind::Other,
            }),
            Step::Delta => BlockEdge::Within,
            Step::Closes => BlockEdge::Closes,
            _ => return None,
        };
        Some(Block::new(piece.index, edge))
    }

    pub(super) fn spliced_message(&self, splice: Splice) -> Option<Self> {
        if self.api != Api::Messages || self.kind() != FrameKind::Chunk {
            return None;
        }
        let bytes = match splice {
            Splice::Block(index) => self.with_index(index)?,
            Splice::Piece(index) => {
                let text = self.piece()?.text()?;
                let mut json =
                    format!(r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"text_delta","text":"#);
                json.push_str(std::str::from_utf8(&json_string(&text)).ok()?);
                json.push_str("}}");
                json.into()
            }
            Splice::End(index) => {
                let json = format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
                let mut end = Self::new(json.into(), FrameKind::Chunk, Stage::Preamble, false).of(Api::Messages);
                end.flags = Flags::NONE;
                return Some(end);
            }
            Splice::Whole if self.has_usage() => self.with_usage(&self.usage_of_typed()?)?,
            _ => return None,
        };
        Some(Self {
            bytes,
            known: None,
            base: self.base.clone(),
            ..*self
        })
    }

    fn with_index(&self, index: u64) -> Option<Bytes> {
        let index = index.to_string();
        match member(&self.bytes, "index").ok()? {
            Some(place) => replaced(&self.bytes, place, index.as_bytes()),
            // No index is the first.
            None if index == "0" => Some(self.bytes.clone()),
            None => {
                let begin = memchr::memchr(b'{', &self.bytes)? + 1;
                replaced(&self.bytes, begin..begin, format!(r#""index":{index},"#).as_bytes())
            }
        }
    }

    fn with_usage(&self, usage: &[u8]) -> Option<Bytes> {
        replaced(&self.bytes, member(&self.bytes, "usage").ok()??, usage)
    }

    /// The same event with another text in its delta, or in the block that it begins.
    pub(super) fn message_with_text(&self, text: &str) -> Option<Self> {
        let outer = match self.piece()?.step {
            Step::Delta => "delta",
            Step::Opens => "content_block",
            _ => return None,
        };
        let outer = member(&self.bytes, outer).ok()??;
        let inner = member(self.bytes.get(outer.clone())?, "text").ok()??;
        let place = outer.start + inner.start..outer.start + inner.end;
        Some(Self {
            bytes: replaced(&self.bytes, place, &json_string(text))?,
            known: None,
            base: self.base.clone(),
            ..*self
        })
    }
}

fn replaced(bytes: &[u8], place: Range<usize>, with: &[u8]) -> Option<Bytes> {
    Some(
        [bytes.get(..place.start)?, with, bytes.get(place.end..)?]
            .concat()
            .into(),
    )
}

/// Where the value of a member stands; of doubles, the last.
fn member(object: &[u8], name: &str) -> Result<Option<Range<usize>>, JsonError> {
    let mut place = None;
    Cursor::lenient(object).object(|key, value| {
        let is_it = key.is(name);
        let from = value.separator();
        value.skip()?;
        if is_it {
            place = Some(from..value.at());
        }
        Ok(())
    })?;
    Ok(place)
}
