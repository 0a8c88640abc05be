//! Events and whole documents of messages: what each says of the answer.

use crate::{
    events::{EventProbe, Item, Step, all, is_error},
    json::{Cursor, JsonError, Text, full},
    letters::measure,
};

/// The members that matter, wherever they stand.
#[derive(Default)]
struct Members<'a> {
    kind: Option<Text<'a>>,
    message: Option<&'a [u8]>,
    block: Option<&'a [u8]>,
    delta: Delta<'a>,
    has_content: bool,
}

/// Reads one object. Returns whether it is an event or a message, and not something else.
pub(crate) fn read<'a>(piece: &mut EventProbe<'a>, body: &'a [u8]) -> Result<bool, JsonError> {
    let mut members = Members::default();
    let mut cursor = Cursor::lenient(body);
    cursor.object(|key, value| {
        match key.name() {
            b"type" => members.kind = full(value)?,
            b"message" => members.message = Some(value.raw()?),
            b"content_block" => members.block = Some(value.raw()?),
            b"delta" => members.delta = Delta::read(value)?,
            b"index" => piece.index = value.u64_or_skip()?.unwrap_or(0),
            b"usage" => piece.usage = object(value)?,
            b"content" => {
                members.has_content = true;
                value.skip()?;
            }
            b"error" => piece.failed |= is_error(value)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    cursor.end()?;
    let Some(kind) = members.kind else {
        if members.has_content && !piece.failed {
            message(piece, body, true)?;
        }
        return Ok(members.has_content);
    };
    match &*kind.to_str() {
        "message" => message(piece, body, true)?,
        "message_start" => {
            if let Some(raw) = members.message {
                message(piece, raw, false)?;
            }
        }
        "content_block_start" => {
            piece.step = Step::Opens;
            if let Some(raw) = members.block {
                piece.content = Item::read(&mut Cursor::lenient(raw))?.said(false)?;
                piece.list = Some(raw);
            }
        }
        "content_block_delta" => {
            piece.step = Step::Delta;
            members.delta.show(piece);
        }
        "content_block_stop" => {
            piece.step = Step::Closes;
            piece.is_answer = true;
        }
        "message_delta" => {
            piece.step = Step::Finishes;
            piece.finish = members.delta.stop_reason;
        }
        "message_stop" => piece.step = Step::Ends,
        "ping" => piece.step = Step::Ping,
        "error" => piece.failed = true,
        _ => return Ok(false),
    }
    Ok(true)
}

fn object<'a>(value: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, JsonError> {
    let raw = value.raw()?;
    Ok((raw.first() == Some(&b'{')).then_some(raw))
}

/// What changes with an event: a block, or the message.
#[derive(Default)]
struct Delta<'a> {
    kind: Option<Text<'a>>,
    text: Option<Text<'a>>,
    thinking: usize,
    json: usize,
    has_others: bool,
    stop_reason: Option<Text<'a>>,
}

impl<'a> Delta<'a> {
    /// Read in its place, so that the places of its texts are those in the event.
    fn read(value: &mut Cursor<'a>) -> Result<Self, JsonError> {
        let mut delta = Self::default();
        value.object_or_skip(|key, value| {
            let letters = |value: &mut Cursor<'a>| Ok(full(value)?.map_or(0, measure));
            match key.name() {
                b"type" => delta.kind = full(value)?,
                b"text" => delta.text = full(value)?,
                b"thinking" => delta.thinking = letters(value)?,
                b"partial_json" => delta.json = letters(value)?,
                b"stop_reason" => delta.stop_reason = full(value)?,
                b"signature" | b"citation" => value.skip()?,
                _ => delta.has_others |= full(value)?.is_some(),
            }
            Ok(())
        })?;
        Ok(delta)
    }

    fn show(&self, piece: &mut EventProbe<'a>) {
        let shows_nothing = |kind: Text<'_>| kind.is("signature_delta") || kind.is("citations_delta");
        if self.kind.is_some_and(shows_nothing) {
            return;
        }
        piece.text = self.text;
        piece.content.text = self.text.map_or(0, measure);
        piece.content.reasoning = self.thinking;
        piece.content.from_server_tools = usize::from(self.has_others);
        piece.content.other = self.json + piece.content.from_server_tools;
    }
}

/// A message by itself, or the one that a stream begins with.
fn message<'a>(piece: &mut EventProbe<'a>, raw: &'a [u8], is_whole: bool) -> Result<(), JsonError> {
    let mut stop = None;
    Cursor::lenient(raw).object_or_skip(|key, value| {
        match key.name() {
            b"id" => piece.id = full(value)?,
            b"model" => piece.model = full(value)?,
            b"provider" => piece.provider = full(value)?,
            b"usage" => piece.usage = object(value)?,
            b"stop_reason" => stop = full(value)?,
            b"content" => piece.list = Some(value.raw()?),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    if let Some(list) = piece.list {
        piece.content = all(list)?;
    }
    if is_whole {
        piece.step = Step::Document;
    }
    // A stream whose first event has all of the answer says there why it ended; before there is anything, it has not ended.
    if is_whole || !piece.content.is_nothing() {
        piece.finish = stop;
    }
    Ok(())
}
