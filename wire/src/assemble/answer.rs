//! The answer so far.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;

use super::{
    choice::Choice,
    node::{is_null, members, write_list, write_name},
    typed::{Members, Typed},
};
use crate::Api;
use crate::json::{Cursor, JsonError, strict, whole_number};

/// The largest answer that is put together, in bytes of its stream: as that of a plain one.
const LARGEST: usize = 256 * 1024 * 1024;

/// The pieces of one answer, put together as they come. Each byte is looked at a fixed number of times, however many pieces there are.
#[derive(Default)]
pub struct Assembler {
    /// What stands beside the choices, to the letter: amounts of money are among it.
    envelope: BTreeMap<Box<str>, Box<[u8]>>,
    choices: BTreeMap<u64, Choice>,
    usage: Members,
    /// An answer that came in one piece, with nothing beside it.
    plain: Option<Bytes>,
    /// Events that have types.
    typed: Option<Box<Typed>>,
    pieces: usize,
    bytes: usize,
}

impl Assembler {
    /// Adds an event of the stream, or an answer that came whole.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object, or the answer is over 256 MiB.
    pub fn add(&mut self, api: Api, piece: &Bytes, is_whole: bool) -> Result<(), AssembleError> {
        if is_whole {
            self.plain = Some(piece.clone());
        }
        self.pieces += 1;
        self.bytes = self.bytes.saturating_add(piece.len());
        if self.bytes > LARGEST {
            return Err(AssembleError::TooLarge { limit: LARGEST });
        }
        match api {
            Api::Responses | Api::Messages => {
                let typed = self.typed.get_or_insert_with(|| Box::new(Typed::new(api)));
                typed.add(piece)?;
            }
            _ => self.add_chunk(piece)?,
        }
        Ok(())
    }

    fn add_chunk(&mut self, chunk: &[u8]) -> Result<(), JsonError> {
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
                "usage" if value.first() == Some(&b'{') => self.usage.add(&Bytes::copy_from_slice(value))?,
                // A later value counts, unless it is null.
                _ if is_blank(value) && self.envelope.contains_key(&*name) => {}
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
    #[must_use]
    pub fn api(&self) -> Api {
        self.typed.as_ref().map_or(Api::Chat, |typed| typed.api())
    }

    /// The text so far, of the first choice.
    #[must_use]
    pub fn text(&self) -> String {
        if let Some(typed) = &self.typed {
            return typed.text();
        }
        self.choices.values().next().map(Choice::text).unwrap_or_default()
    }

    /// The answer as a plain call would have brought it: JSON that every parser reads. What came in one piece stays as it came.
    #[must_use]
    pub fn whole(mut self) -> Bytes {
        if let Some(plain) = self.plain
            && self.pieces == 1
        {
            return plain;
        }
        if let Some(typed) = self.typed {
            return typed.whole();
        }
        if !self.usage.is_empty() {
            self.envelope.insert("usage".into(), self.usage.write().into());
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
        json.into()
    }
}

/// Why a piece could not be added to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssembleError {
    /// The piece is not a JSON object.
    Json(JsonError),
    /// The answer is larger than this many bytes of its stream.
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

impl From<JsonError> for AssembleError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl fmt::Display for AssembleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::TooLarge { limit } => write!(f, "the answer is over {} MiB: request less per call", limit >> 20),
        }
    }
}

impl std::error::Error for AssembleError {}

impl fmt::Debug for Assembler {
    /// How much there is; never what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembler")
            .field("pieces", &self.pieces)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Some servers repeat a member empty, such as the id in a chunk behind the end.
fn is_blank(value: &[u8]) -> bool {
    is_null(value) || matches!(value, b"\"\"" | b"[]" | b"{}")
}
