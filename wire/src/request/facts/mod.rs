//! What a request asks for, read without building it.

mod content;
mod money;
mod tools;

use std::time::Duration;

use crate::{
    Modalities,
    document::Document,
    json::{Cursor, Text, member, raw_member, text, whole_number},
};
pub(crate) use content::Content;
pub use tools::unbounded_tool;

/// The most tokens a picture is taken to have: several times what any model makes of its largest.
pub const IMAGE_TOKENS: u64 = 16_384;

/// The most tokens that sound, a document or a film is assumed to have if it is sent along: one for each four bytes, and this at least.
pub const INLINE_MEDIA_TOKENS: u64 = 16_384;

/// The same if only its address or its name is sent.
pub const LINKED_MEDIA_TOKENS: u64 = 65_536;

/// The most tokens that the results of one search are taken to add to the prompt: several times what five results have, which is the
/// usual number.
pub const SEARCH_TOKENS: u64 = 8_192;

/// The loop in which OpenRouter runs tools for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerToolLoop {
    /// The most steps.
    pub steps: u64,
    /// Whether the request itself holds the loop to these steps.
    pub is_bounded: bool,
}

/// What a model must be able to do to serve a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct RequestFacts {
    /// The size of the prompt in tokens, guessed: the bytes of messages and tools, media left out, divided by four and rounded up.
    pub prompt_tokens: u64,
    /// The most tokens the prompt can have, whatever the tokenizer: one for each byte of its text, and for each part that is no text
    /// what [`IMAGE_TOKENS`], [`INLINE_MEDIA_TOKENS`] and [`LINKED_MEDIA_TOKENS`] say; on top what [`SEARCH_TOKENS`] says for each search.
    pub most_prompt_tokens: u64,
    /// How many pictures the messages hold.
    pub images: u64,
    /// How many searches of the web it may run: one for the web plugin, options for a search or a preset, which may bring either; for
    /// a search tool as many as its calls may be.
    pub searches: u64,
    /// The loop in which OpenRouter runs tools for it: its steps as `max_tool_calls` or `stop_server_tools_when` say, 30 by default.
    pub tool_loop: Option<ServerToolLoop>,
    /// It brings a tool or a plugin whose cost has no bound: another model, a parser of documents by the page, one that is not known.
    pub unbounded_tools: bool,
    /// How many answers it asks for.
    pub choices: u64,
    /// It asks somewhere to cache the prompt for longer than five minutes.
    pub long_cache: bool,
    /// It may be served on a priority tier: it asks for one, names an endpoint of one, or brings a preset, which may ask for one.
    pub priority: bool,
    /// It brings tools.
    pub tools: bool,
    /// It forces a tool call: `tool_choice` is `"required"` or names a tool.
    pub forced_tool_choice: bool,
    /// It asks for an answer that keeps to a JSON schema.
    pub structured_outputs: bool,
    /// It asks for an answer that is any JSON object.
    pub json_mode: bool,
    /// What kinds of input the messages hold.
    pub input: Modalities,
    /// The kinds of output it requests; text if it says nothing.
    pub output: Modalities,
    /// It asks the model to reason.
    pub reasoning: bool,
    /// The last message is an assistant's, to be continued.
    pub prefill: bool,
}

impl RequestFacts {
    /// The facts that all APIs have alike; `schema` is the field with a schema of the answer.
    pub(crate) fn of(document: &Document, content: &Content, schema: Option<&[u8]>) -> Self {
        let mut facts = Self {
            images: content.images,
            input: content.input,
            prefill: content.prefill,
            long_cache: content.long_cache,
            ..Self::default()
        };
        facts.input.insert(Modalities::TEXT);
        let tools = document.get("tools").map(tools::Tools::read).unwrap_or_default();
        facts.tools = tools.count > 0;
        facts.long_cache |= tools.long_cache;
        let size = content.text_bytes.saturating_add(tools.bytes);
        facts.prompt_tokens = u64::try_from(size.div_ceil(4)).unwrap_or(u64::MAX);
        // A schema is put into the prompt as well.
        let text = u64::try_from(size.saturating_add(schema.map_or(0, <[u8]>::len))).unwrap_or(u64::MAX);
        facts.read_money(document, &tools);
        let found = facts.searches.saturating_mul(SEARCH_TOKENS);
        facts.most_prompt_tokens = text.saturating_add(content.media_tokens).saturating_add(found);
        facts.read_output(document);
        facts
    }

    /// The size of the whole document, and nothing else: a token has four bytes of text or so, and one at least.
    #[must_use]
    pub fn of_size(document: &Document) -> Self {
        let bytes = u64::try_from(document.len()).unwrap_or(u64::MAX);
        Self {
            prompt_tokens: bytes.div_ceil(4),
            most_prompt_tokens: bytes,
            ..Self::default()
        }
    }

    /// Reads the form of the answer, which `type` names.
    pub(crate) fn read_format(&mut self, format: Option<&[u8]>) {
        let kind = format.and_then(|format| member(format, "type"));
        self.structured_outputs = kind.is_some_and(|kind| kind.is("json_schema"));
        self.json_mode = kind.is_some_and(|kind| kind.is("json_object"));
    }

    fn read_output(&mut self, document: &Document) {
        if let Some(modalities) = document.get("modalities") {
            let walked = Cursor::new(modalities).array_or_skip(|item| {
                if let Some(name) = item.string_or_skip()? {
                    self.output.insert(name.to_str().parse().unwrap_or_default());
                }
                Ok(())
            });
            if walked.is_err() {
                self.output = Modalities::default();
            }
        }
        if self.output.is_empty() {
            self.output = Modalities::TEXT;
        }
    }
}

pub(crate) fn asks_to_reason(document: &Document) -> bool {
    if let Some(effort) = document.get("reasoning_effort").and_then(text) {
        return !effort.is("none");
    }
    if let Some(reasoning) = document.get("reasoning").filter(|raw| raw.first() == Some(&b'{')) {
        let off = member(reasoning, "effort").is_some_and(|effort| effort.is("none"))
            || raw_member(reasoning, "enabled") == Some(b"false");
        return !off;
    }
    document.get("include_reasoning") == Some(b"true")
}

/// How long the model may think in silence, by the requested effort.
#[must_use]
pub fn reasoning_time(document: &Document) -> Option<Duration> {
    if let Some(effort) = document.get("reasoning_effort").and_then(text) {
        return time_of_effort(effort);
    }
    let reasoning = document.get("reasoning").filter(|raw| raw.first() == Some(&b'{'))?;
    if let Some(effort) = member(reasoning, "effort") {
        return time_of_effort(effort);
    }
    // Without an effort OpenRouter takes the medium one.
    let is_on = raw_member(reasoning, "enabled") == Some(b"true");
    time_of_budget(reasoning, "max_tokens").or(is_on.then_some(MEDIUM))
}

/// How much reasoning is requested, in the request's own word.
#[must_use]
pub fn reasoning_level(document: &Document) -> Option<Text<'_>> {
    let short = document.get("reasoning_effort").and_then(text);
    short.or_else(|| member(document.get("reasoning")?, "effort"))
}

/// How long an effort of which nothing is known is taken to need.
pub(crate) const MEDIUM: Duration = Duration::from_secs(60);

pub(crate) fn time_of_effort(effort: Text<'_>) -> Option<Duration> {
    let known = [("low", 30), ("medium", 60), ("high", 100), ("xhigh", 150), ("max", 150)];
    let known = known.into_iter().find(|(name, _)| effort.is(name));
    known.map(|(_, seconds)| Duration::from_secs(seconds))
}

/// A budget of tokens is used up at some fifty a second.
pub(crate) fn time_of_budget(options: &[u8], name: &str) -> Option<Duration> {
    let tokens: u64 = std::str::from_utf8(raw_member(options, name)?).ok()?.parse().ok()?;
    Some(Duration::from_secs((tokens / 50).clamp(30, 150)))
}

/// A number of answers or calls, however it is written: `5`, `5.0`, `"5"`. Of a fraction the next whole number: some upstream may round it up.
pub(super) fn number(raw: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(raw).ok()?.trim_matches('"').trim();
    whole_number(text.as_bytes()).or_else(|| {
        let number: f64 = text.parse().ok().filter(|number| *number > 0.0)?;
        Some(format!("{:.0}", number.ceil()).parse().unwrap_or(u64::MAX))
    })
}

pub(crate) fn is_there(raw: &[u8]) -> bool {
    raw != b"null"
}
