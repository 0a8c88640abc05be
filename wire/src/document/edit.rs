//! Changes to a document.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Document, Member, fields};
use crate::json::json_string;

/// What becomes of one key.
#[derive(Clone)]
pub(super) struct Edit {
    pub(super) key: Cow<'static, str>,
    /// Nothing: the member goes.
    pub(super) value: Option<Bytes>,
    place: EditPosition,
}

/// The position at which a member is written.
#[derive(Clone)]
enum EditPosition {
    /// Instead of the member of the original whose value begins here: of doubles, the last.
    Of(usize),
    /// Behind all others, as `,"key":`.
    Behind(Bytes),
}

impl Edit {
    /// Whether it is written in the place of this member.
    pub(super) fn replaces(&self, member: &Member) -> bool {
        self.value.is_some() && matches!(self.place, EditPosition::Of(start) if start == member.value.start)
    }

    /// The lead and the value, if this is a member of its own.
    pub(super) fn adds(&self) -> Option<(&Bytes, &Bytes)> {
        match &self.place {
            EditPosition::Of(_) => None,
            EditPosition::Behind(lead) => Some((lead, self.value.as_ref()?)),
        }
    }
}

impl Document {
    /// Gives a member a value, which must be JSON text: it is written as it is.
    ///
    /// A member that is there keeps its place, and any doubles of it go. A new one is written behind all others; several new ones stand in an
    /// order of their own, whatever order they were set in, so that equal requests are equal bytes.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: Bytes) {
        let key = key.into();
        if let Some(edit) = self.edits.iter_mut().find(|edit| edit.key == key) {
            edit.value = Some(value);
            return;
        }
        let (index, place) = if let Some(member) = self.last(&key) {
            (0, EditPosition::Of(member.value.start))
        } else {
            let is_before =
                |edit: &Edit| matches!(edit.place, EditPosition::Of(_)) || fields::order(&edit.key, &key).is_lt();
            (self.edits.partition_point(is_before), EditPosition::Behind(lead(&key)))
        };
        let value = Some(value);
        self.edits.insert(index, Edit { key, value, place });
    }

    /// Takes a member away, with all its doubles. Answers whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let original = self.last(key).map(|member| member.value.start);
        let known = self.edits.iter().position(|edit| edit.key == key);
        match (known, original) {
            (Some(index), Some(_)) => self.edits.get_mut(index).and_then(|edit| edit.value.take()).is_some(),
            (Some(index), None) => {
                self.edits.remove(index);
                true
            }
            (None, Some(start)) => {
                let edit = Edit {
                    key: Cow::Owned(key.to_owned()),
                    value: None,
                    place: EditPosition::Of(start),
                };
                self.edits.insert(0, edit);
                true
            }
            (None, None) => false,
        }
    }

    pub(super) fn edit(&self, key: &str) -> Option<&Edit> {
        self.edits.iter().find(|edit| edit.key == key)
    }
}

fn lead(key: &str) -> Bytes {
    let mut lead = Vec::with_capacity(key.len() + 4);
    lead.push(b',');
    lead.extend_from_slice(&json_string(key));
    lead.push(b':');
    lead.into()
}
