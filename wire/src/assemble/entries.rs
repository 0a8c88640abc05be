//! Tool calls and pieces of reasoning: lists whose entries come in pieces.

use std::collections::HashMap;

use super::{
    merge::add,
    node::{Object, inside, members, said, write_list, write_object},
    whole::JsonCompleteness,
};
use crate::json::{Cursor, JsonError, strict, whole_number};

/// What the entries of a list are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Tool calls. A call is identified by its place, or by its id if it has none. A piece without either continues the last. Some servers put
    /// each call at the first place: there another id, with a name, begins another call once the one before it is whole. Some give all calls
    /// one id: there a name at a place of its own begins another call.
    Calls,
    /// Pieces of reasoning, which have a kind beside: text and its signature belong together.
    Details,
}

/// A list whose entries are found by what names them, whatever their number.
pub(super) struct Entries {
    kind: Kind,
    list: Vec<Entry>,
    /// Where the last entry of a name stands.
    places: HashMap<String, usize>,
}

/// One entry, with what is needed of it when the next piece comes.
#[derive(Default)]
struct Entry {
    object: Object,
    /// An element that is no object.
    odd: Option<Box<[u8]>>,
    index: Option<u64>,
    kind: String,
    id: String,
    name: String,
    arguments: JsonCompleteness,
}

/// What a piece says of where it belongs.
#[derive(Default)]
struct Piece {
    index: Option<String>,
    kind: String,
    id: String,
    name: String,
    arguments: String,
}

impl Entries {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            list: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// Each piece of the list goes to the entry that it belongs to, or is a new one.
    pub(super) fn add(&mut self, pieces: &[u8]) -> Result<(), JsonError> {
        Cursor::lenient(pieces).array_or_skip(|piece| {
            let raw = piece.raw()?;
            match raw.first() {
                Some(b'{') => self.add_piece(raw),
                Some(b'n') => Ok(()),
                _ => {
                    let odd = Some(raw.into());
                    self.list.push(Entry {
                        odd,
                        ..Entry::default()
                    });
                    Ok(())
                }
            }
        })
    }

    fn add_piece(&mut self, raw: &[u8]) -> Result<(), JsonError> {
        let members = members(raw)?;
        let piece = Piece::read(&members)?;
        let found = match self.kind {
            Kind::Calls => self.call(&piece),
            Kind::Details => self.detail(&piece),
        };
        let at = found.unwrap_or_else(|| {
            self.list.push(Entry::default());
            self.list.len() - 1
        });
        let Some(entry) = self.list.get_mut(at) else {
            return Ok(());
        };
        entry.learn(&piece);
        for name in entry.names(self.kind, &piece) {
            self.places.insert(name, at);
        }
        members
            .into_iter()
            .try_for_each(|(name, value)| add(&mut entry.object, &name, value, 0))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    fn call(&self, piece: &Piece) -> Option<usize> {
        let by_id = || self.place(&by_id("", &piece.id));
        let found = match &piece.index {
            // A place that no call has begun, in a piece without a name: some servers count pieces of one call differently.
            Some(index) if piece.id.is_empty() => self
                .place(&by_index("", index))
                .or_else(|| self.list.len().checked_sub(1).filter(|_| piece.name.is_empty())),
            Some(index) => {
                let both = self.place(&by_both("", index, &piece.id));
                both.or_else(|| self.place(&by_index("", index)))
                    .or_else(|| by_id().filter(|_| piece.name.is_empty()))
            }
            None if piece.id.is_empty() => self.list.len().checked_sub(1),
            None => by_id(),
        };
        found.filter(|at| self.list.get(*at).is_some_and(|known| !known.is_followed_by(piece)))
    }

    fn detail(&self, piece: &Piece) -> Option<usize> {
        let (kind, id) = (&piece.kind, &piece.id);
        let has_no_id = |at: &usize| self.list.get(*at).is_some_and(|known| known.id.is_empty());
        let has_no_index = |at: &usize| self.list.get(*at).is_some_and(|known| known.index.is_none());
        match &piece.index {
            Some(index) if id.is_empty() => self.place(&by_index(kind, index)),
            Some(index) => {
                let both = self.place(&by_both(kind, index, id));
                both.or_else(|| self.place(&by_index(kind, index)).filter(has_no_id))
                    .or_else(|| self.place(&by_id(kind, id)).filter(has_no_index))
            }
            None if id.is_empty() => {
                // Text without a place continues the text before it, unless that is signed.
                let last = self.list.last()?;
                let text = matches!(kind.as_str(), "reasoning.text" | "reasoning.summary");
                let open = last.index.is_none() && last.id.is_empty() && !last.object.contains_key("signature");
                (text && open && last.kind == *kind).then(|| self.list.len() - 1)
            }
            None => self.place(&by_id(kind, id)),
        }
    }

    /// In the order of their places, if all of them have one.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut order: Vec<&Entry> = self.list.iter().collect();
        if order.iter().all(|entry| entry.index.is_some()) {
            order.sort_by_key(|entry| entry.index);
        }
        write_list(order, out, |entry, out| match &entry.odd {
            Some(odd) => out.extend_from_slice(&strict(odd)),
            None => write_object(entry.object.iter().map(|(name, node)| (&**name, node)), out),
        });
    }
}

fn by_index(kind: &str, index: &str) -> String {
    format!("{kind} at {index}")
}

fn by_id(kind: &str, id: &str) -> String {
    format!("{kind} is {id}")
}

fn by_both(kind: &str, index: &str, id: &str) -> String {
    format!("{kind} at {index} is {id}")
}

impl Entry {
    fn learn(&mut self, piece: &Piece) {
        self.index = self.index.or_else(|| whole_number(piece.index.as_ref()?.as_bytes()));
        for (known, told) in [
            (&mut self.kind, &piece.kind),
            (&mut self.id, &piece.id),
            (&mut self.name, &piece.name),
        ] {
            if known.is_empty() {
                known.clone_from(told);
            }
        }
        self.arguments.feed(piece.arguments.as_bytes());
    }

    /// What this entry is found by from now on. A call's kind does not name it; a detail is found without its kind as well.
    fn names(&self, of: Kind, piece: &Piece) -> Vec<String> {
        let kinds = if of == Kind::Calls || self.kind.is_empty() {
            vec![""]
        } else {
            vec!["", &self.kind]
        };
        let mut names = Vec::with_capacity(6);
        for kind in kinds {
            if let Some(index) = &piece.index {
                names.push(by_index(kind, index));
                if !piece.id.is_empty() {
                    names.push(by_both(kind, index, &piece.id));
                }
            }
            if !piece.id.is_empty() {
                names.push(by_id(kind, &piece.id));
            }
        }
        names
    }

    /// Whether a piece at the same place begins another call. Some servers give each piece of one call an id of its own, so only a call that is
    /// whole is followed by another.
    fn is_followed_by(&self, piece: &Piece) -> bool {
        if self.odd.is_some() {
            return true;
        }
        let told_apart = !self.id.is_empty() && !piece.id.is_empty();
        if piece.name.is_empty() {
            return false;
        }
        let another = self.name != piece.name;
        if told_apart && self.id == piece.id {
            // Each piece of a call may repeat its id and its name, but not another name behind whole arguments.
            return another && !self.name.is_empty() && self.arguments.is_whole();
        }
        if self.arguments.is_empty() {
            return told_apart && another;
        }
        let more = !piece.arguments.trim().is_empty();
        self.arguments.is_whole() && (told_apart || another || more)
    }
}

impl Piece {
    fn read(members: &std::collections::BTreeMap<std::borrow::Cow<'_, str>, &[u8]>) -> Result<Self, JsonError> {
        let mut piece = Self::default();
        let text = |value: &[u8]| said(value).unwrap_or_default().into_owned();
        for (name, value) in members {
            match &**name {
                "index" => {
                    let written = inside(value).unwrap_or(value);
                    let number = whole_number(written).map(|index| index.to_string());
                    let other = (*value != b"null").then(|| String::from_utf8_lossy(value).into_owned());
                    piece.index = number.or(other);
                }
                "id" => piece.id = Some(text(value)).filter(|id| !is_placeholder(id)).unwrap_or_default(),
                "type" => {
                    piece.kind = Some(text(value))
                        .filter(|kind| kind.len() <= LONGEST_KIND)
                        .unwrap_or_default();
                }
                "function" if value.first() == Some(&b'{') => {
                    let function = self::members(value)?;
                    piece.name = function.get("name").map(|name| text(name)).unwrap_or_default();
                    let arguments = function.get("arguments").copied().unwrap_or_default();
                    piece.arguments = match arguments.first() {
                        Some(b'{' | b'[') => String::from_utf8_lossy(arguments).into_owned(),
                        Some(_) => text(arguments),
                        None => String::new(),
                    };
                }
                _ => {}
            }
        }
        Ok(piece)
    }
}

/// The longest kind that an entry is found by, in bytes: each of its names repeats it, and a longer one is none.
const LONGEST_KIND: usize = 64;

/// What stands for no id, written as text: Mistral sends `"null"`.
fn is_placeholder(id: &str) -> bool {
    ["null", "none", "undefined"]
        .iter()
        .any(|word| id.eq_ignore_ascii_case(word))
}

#[cfg(test)]
#[path = "entries_tests.rs"]
mod tests;
