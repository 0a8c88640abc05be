//! The JSON document of a request, and what layers ask of it often.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tower_llm_layers::{Call, UsdAmount};

use super::{limit, money::RequestMoney};
use crate::bounds::cut_cow;
use openrouter_wire::{
    document::Document,
    json::{Text, json_string, raw_member, text},
    request::{RequestFacts, alternatives, unbounded_tool},
};

/// In which fields the requests of one API say what layers ask.
pub(crate) struct Shape {
    /// What the API gives.
    pub(crate) gives: Gives,
    /// The fields with the limit of tokens; the largest of those that are there counts.
    pub(crate) limits: &'static [&'static str],
    /// The fields with the content; logs say their size.
    pub(crate) content: &'static [&'static str],
    /// The fields that the facts are read from: a change to any other leaves them as they are.
    pub(crate) fact_fields: &'static [&'static str],
    /// Reads the facts.
    pub(crate) facts: fn(&Document) -> RequestFacts,
    /// How long the model may think in silence.
    pub(crate) reasoning_time: fn(&Document) -> Option<Duration>,
    /// How much reasoning is requested.
    pub(crate) reasoning_level: fn(&Document) -> Option<Text<'_>>,
}

/// What an API gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gives {
    /// Text and what goes with it, whole or as a stream.
    Text,
    /// Vectors: whole, and without tokens of an answer.
    Vectors,
}

impl Gives {
    /// The operation, by OpenTelemetry's names.
    pub(crate) const fn operation(self) -> &'static str {
        match self {
            Self::Text => "chat",
            Self::Vectors => "embeddings",
        }
    }
}

/// The object that a request goes out as. What layers read often is kept at hand; everything else is read when asked for. A clone shares
/// everything with its original until one of the two is changed, and then all but the change.
#[derive(Clone)]
pub(crate) struct RequestBody {
    inner: Arc<Inner>,
    /// What the request carries from layer to layer.
    pub(crate) call: Call,
}

#[derive(Clone)]
struct Inner {
    document: Document,
    model: Option<Arc<str>>,
    stream: bool,
    max_tokens: Option<u64>,
    facts: OnceLock<RequestFacts>,
    money: OnceLock<RequestMoney>,
    shape: &'static Shape,
}

impl RequestBody {
    pub(crate) fn new(document: Document, shape: &'static Shape) -> Self {
        let mut inner = Inner {
            document,
            model: None,
            stream: false,
            max_tokens: None,
            facts: OnceLock::new(),
            money: OnceLock::new(),
            shape,
        };
        inner.refresh("model");
        inner.refresh("stream");
        inner.read_limit();
        Self {
            inner: Arc::new(inner),
            call: Call::default(),
        }
    }

    pub(crate) fn model(&self) -> Option<&str> {
        self.inner.model.as_deref()
    }

    pub(crate) fn model_shared(&self) -> Option<Arc<str>> {
        self.inner.model.clone()
    }

    pub(crate) fn is_streaming(&self) -> bool {
        self.inner.stream
    }

    pub(crate) fn max_tokens(&self) -> Option<u64> {
        match self.gives() {
            Gives::Text => self.inner.max_tokens,
            Gives::Vectors => Some(0),
        }
    }

    pub(crate) fn gives(&self) -> Gives {
        self.inner.shape.gives
    }

    /// Read once, at the first call.
    pub(crate) fn facts(&self) -> &RequestFacts {
        let inner = &*self.inner;
        inner.facts.get_or_init(|| (inner.shape.facts)(&inner.document))
    }

    /// The same of money.
    pub(super) fn money(&self) -> &RequestMoney {
        let inner = &*self.inner;
        inner.money.get_or_init(|| RequestMoney::read(&inner.document))
    }

    /// The requested temperature.
    pub(crate) fn temperature(&self) -> Option<f64> {
        let written = std::str::from_utf8(self.document().get("temperature")?).ok()?;
        written.parse().ok()
    }

    /// The conversation it belongs to, if it names one.
    pub(crate) fn conversation(&self) -> Option<Cow<'_, str>> {
        let id = self.document().get("session_id").and_then(text)?;
        Some(cut_cow(Text::to_str(id)))
    }

    /// How much reasoning is requested, in the request's own word.
    pub(crate) fn reasoning_level(&self) -> Option<Cow<'_, str>> {
        let level = (self.inner.shape.reasoning_level)(self.document())?;
        Some(cut_cow(Text::to_str(level)))
    }

    pub(crate) fn reasoning_time(&self) -> Option<Duration> {
        (self.inner.shape.reasoning_time)(self.document())
    }

    /// The first tool or plugin whose cost has no bound.
    pub(crate) fn unbounded_tool(&self) -> Option<String> {
        let facts = self.facts();
        let found = facts
            .unbounded_tools
            .then(|| unbounded_tool(self.document(), facts.input));
        found.flatten()
    }

    /// The models that the upstream may try by itself, also those of `fallbacks`, as Anthropic's API has them.
    pub(crate) fn models(&self) -> Vec<String> {
        alternatives(self.document())
    }

    pub(crate) fn document(&self) -> &Document {
        &self.inner.document
    }

    /// What goes out without these fields.
    pub(crate) fn segments_without(&self, fields: &[&str]) -> crate::BodySegments {
        if !fields.iter().any(|field| self.document().has(field)) {
            return self.document().segments().collect();
        }
        let mut document = self.document().clone();
        for field in fields {
            document.remove(field);
        }
        document.segments().collect()
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        self.inner.document.to_bytes()
    }

    pub(crate) fn len(&self) -> usize {
        self.inner.document.len()
    }

    /// All changes go through here: clones keep what they had.
    fn edit(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.inner)
    }

    /// Writes a field.
    pub(crate) fn put(&mut self, field: &'static str, value: Bytes) {
        let inner = self.edit();
        inner.document.set(field, value);
        inner.refresh(field);
    }

    /// Writes a field whose name is not known beforehand.
    pub(crate) fn put_named(&mut self, field: &str, value: Bytes) {
        let inner = self.edit();
        inner.document.set(field.to_owned(), value);
        inner.refresh(field);
    }

    pub(crate) fn take(&mut self, field: &str) -> bool {
        if !self.inner.document.has(field) {
            return false;
        }
        let inner = self.edit();
        let removed = inner.document.remove(field);
        inner.refresh(field);
        removed
    }

    /// Writes the model, its name already at hand.
    pub(crate) fn put_model(&mut self, model: Arc<str>) {
        let json = json_string(&model).into();
        let inner = self.edit();
        inner.document.set("model", json);
        inner.model = Some(model);
    }

    /// Writes the list of models that the upstream tries by itself; an empty one takes the field away.
    pub(crate) fn put_models<S: AsRef<str>>(&mut self, models: impl IntoIterator<Item = S>) {
        let mut json = vec![b'['];
        for model in models {
            if json.len() > 1 {
                json.push(b',');
            }
            json.extend_from_slice(&json_string(model.as_ref()));
        }
        if json.len() == 1 {
            self.take("models");
        } else {
            json.push(b']');
            self.put("models", json.into());
        }
    }

    /// Writes whether a stream is wanted; a request that says nothing wants none.
    pub(crate) fn put_stream(&mut self, stream: bool) {
        let told = self.document().get("stream");
        if self.is_streaming() != stream || told.is_some_and(|raw| raw != b"true" && raw != b"false") {
            self.put("stream", Bytes::from_static(if stream { b"true" } else { b"false" }));
        }
    }

    /// Limits the answer to so many tokens: in each field of a limit that is there, and in the last of them if none is. Returns whether
    /// there is such a field.
    pub(crate) fn put_max_tokens(&mut self, tokens: u64) -> bool {
        let json = Bytes::from(tokens.to_string());
        let limits = self.inner.shape.limits;
        let is_there = limits.iter().any(|field| self.document().has(field));
        for (index, field) in limits.iter().enumerate() {
            if self.document().has(field) || (!is_there && index + 1 == limits.len()) {
                self.put(field, json.clone());
            }
        }
        !limits.is_empty()
    }

    /// The same for a limit that is none of the caller's: it raises none that is there. Not below the tokens that the request lets the model think:
    /// Anthropic answers 400.
    pub(crate) fn shorten(&mut self, tokens: u64) -> bool {
        let thinking = self.document().get("thinking");
        let budget = thinking
            .and_then(|thinking| raw_member(thinking, "budget_tokens"))
            .and_then(limit::whole);
        if budget.is_some_and(|budget| budget >= tokens) {
            return false;
        }
        let limits = self.inner.shape.limits.iter();
        let given = limits.filter_map(|field| Some((*field, limit::of(self.document(), field)?)));
        let given: Vec<_> = given.collect();
        if given.is_empty() {
            return self.put_max_tokens(tokens);
        }
        for (field, own) in given {
            self.put(field, own.min(tokens).to_string().into());
        }
        true
    }

    /// Has OpenRouter stop the loop of its tools after this cost, and after the steps that the request allows now. Conditions that are there
    /// stay: any one of them stops the loop.
    pub(crate) fn stop_tools_after(&mut self, most: UsdAmount) {
        let tool_loop = self.facts().tool_loop;
        let known = self.document().get("stop_server_tools_when").and_then(inside_of_array);
        let mut conditions = known.unwrap_or_default().to_vec();
        let mut add = |condition: String| {
            if !conditions.is_empty() {
                conditions.push(b',');
            }
            conditions.extend_from_slice(condition.as_bytes());
        };
        // Conditions replace `max_tool_calls`.
        if known.is_none() || tool_loop.is_some_and(|tool_loop| !tool_loop.is_bounded) {
            let steps = tool_loop.map_or(1, |tool_loop| tool_loop.steps);
            add(format!(r#"{{"type":"step_count_is","step_count":{steps}}}"#));
        }
        let dollars = most.to_string();
        let dollars = dollars.trim_start_matches('$');
        add(format!(r#"{{"type":"max_cost","max_cost_in_dollars":{dollars}}}"#));
        let conditions = [b"[", conditions.as_slice(), b"]"].concat();
        self.put("stop_server_tools_when", conditions.into());
    }

    /// Writes a parameter as JSON text, or takes it away. Returns whether the request says so now.
    pub(crate) fn put_parameter(&mut self, name: &str, json: Option<&str>) -> bool {
        let Some(json) = json else {
            self.take(name);
            return true;
        };
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok();
        if is_json {
            self.put_named(name, json.as_bytes().to_vec().into());
        }
        is_json
    }

    /// The model, the size and the fields; never the content.
    pub(crate) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.inner.shape.content.iter();
        let sizes = content.filter_map(|field| self.document().get(field));
        f.debug_struct(name)
            .field("model", &self.model())
            .field("stream", &self.is_streaming())
            .field("max_tokens", &self.max_tokens())
            .field("message_bytes", &sizes.map(<[u8]>::len).sum::<usize>())
            .field("fields", &self.document().keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Inner {
    /// Brings what is kept at hand in step with a field that was changed.
    fn refresh(&mut self, field: &str) {
        match field {
            "model" => {
                self.model = self
                    .document
                    .get("model")
                    .and_then(text)
                    .map(|model| model.to_str().into());
            }
            "stream" => {
                self.stream = self.shape.gives == Gives::Text && self.document.get("stream") == Some(b"true");
            }
            _ if self.shape.limits.contains(&field) => self.read_limit(),
            _ if self.shape.fact_fields.contains(&field) => {
                self.facts.take();
                self.money.take();
            }
            _ => {}
        }
    }

    fn read_limit(&mut self) {
        self.max_tokens = limit::largest(&self.document, self.shape.limits);
    }
}

impl PartialEq for RequestBody {
    /// Whether both go out as the same bytes.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner) || self.to_bytes() == other.to_bytes()
    }
}

/// What stands between the brackets of an array, if anything does.
pub(crate) fn inside_of_array(raw: &[u8]) -> Option<&[u8]> {
    let inside = raw.trim_ascii().strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii();
    (!inside.is_empty()).then_some(inside)
}
