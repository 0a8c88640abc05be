//! Changes to a document.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Document, Member};
use crate::request::fields;
use crate::request::scan::json_string;

/// What becomes of one key.
#[derive(Clone)]
pub(super) struct Edit {
    pub(super) key: Cow<'static, str>,
    /// Nothing: the member goes.
    pub(super) value: Option<Bytes>,
    /// `,"key":`, where the original has no such member.
    lead: Option<Bytes>,
    /// Where the value of the last such member of the original begins.
    last: Option<usize>,
}

impl Edit {
    /// Whether it is written in the place of this member: of doubles the last one stands.
    pub(super) fn replaces(&self, member: &Member) -> bool {
        self.value.is_some() && self.last == Some(member.value.start)
    }

    /// The lead and the value, where this is a member of its own.
    pub(super) fn adds(&self) -> Option<(&Bytes, &Bytes)> {
        self.lead.as_ref().zip(self.value.as_ref())
    }
}

impl Document {
    /// Gives a member a value, which must be JSON text: it is written as it is.
    ///
    /// A member that is there keeps its place, and any doubles of it go. A new one is written behind all others; several new ones stand in an
    /// order of their own, whatever order they were set in, so that equal requests are equal bytes.
    pub fn set(&mut self, key: impl Into<Cow<'static, str>>, value: Bytes) {
        let key = key.into();
        let last = self.last(&key).map(|member| member.value.start);
        if let Some(edit) = self.edits.iter_mut().find(|edit| edit.key == key) {
            edit.value = Some(value);
        } else if last.is_some() {
            self.edits.insert(
                0,
                Edit {
                    key,
                    value: Some(value),
                    lead: None,
                    last,
                },
            );
        } else {
            let place = self
                .edits
                .partition_point(|edit| edit.lead.is_none() || fields::order(&edit.key, &key).is_lt());
            let lead = Some(lead(&key));
            self.edits.insert(
                place,
                Edit {
                    key,
                    value: Some(value),
                    lead,
                    last,
                },
            );
        }
    }

    /// Takes a member away, with all its doubles. Answers whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let last = self.last(key).map(|member| member.value.start);
        let original = last.is_some();
        match self.edits.iter().position(|edit| edit.key == key) {
            Some(index) if original => self.edits.get_mut(index).and_then(|edit| edit.value.take()).is_some(),
            Some(index) => {
                self.edits.remove(index);
                true
            }
            None if original => {
                self.edits.insert(
                    0,
                    Edit {
                        key: Cow::Owned(key.to_owned()),
                        value: None,
                        lead: None,
                        last,
                    },
                );
                true
            }
            None => false,
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
