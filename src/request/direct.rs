//! A request for a provider that is called directly.

use bytes::Bytes;

use super::{chat::ChatRequest, limit};
use crate::transport::{ChatCompatibility, TokenLimitField};
use openrouter_wire::{
    document::openrouter_only_fields,
    json::{Text, raw_member, text},
};

impl ChatRequest {
    /// The same request for a provider that speaks OpenAI's wire and not OpenRouter's.
    ///
    /// Leaves out [the fields only OpenRouter reads](openrouter_only_fields), which such a provider answers 400 to. The effort in `reasoning` goes over as
    /// `reasoning_effort` if it has a name there. A stream requests its usage, which OpenRouter always sends and others do not.
    ///
    /// Parts inside messages and tools stay as they are.
    #[must_use]
    pub fn without_openrouter_fields(&self) -> Self {
        self.compatible_with(ChatCompatibility::default())
    }

    /// The same for a provider that takes this.
    pub(crate) fn compatible_with(&self, words: ChatCompatibility) -> Self {
        let mut direct = self.clone();
        if !direct.document().has("reasoning_effort")
            && let Some(effort) = self.read_raw("reasoning").and_then(|raw| raw_member(raw, "effort"))
            && let Some(name) = text(effort).map(Text::to_str)
            && matches!(&*name, "none" | "minimal" | "low" | "medium" | "high" | "xhigh")
        {
            direct.body.put("reasoning_effort", Bytes::copy_from_slice(effort));
        }
        for field in openrouter_only_fields() {
            direct.body.take(field);
        }
        if !words.stream_options {
            direct.body.take("stream_options");
        } else if direct.is_streaming() {
            direct.ask_for_usage();
        }
        match words.limit {
            TokenLimitField::AsRequested => {}
            TokenLimitField::MaxTokens => direct.limit_in("max_tokens", "max_completion_tokens"),
            TokenLimitField::MaxCompletionTokens => direct.limit_in("max_completion_tokens", "max_tokens"),
        }
        direct
    }

    /// Says the limit of tokens, if there is one, in this field, and not in the other.
    fn limit_in(&mut self, field: &'static str, other: &str) {
        if !self.document().has(other) {
            return;
        }
        // If both are there, both hold: so does the smaller one alone.
        let limits = [field, other].map(|name| limit::of(self.document(), name));
        if let Some(tokens) = limits.into_iter().flatten().min() {
            self.body.put(field, tokens.to_string().into());
        }
        self.body.take(other);
    }

    /// Whether the body for such a provider requests the usage of a stream, and the request itself does not.
    pub(crate) fn adds_usage(&self, words: ChatCompatibility) -> bool {
        let includes = |field: &str, option: &str| {
            let raw = self.read_raw(field).and_then(|raw| raw_member(raw, option));
            raw.is_some_and(|raw| raw == b"true")
        };
        words.stream_options
            && self.is_streaming()
            && !includes("stream_options", "include_usage")
            && !includes("usage", "include")
    }

    fn ask_for_usage(&mut self) {
        let others = self
            .read_raw("stream_options")
            .filter(|raw| raw.first() == Some(&b'{'))
            .unwrap_or(b"{}");
        if raw_member(others, "include_usage") == Some(b"true") {
            return;
        }
        let Ok(mut options) = openrouter_wire::document::Document::parse(Bytes::copy_from_slice(others)) else {
            return;
        };
        options.set("include_usage", Bytes::from_static(b"true"));
        self.body.put("stream_options", options.to_bytes());
    }
}
