//! The check of answers against the schemas of their requests.

use std::{collections::HashMap, fmt, sync::Arc};

use bytes::Bytes;
use serde_json::Value;
use tower_llm_layers::{
    Frame,
    conformance::{ConformanceCheck, Nonconformity},
};

use super::{
    cache::Kept,
    content::{AnswerContent, read},
    requested::{Format, RequestedFormat, asks, schema_of_format, schema_of_tool},
    schema::{LARGEST_SCHEMA, Parsed, Schema, parse},
};
use crate::{Api, ApiRequest, ChatFrame, FrameKind, assemble::Gathered};

/// Holds answers to the JSON schemas that their requests asked for. See the [module](super). Clones share what is compiled.
#[derive(Clone)]
pub struct JsonSchemaCheck {
    formats: Arc<Kept<Named>>,
    tools: Arc<Kept<HashMap<String, Schema>>>,
}

/// A schema with its name.
struct Named {
    name: String,
    schema: Schema,
}

impl JsonSchemaCheck {
    /// With nothing compiled yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            formats: Arc::new(Kept::new()),
            tools: Arc::new(Kept::new()),
        }
    }

    fn text(&self, format: &Format<'_>, text: &str) -> Option<String> {
        match format {
            Format::Object => match parse(text) {
                Parsed::Value(Value::Object(_)) | Parsed::Unreadable => None,
                Parsed::Value(_) => Some("its text is JSON, and not an object".to_owned()),
                Parsed::Wrong(reason) => Some(format!("its text: {reason}")),
            },
            Format::Schema(raw) => {
                let named = self.formats.get(raw, || named(raw));
                let problem = named.schema.problem(text)?;
                Some(format!("its text, by the schema `{}`: {problem}", named.name))
            }
        }
    }

    fn call(&self, tools: &[u8], name: &str, arguments: &str) -> Option<String> {
        let tools = self.tools.get(tools, || of_tools(tools));
        let (name, schema) = tools.get_key_value(name)?;
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
        let problem = schema.problem(arguments)?;
        Some(format!("the arguments for the tool `{name}`: {problem}"))
    }

    /// What is wrong with one answer, and its text.
    fn problem(&self, requested: &RequestedFormat<'_>, content: &AnswerContent) -> Option<(String, String)> {
        if content.is_other {
            return None;
        }
        if content.calls.is_empty() {
            let format = requested.format.as_ref()?;
            return Some((self.text(format, &content.text)?, content.text.clone()));
        }
        let tools = requested.tools?;
        content
            .calls
            .iter()
            .find_map(|(name, arguments)| Some((self.call(tools, name, arguments)?, arguments.clone())))
    }
}

impl Default for JsonSchemaCheck {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for JsonSchemaCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonSchemaCheck").finish_non_exhaustive()
    }
}

impl ConformanceCheck<ApiRequest, ChatFrame> for JsonSchemaCheck {
    fn applies_to(&self, request: &ApiRequest) -> bool {
        asks(request)
    }

    fn check(&self, request: &ApiRequest, frames: &[ChatFrame]) -> Result<(), Nonconformity> {
        let requested = RequestedFormat::of(request);
        if requested.is_empty() || frames.iter().any(Frame::is_cut_short) {
            return Ok(());
        }
        let Some((api, bytes)) = whole(frames) else {
            return Ok(());
        };
        let problem = read(api, &bytes)
            .into_iter()
            .flatten()
            .find_map(|content| self.problem(&requested, &content));
        problem.map_or(Ok(()), |(reason, text)| Err(Nonconformity::new(reason, text)))
    }
}

/// The answer as a plain call would have brought it.
fn whole(frames: &[ChatFrame]) -> Option<(Api, Bytes)> {
    let mut shown = frames.iter().filter(|frame| frame.kind() != FrameKind::KeepAlive);
    if let (Some(frame), None) = (shown.next(), shown.next())
        && frame.kind() == FrameKind::Answer
    {
        return Some((frame.api(), frame.bytes().clone()));
    }
    let mut gathered = Gathered::default();
    for frame in frames {
        gathered.take(frame).ok()?;
    }
    Some((gathered.api(), gathered.whole()))
}

/// The schema in a format.
fn named(raw: &[u8]) -> Named {
    let format = parse_schema(raw).unwrap_or_default();
    match schema_of_format(&format) {
        Some((name, schema)) => Named {
            name: name.chars().take(64).collect(),
            schema: Schema::compile(name, schema),
        },
        None => Named {
            name: "answer".to_owned(),
            schema: Schema::Unusable,
        },
    }
}

/// The schemas of all tools that have one.
fn of_tools(raw: &[u8]) -> HashMap<String, Schema> {
    let tools = parse_schema(raw).unwrap_or_default();
    let tools = tools.as_array().map(Vec::as_slice).unwrap_or_default();
    let tools = tools.iter().filter_map(schema_of_tool);
    tools
        .map(|(name, schema)| (name.to_owned(), Schema::compile(name, schema)))
        .collect()
}

/// JSON that holds schemas; `None` if it is too large or cannot be read.
fn parse_schema(raw: &[u8]) -> Option<Value> {
    let parsed = (raw.len() <= LARGEST_SCHEMA).then(|| serde_json::from_slice(raw));
    let value = parsed.and_then(Result::ok);
    if value.is_none() {
        tracing::warn!(
            bytes = raw.len(),
            "schemas are too large, or cannot be read: answers are not held to them"
        );
    }
    value
}
