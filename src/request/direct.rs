//! A request for a provider that is called directly.

use bytes::Bytes;

use super::chat::ChatRequest;
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
        if direct.is_streaming() {
            direct.ask_for_usage();
        }
        direct
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
