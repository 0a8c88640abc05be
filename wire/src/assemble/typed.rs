//! One plain answer out of the events of Responses or of Messages.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::item_pieces::{gathered, settled};
use super::items::{ItemPosition, Items};
use super::node::{inside, members, write_name};
use crate::Api;
use crate::events::has_items;
use crate::json::{JsonError, strict};

/// The events so far, as far as the answer is made of them. What comes once stays the text it came as.
pub(super) struct Typed {
    api: Api,
    /// The object that the answer began as, or ended as.
    whole: Option<Bytes>,
    /// Whether that is the end's.
    has_ended: bool,
    items: Items,
    /// What stands beside the items, from the end of a message.
    beside: Members,
    usage: Members,
}

/// Members of an object, each with the value that came last. Null takes nothing away.
#[derive(Default)]
pub(super) struct Members(BTreeMap<Box<str>, Bytes>);

impl Members {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, object: &Bytes) -> Result<(), JsonError> {
        for (name, value) in members(object)? {
            self.set(&name, object.slice_ref(value));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Bytes) {
        if *value != b"null"[..] || !self.0.contains_key(name) {
            self.0.insert(name.into(), value);
        }
    }

    /// The same of usage: some servers report at the end only what the answer took, and zeros for what they reported before.
    fn add_usage(&mut self, usage: &Bytes) -> Result<(), JsonError> {
        for (name, value) in members(usage)? {
            let is_told = || self.0.get(&*name).is_some_and(|known| !counts_nothing(known));
            if !(counts_nothing(value) && is_told()) {
                self.set(&name, usage.slice_ref(value));
            }
        }
        Ok(())
    }

    fn set_default(&mut self, name: &str, value: &'static [u8]) {
        self.0.entry(name.into()).or_insert(Bytes::from_static(value));
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut json = vec![b'{'];
        for (at, (name, value)) in self.0.iter().enumerate() {
            write_name(at == 0, name, &mut json);
            json.extend_from_slice(value);
        }
        json.push(b'}');
        json
    }
}

impl Typed {
    pub(super) fn new(api: Api) -> Self {
        Self {
            api,
            whole: None,
            has_ended: false,
            items: Items::default(),
            beside: Members::default(),
            usage: Members::default(),
        }
    }

    pub(super) const fn api(&self) -> Api {
        self.api
    }

    pub(super) fn add(&mut self, event: &Bytes) -> Result<(), JsonError> {
        let members = members(event)?;
        let get = |name: &str| members.get(name).map(|raw| event.slice_ref(raw));
        let kind = members.get("type").copied().and_then(inside).unwrap_or_default();
        let place = ItemPosition::of(&members);
        match kind {
            b"response.created" | b"response.in_progress" | b"response.queued" if !self.has_ended => {
                self.whole = get("response").filter(is_object).or(self.whole.take());
            }
            b"response.completed" | b"response.incomplete" | b"response.done" => {
                self.whole = get("response").filter(is_object).or(self.whole.take());
                self.has_ended = true;
            }
            b"response.output_item.added" => self.items.announce(place, get("item")),
            b"response.output_item.done" => self.items.end(place, get("item")),
            b"content_block_start" => self.items.begin(place, get("content_block")),
            b"content_block_stop" => self.items.close(place),
            b"content_block_delta" => {
                if let (Some(delta), Some(block)) = (get("delta"), self.items.at(place)) {
                    block.block_delta(&delta)?;
                }
            }
            b"message_start" => {
                let message = get("message").filter(is_object);
                if self.is_another(message.as_ref()) {
                    *self = Self::new(self.api);
                }
                self.whole = message;
                let usage = self.whole.as_ref().and_then(|message| member(message, "usage"));
                if let Some(usage) = usage.filter(is_object) {
                    self.usage.add_usage(&usage)?;
                }
            }
            b"message_delta" | b"message_stop" => {
                if let Some(usage) = get("usage").filter(is_object) {
                    self.usage.add_usage(&usage)?;
                }
                if let Some(delta) = get("delta").filter(is_object) {
                    self.beside.add(&delta)?;
                }
                let others = members.iter().filter(|(name, _)| !OF_AN_END.contains(&&***name));
                for (name, value) in others {
                    self.beside.set(name, event.slice_ref(value));
                }
            }
            other => {
                let (gathered, settled) = (gathered(other, &members), settled(other, &members)?);
                if gathered.is_none() && settled.is_none() {
                    return Ok(());
                }
                let Some(item) = self.items.at(place) else {
                    return Ok(());
                };
                if let Some((piece, text)) = gathered {
                    item.add(piece, text);
                }
                if let Some((piece, text)) = settled {
                    item.settle(piece, text);
                }
            }
        }
        Ok(())
    }

    /// Whether this is the beginning of a message with another id than the one that has begun: it replaces that one.
    fn is_another(&self, message: Option<&Bytes>) -> bool {
        let ids = [self.whole.as_ref(), message].map(|message| member(message?, "id").filter(|id| is_text(id)));
        matches!(ids, [Some(known), Some(own)] if known != own)
    }

    /// The text so far.
    pub(super) fn text(&self) -> String {
        self.items.text()
    }

    /// The answer as a plain call would have brought it.
    pub(super) fn whole(self) -> Bytes {
        let is_message = self.api == Api::Messages;
        let list = if is_message { "content" } else { "output" };
        let whole = self.whole.as_ref();
        let known = whole.and_then(|whole| member(whole, list));
        // The end of a response repeats all of it, at most upstreams. At others its list is empty, or null.
        let is_filled = known.as_ref().is_some_and(|list| has_items(list));
        let is_all_there = self.has_ended && is_filled;
        if let (Some(whole), true) = (whole, is_all_there || (self.has_ended && self.items.is_empty())) {
            return strict(whole).into_owned().into();
        }
        let mut answer = Members::default();
        if let Some(whole) = whole {
            // It was read before.
            answer.add(whole).unwrap_or_default();
        }
        let beside = self.beside.0.into_iter();
        for (name, value) in beside.filter(|(_, value)| **value != b"null"[..]) {
            answer.0.insert(name, value);
        }
        // The first event of a message may have all of it.
        if !(is_filled && self.items.is_empty()) {
            answer.0.insert(list.into(), self.items.write(is_message).into());
        }
        if is_message {
            answer.set_default("type", b"\"message\"");
            answer.set_default("role", b"\"assistant\"");
            answer.set_default("stop_sequence", b"null");
        } else {
            answer.set_default("object", b"\"response\"");
            if !self.has_ended {
                answer.0.insert("status".into(), Bytes::from_static(b"\"completed\""));
            }
        }
        if !self.usage.0.is_empty() {
            answer.0.insert("usage".into(), self.usage.write().into());
        }
        strict(&answer.write()).into_owned().into()
    }
}

fn is_object(value: &Bytes) -> bool {
    value.first() == Some(&b'{')
}

/// Whether a value is a text that is not empty.
fn is_text(value: &[u8]) -> bool {
    value.first() == Some(&b'"') && value != b"\"\""
}

/// Members of the events at the end of a message that do not stand beside its content.
const OF_AN_END: [&str; 3] = ["type", "delta", "usage"];

/// Whether a value of usage counts nothing: null, a zero, or an object of these.
fn counts_nothing(value: &[u8]) -> bool {
    if value.first() == Some(&b'{') {
        return members(value).is_ok_and(|members| members.values().all(|value| is_zero(value)));
    }
    is_zero(value)
}

/// Null, or a zero however it is written.
fn is_zero(value: &[u8]) -> bool {
    let number = value.split(|byte| matches!(byte, b'e' | b'E')).next();
    match value.first() {
        Some(b'n') => true,
        Some(b'0'..=b'9' | b'-') => number.is_some_and(|number| !number.iter().any(|byte| matches!(byte, b'1'..=b'9'))),
        _ => false,
    }
}

/// Reports of usage of one answer: the later counts, each of them, unless it is null, or a zero behind another count. `None` if there is none, or
/// one is no object.
#[must_use]
pub fn merged(usage: &[Bytes]) -> Option<Bytes> {
    let mut whole = Members::default();
    usage.iter().try_for_each(|usage| whole.add_usage(usage)).ok()?;
    (!usage.is_empty()).then(|| whole.write().into())
}

fn member(object: &Bytes, name: &str) -> Option<Bytes> {
    let raw = *members(object).ok()?.get(name)?;
    Some(object.slice_ref(raw))
}
