//! Events and whole documents of responses: what each says of the answer.

use crate::{
    events::{ContentSize, EventProbe, Item, Step, all, filled, full_text, is_error, texts},
    json::{Cursor, JsonError, Text, full},
    letters::measure,
};

/// The members that matter, wherever they stand.
#[derive(Default)]
struct Members<'a> {
    kind: Option<Text<'a>>,
    delta: Option<Text<'a>>,
    has_image: bool,
    text: Option<Text<'a>>,
    arguments: usize,
    refusal: usize,
    part: Option<&'a [u8]>,
    item: Option<&'a [u8]>,
    response: Option<&'a [u8]>,
    is_response: bool,
    /// A failure is reported under `error`, whatever it is of.
    has_error: bool,
}

/// Reads one object. Returns whether it is an event or a response, and not something else.
pub(crate) fn read<'a>(piece: &mut EventProbe<'a>, body: &'a [u8]) -> Result<bool, JsonError> {
    let mut members = Members::default();
    let mut cursor = Cursor::lenient(body);
    cursor.object(|key, value| {
        match key.name() {
            b"type" => members.kind = full(value)?,
            b"delta" => match full(value)? {
                Some(text) => members.delta = Some(text),
                None => members.delta = None,
            },
            b"text" => members.text = full(value)?,
            b"arguments" | b"input" => members.arguments = filled(value)?,
            b"refusal" => members.refusal = filled(value)?,
            b"partial_image_b64" => members.has_image = full(value)?.is_some(),
            b"part" => members.part = Some(value.raw()?),
            b"item" => members.item = Some(value.raw()?),
            b"response" => members.response = Some(value.raw()?),
            b"sequence_number" => {
                let from = value.separator();
                value.skip()?;
                piece.number = Some((from, value.at()));
            }
            b"output_index" => piece.index = value.u64_or_skip()?.unwrap_or(0),
            b"error" => members.has_error |= is_error(value)?,
            b"object" => members.is_response = full(value)?.is_some_and(|object| object.is("response")),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    cursor.end()?;
    let Some(kind) = members.kind else {
        piece.failed |= members.has_error;
        if members.is_response || !piece.failed {
            response(piece, body, true)?;
        }
        return Ok(members.is_response);
    };
    let kind = kind.to_str();
    piece.failed |= members.has_error && !is_of_an_item(&kind);
    event(piece, &kind, &members)?;
    Ok(kind.starts_with("response."))
}

/// Whether an event is about one item, as `response.fusion_call.panel.failed` is: an error in it is that item's, and the response continues.
fn is_of_an_item(kind: &str) -> bool {
    kind.strip_prefix("response.").is_some_and(|name| name.contains('.'))
}

fn event<'a>(piece: &mut EventProbe<'a>, kind: &str, members: &Members<'a>) -> Result<(), JsonError> {
    let name = kind.strip_prefix("response.").unwrap_or(kind);
    match name {
        "error" => piece.failed = true,
        "failed" => {
            piece.failed = true;
            members.response.map_or(Ok(()), |raw| response(piece, raw, false))?;
        }
        "ping" | "keepalive" | "heartbeat" => piece.step = Step::Ping,
        // `done` is OpenRouter's name in its documents.
        "completed" | "incomplete" | "done" => {
            piece.step = Step::Ends;
            members.response.map_or(Ok(()), |raw| response(piece, raw, true))?;
            if piece.finish.is_none() {
                piece.finish = members.kind;
                if name == "done" {
                    piece.finish = Some(COMPLETED);
                }
            }
        }
        "created" | "in_progress" | "queued" => members.response.map_or(Ok(()), |raw| response(piece, raw, false))?,
        "output_item.added" | "output_item.done" => {
            let is_whole = name.ends_with("done");
            piece.step = if is_whole { Step::Closes } else { Step::Opens };
            if let Some(raw) = members.item {
                let item = Item::read(&mut Cursor::lenient(raw))?;
                piece.content = item.said(is_whole)?;
                piece.is_answer = (item.is(&["message"]) || item.is_call()) && !item.is_commentary();
                piece.list = Some(raw);
            }
        }
        "content_part.added" | "reasoning_summary_part.added" => part(piece, Step::OpensPart, name, members)?,
        "content_part.done" | "reasoning_summary_part.done" => part(piece, Step::ClosesPart, name, members)?,
        "output_text.delta" | "content_part.delta" => {
            piece.step = Step::Delta;
            piece.text = members.delta;
            piece.content.text = letters(members.delta);
        }
        "output_text.done" => {
            piece.step = Step::ClosesPart;
            piece.text = members.text;
            piece.content.text = letters(members.text);
        }
        "refusal.delta" => delta(piece, |said| &mut said.other, letters(members.delta)),
        "refusal.done" => whole(piece, |said| &mut said.other, members.refusal),
        "function_call_arguments.done" | "custom_tool_call_input.done" => {
            whole(piece, |said| &mut said.other, members.arguments);
        }
        "reasoning_text.done" => whole(piece, |said| &mut said.reasoning, letters(members.text)),
        "reasoning_summary_text.done" => whole(piece, |said| &mut said.summary, letters(members.text)),
        "reasoning_summary_text.delta" => delta(piece, |said| &mut said.summary, letters(members.delta)),
        _ if is_reasoning(name) => delta(piece, |said| &mut said.reasoning, letters(members.delta)),
        "audio.delta" | "output_audio.delta" => brought(piece, members.delta.is_some()),
        "image_generation_call.partial_image" => brought(piece, members.has_image),
        _ if name.ends_with(".delta") => delta(piece, |said| &mut said.other, letters(members.delta)),
        _ => {}
    }
    Ok(())
}

/// A piece of sound or of a picture: to be shown, and of no known number of tokens.
fn brought(piece: &mut EventProbe<'_>, is_there: bool) {
    piece.step = Step::Delta;
    (piece.content.other, piece.content.from_server_tools) = (usize::from(is_there), usize::from(is_there));
}

/// The word of an end that has none of its own.
const COMPLETED: Text<'static> = Text::constant(b"completed");

fn is_reasoning(name: &str) -> bool {
    matches!(
        name,
        "reasoning_text.delta" | "reasoning.delta" | "fusion_call.panel.reasoning.delta"
    )
}

fn letters(text: Option<Text<'_>>) -> usize {
    text.map_or(0, measure)
}

fn delta(piece: &mut EventProbe<'_>, place: impl Fn(&mut ContentSize) -> &mut usize, letters: usize) {
    piece.step = Step::Delta;
    *place(&mut piece.content) = letters;
}

fn whole(piece: &mut EventProbe<'_>, place: impl Fn(&mut ContentSize) -> &mut usize, letters: usize) {
    piece.step = Step::ClosesPart;
    *place(&mut piece.content) = letters;
}

fn part<'a>(piece: &mut EventProbe<'a>, step: Step, name: &str, members: &Members<'a>) -> Result<(), JsonError> {
    piece.step = step;
    let Some(raw) = members.part else { return Ok(()) };
    if name.starts_with("content") {
        piece.text = full_text(&mut Cursor::lenient(raw))?;
    }
    piece.content = Item::read(&mut Cursor::lenient(raw))?.said(false)?;
    if name.starts_with("reasoning") {
        piece.content = ContentSize {
            summary: piece.content.bytes(),
            ..ContentSize::default()
        };
    }
    Ok(())
}

/// A response by itself, or within an event; `has_ended` says that its status is that of its end.
fn response<'a>(piece: &mut EventProbe<'a>, raw: &'a [u8], has_ended: bool) -> Result<(), JsonError> {
    let (mut status, mut reason, mut output, mut is_response) = (None, None, None, false);
    let (mut failed, mut text) = (false, None);
    Cursor::lenient(raw).object_or_skip(|key, value| {
        match key.name() {
            b"id" => piece.id = full(value)?,
            b"model" => piece.model = full(value)?,
            b"provider" => piece.provider = full(value)?,
            b"service_tier" => piece.tier = full(value)?,
            b"status" => status = full(value)?,
            b"output" => output = Some(value.raw()?),
            b"output_text" => text = full(value)?,
            b"object" => is_response = full(value)?.is_some(),
            b"usage" => {
                let raw = value.raw()?;
                piece.usage = (raw.first() == Some(&b'{')).then_some(raw);
            }
            b"incomplete_details" => value.object_or_skip(|key, value| {
                if key.is("reason") {
                    reason = full(value)?;
                    return Ok(());
                }
                value.skip()
            })?,
            b"error" => failed |= is_error(value)?,
            _ => value.skip()?,
        }
        Ok(())
    })?;
    piece.failed |= failed || status.is_some_and(|status| status.is("failed") || status.is("cancelled"));
    if !has_ended {
        return Ok(());
    }
    if let Some(output) = output {
        piece.content = all(output)?;
        piece.list = Some(output);
    }
    // All of its text once more, which some servers send alone.
    if text.is_some() && output.and_then(texts).is_none() {
        piece.content.text = piece.content.text.max(letters(text));
        piece.text = text;
    }
    if piece.step == Step::Envelope && (is_response || output.is_some()) {
        piece.step = Step::Document;
        piece.is_pending = status.is_some_and(|status| status.is("queued") || status.is("in_progress"));
    }
    if piece.is_pending {
        return Ok(());
    }
    // What an incomplete one says of its reason; without one it is its limit.
    piece.finish = match status {
        Some(status) if status.is("incomplete") => reason.or(Some(status)),
        // At its end it is a status that was left as it began.
        Some(status) if status.is("in_progress") => reason,
        Some(status) => Some(status),
        None => reason.or((piece.step == Step::Document).then_some(COMPLETED)),
    };
    Ok(())
}
