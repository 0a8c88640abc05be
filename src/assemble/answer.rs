//! The answer so far.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    choice::Choice,
    node::{is_null, members, write_list, write_name},
    typed::{Typed, merged},
};
use crate::{
    Api, ChatFrame, Error, FailureKind, FrameKind,
    request::{
        JsonError,
        scan::{Cursor, strict, whole_number},
    },
};

/// The largest answer that is put together, in bytes of its stream: as that of a plain one.
const LARGEST: usize = 256 * 1024 * 1024;

/// Chunks, put together as they come. Each byte is looked at a fixed number of times, however many pieces there are.
#[derive(Default)]
pub(crate) struct Gathered {
    /// What stands beside the choices, to the letter: amounts of money are among it.
    envelope: BTreeMap<Box<str>, Box<[u8]>>,
    choices: BTreeMap<u64, Choice>,
    /// An answer that came in one piece, with nothing beside it.
    plain: Option<ChatFrame>,
    /// Events that have types.
    typed: Option<Box<Typed>>,
    frames: usize,
    bytes: usize,
}

impl Gathered {
    pub(crate) fn take(&mut self, frame: &ChatFrame) -> Result<(), Error> {
        match frame.kind() {
            FrameKind::KeepAlive => return Ok(()),
            FrameKind::Chunk => {}
            FrameKind::Answer => self.plain = Some(frame.clone()),
        }
        self.frames += 1;
        self.bytes = self.bytes.saturating_add(frame.bytes().len());
        if self.bytes > LARGEST {
            let message = format!("the answer is over {} MiB: ask for less in one call", LARGEST >> 20);
            return Err(Error::new(FailureKind::Malformed, message));
        }
        let added = match frame.api() {
            api @ (Api::Responses | Api::Messages) => {
                let typed = self.typed.get_or_insert_with(|| Box::new(Typed::new(api)));
                typed.add(frame.bytes())
            }
            _ => self.add(frame.bytes()),
        };
        added.map_err(|cause| Error::caused(FailureKind::Malformed, "this frame is not a chunk of a stream", cause))
    }

    fn add(&mut self, chunk: &[u8]) -> Result<(), JsonError> {
        for (name, value) in members(chunk)? {
            match &*name {
                // One choice that is not in a list.
                "choices" if value.first() == Some(&b'{') => self.add_choice(value)?,
                "choices" => Cursor::lenient(value).array_or_skip(|choice| {
                    let raw = choice.raw()?;
                    if raw.first() == Some(&b'{') {
                        self.add_choice(raw)?;
                    }
                    Ok(())
                })?,
                "object" => {}
                // It may come in parts: of each figure the last counts.
                "usage" if value.first() == Some(&b'{') && self.envelope.contains_key("usage") => {
                    let known = self.envelope.get("usage").map(|known| Bytes::copy_from_slice(known));
                    let both: Vec<Bytes> = known.into_iter().chain([Bytes::copy_from_slice(value)]).collect();
                    let usage = merged(&both).map_or_else(|| value.into(), |usage| usage.as_ref().into());
                    self.envelope.insert(name.into(), usage);
                }
                // A later value counts, unless it is null.
                _ if says_nothing(value) && self.envelope.contains_key(&*name) => {}
                _ => {
                    self.envelope.insert(name.into(), value.into());
                }
            }
        }
        Ok(())
    }

    fn add_choice(&mut self, raw: &[u8]) -> Result<(), JsonError> {
        let members = members(raw)?;
        let index = members.get("index").copied().and_then(whole_number).unwrap_or(0);
        self.choices.entry(index).or_default().add(members)
    }

    /// The API of the answer.
    pub(crate) fn api(&self) -> Api {
        self.typed.as_ref().map_or(Api::Chat, |typed| typed.api())
    }

    /// The text so far, of the first choice.
    pub(crate) fn text(&self) -> String {
        if let Some(typed) = &self.typed {
            return typed.text();
        }
        self.choices.values().next().map(Choice::text).unwrap_or_default()
    }

    /// The answer as a plain call would have brought it: JSON that every parser reads. What came in one piece stays as it came.
    pub(crate) fn whole(self) -> Result<Bytes, Error> {
        if let Some(plain) = self.plain
            && self.frames == 1
        {
            return Ok(plain.into());
        }
        if let Some(typed) = self.typed {
            return Ok(typed.whole());
        }
        let mut json = Vec::with_capacity(self.bytes / 2);
        json.push(b'{');
        write_name(true, "choices", &mut json);
        write_list(self.choices, &mut json, |(index, choice), json| {
            choice.write(index, json);
        });
        write_name(false, "object", &mut json);
        json.extend_from_slice(b"\"chat.completion\"");
        for (name, value) in &self.envelope {
            write_name(false, name, &mut json);
            json.extend_from_slice(&strict(value));
        }
        json.push(b'}');
        Ok(json.into())
    }
}

/// Some servers repeat a member empty, such as the id in a chunk behind the end.
fn says_nothing(value: &[u8]) -> bool {
    is_null(value) || matches!(value, b"\"\"" | b"[]" | b"{}")
}
