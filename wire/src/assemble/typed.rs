//! One plain answer out of the events of Responses or of Messages.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::node::{inside, members, write_name};
use crate::Api;
use crate::{
    document::Document,
    json::{Cursor, JsonError, strict},
};

/// The events so far, as far as the answer is made of them. What comes once stays the text it came as.
pub(super) struct Typed {
    api: Api,
    /// The object that the answer began as, or ended as.
    whole: Option<Bytes>,
    /// Whether that is the end's.
    has_ended: bool,
    items: BTreeMap<u64, Part>,
    /// What stands beside the items, from the end of a message.
    beside: Members,
    usage: Members,
}

/// Members of an object, each with the value that came last. Null takes nothing away.
#[derive(Default)]
struct Members(BTreeMap<Box<str>, Bytes>);

impl Members {
    fn add(&mut self, object: &Bytes) -> Result<(), JsonError> {
        for (name, value) in members(object)? {
            if value != b"null" || !self.0.contains_key(&*name) {
                self.0.insert(name.into(), object.slice_ref(value));
            }
        }
        Ok(())
    }

    fn set_default(&mut self, name: &str, value: &'static [u8]) {
        self.0.entry(name.into()).or_insert(Bytes::from_static(value));
    }

    fn write(&self) -> Vec<u8> {
        let mut json = vec![b'{'];
        for (at, (name, value)) in self.0.iter().enumerate() {
            write_name(at == 0, name, &mut json);
            json.extend_from_slice(value);
        }
        json.push(b'}');
        json
    }
}

/// An item of a response, or a block of a message.
#[derive(Default)]
struct Part {
    /// The object as it began, or as it was at its end.
    object: Option<Bytes>,
    is_whole: bool,
    /// The insides of JSON strings, by the member that they make up.
    pieces: BTreeMap<&'static str, Vec<u8>>,
    citations: Vec<Bytes>,
}

impl Typed {
    pub(super) const fn new(api: Api) -> Self {
        Self {
            api,
            whole: None,
            has_ended: false,
            items: BTreeMap::new(),
            beside: Members(BTreeMap::new()),
            usage: Members(BTreeMap::new()),
        }
    }

    pub(super) const fn api(&self) -> Api {
        self.api
    }

    pub(super) fn add(&mut self, event: &Bytes) -> Result<(), JsonError> {
        let members = members(event)?;
        let get = |name: &str| members.get(name).map(|raw| event.slice_ref(raw));
        let kind = members.get("type").copied().and_then(inside).unwrap_or_default();
        let index = || {
            let raw = members.get("output_index").or_else(|| members.get("index"));
            raw.and_then(|raw| crate::json::whole_number(raw)).unwrap_or(0)
        };
        match kind {
            b"response.created" | b"response.in_progress" | b"response.queued" if !self.has_ended => {
                self.whole = get("response").filter(is_object).or(self.whole.take());
            }
            b"response.completed" | b"response.incomplete" | b"response.done" => {
                self.whole = get("response").filter(is_object).or(self.whole.take());
                self.has_ended = true;
            }
            b"response.output_item.added" | b"content_block_start" => {
                let object = get("item").or_else(|| get("content_block"));
                let part = self.items.entry(index()).or_default();
                part.object = object.or(part.object.take());
            }
            b"response.output_item.done" => {
                let part = self.items.entry(index()).or_default();
                part.object = get("item").or(part.object.take());
                part.is_whole = true;
            }
            b"response.output_text.delta" | b"response.content_part.delta" => {
                self.items
                    .entry(index())
                    .or_default()
                    .piece("text", members.get("delta"));
            }
            b"response.function_call_arguments.delta" => {
                self.items
                    .entry(index())
                    .or_default()
                    .piece("arguments", members.get("delta"));
            }
            b"content_block_delta" => {
                if let Some(delta) = get("delta") {
                    self.items.entry(index()).or_default().delta(&delta)?;
                }
            }
            b"message_start" => {
                self.whole = get("message").filter(is_object);
                if let Some(usage) = self
                    .whole
                    .as_ref()
                    .and_then(|message| member(message, "usage"))
                    .filter(is_object)
                {
                    self.usage.add(&usage)?;
                }
            }
            b"message_delta" => {
                if let Some(usage) = get("usage").filter(is_object) {
                    self.usage.add(&usage)?;
                }
                if let Some(delta) = get("delta").filter(is_object) {
                    self.beside.add(&delta)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The text so far.
    pub(super) fn text(&self) -> String {
        let texts = self.items.values().filter_map(Part::text);
        texts.collect()
    }

    /// The answer as a plain call would have brought it.
    pub(super) fn whole(self) -> Bytes {
        let is_message = self.api == Api::Messages;
        let list = if is_message { "content" } else { "output" };
        let whole = self.whole.as_ref();
        let known = whole.and_then(|whole| member(whole, list));
        // The end of a response repeats all of it, at most upstreams.
        let is_all_there = self.has_ended && known.as_ref().is_some_and(|list| list.trim_ascii() != b"[]");
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
        let items: Vec<Vec<u8>> = self.items.into_values().map(|part| part.write(is_message)).collect();
        let items = [b"[", items.join(&b","[..]).as_slice(), b"]"].concat();
        answer.0.insert(list.into(), items.into());
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

fn set_default(document: &mut Document, name: &'static str, value: &'static [u8]) {
    if !document.has(name) {
        document.set(name, Bytes::from_static(value));
    }
}

/// Reports of usage of one answer: the later counts, each of them, unless it is null. `None` if there is none, or one is no object.
#[must_use]
pub fn merged(usage: &[Bytes]) -> Option<Bytes> {
    let mut whole = Members::default();
    usage.iter().try_for_each(|usage| whole.add(usage)).ok()?;
    (!usage.is_empty()).then(|| whole.write().into())
}

fn member(object: &Bytes, name: &str) -> Option<Bytes> {
    let raw = *members(object).ok()?.get(name)?;
    Some(object.slice_ref(raw))
}

impl Part {
    fn piece(&mut self, member: &'static str, value: Option<&&[u8]>) {
        if let Some(text) = value.copied().and_then(inside) {
            self.pieces.entry(member).or_default().extend_from_slice(text);
        }
    }

    /// A piece of a message's block.
    fn delta(&mut self, delta: &Bytes) -> Result<(), JsonError> {
        let members = members(delta)?;
        for member in ["text", "thinking", "signature", "partial_json"] {
            self.piece(member, members.get(member));
        }
        let citation = members.get("citation").map(|raw| delta.slice_ref(raw));
        self.citations.extend(citation);
        Ok(())
    }

    /// The text of it that came in pieces, or of the item as it was at its end.
    fn text(&self) -> Option<String> {
        match self.pieces.get("text") {
            Some(pieces) => Some(unescaped(pieces)),
            None => crate::events::texts(self.object.as_ref()?),
        }
    }

    fn write(self, is_block: bool) -> Vec<u8> {
        let object = self.object.unwrap_or_else(|| Bytes::from_static(b"{}"));
        if self.is_whole {
            return object.into();
        }
        let mut document = Document::parse_answer(&object).unwrap_or_default();
        if !is_block {
            return self.pieces.into_iter().fold(document, item).to_bytes().into();
        }
        set_default(&mut document, "type", b"\"text\"");
        for (member, pieces) in self.pieces {
            if member == "partial_json" {
                let input = unescaped(&pieces);
                let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&input).is_ok();
                // What the limit of tokens has cut stays readable.
                let input = if is_json { input.into_bytes() } else { quoted(&pieces) };
                if !pieces.is_empty() {
                    document.set("input", input.into());
                }
                continue;
            }
            let begun = document.get(member).and_then(inside).unwrap_or_default();
            let joined = quoted(&[begun, pieces.as_slice()].concat());
            document.set(member, joined.into());
        }
        if !self.citations.is_empty() {
            let list = self.citations.join(&b","[..]);
            document.set("citations", [b"[", list.as_slice(), b"]"].concat().into());
        }
        document.to_bytes().into()
    }
}

/// An item of a response whose end never came, with what came of it.
fn item(mut document: Document, (member, pieces): (&'static str, Vec<u8>)) -> Document {
    if member != "text" {
        document.set(member, quoted(&pieces).into());
        return document;
    }
    set_default(&mut document, "type", b"\"message\"");
    set_default(&mut document, "role", b"\"assistant\"");
    document.set("status", Bytes::from_static(b"\"completed\""));
    let text = [
        br#"[{"type":"output_text","text":"#.as_slice(),
        &quoted(&pieces),
        br#","annotations":[]}]"#,
    ];
    document.set("content", text.concat().into());
    document
}

/// The inside of a JSON string as one.
fn quoted(inside: &[u8]) -> Vec<u8> {
    [b"\"", inside, b"\""].concat()
}

fn unescaped(inside: &[u8]) -> String {
    let json = quoted(inside);
    let text = Cursor::lenient(&json).string_or_skip().ok().flatten();
    text.map(|text| text.to_str().into_owned()).unwrap_or_default()
}
