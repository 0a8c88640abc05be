//! A whole response, as typed fields.

use serde_json::Value;

use crate::{events::texts, json::text, usage::Usage, view::wire_struct};

wire_struct! {
    /// A whole response.
    ///
    /// ```
    /// use openrouter_wire::{ApiAnswer, responses::ResponseDocument};
    ///
    /// let body = br#"{"id":"resp_1","object":"response","status":"completed","model":"a/b","output":[
    ///     {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Blue."}]}]}"#;
    /// let answer = ResponseDocument::from_json(body)?;
    /// assert_eq!(answer.text().as_deref(), Some("Blue."));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ResponseDocument {
        /// Its id.
        id: String = "id",
        /// `response`.
        object: String = "object",
        /// When, in Unix seconds.
        created_at: u64 = "created_at",
        /// `completed`, `incomplete`, or that it is still worked on.
        status: String = "status",
        /// The model that answered.
        model: String = "model",
        /// Messages, thoughts, calls of tools and other items, as they came.
        output: Vec<Value> = "output" always,
        /// Why it is incomplete, if it is.
        incomplete_details: Option<Value> = "incomplete_details",
        /// Why it failed, if it did.
        error: Option<Value> = "error",
        /// What it took, and cost.
        usage: Option<Usage> = "usage",
        /// How OpenRouter routed it, if that was requested.
        openrouter_metadata: Option<Value> = "openrouter_metadata",
    }
}

impl ResponseDocument {
    /// The text of all messages in it; `None` if there is none.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let list = serde_json::to_vec(&self.output).ok()?;
        // Of some servers the output is one item, or all of the text stands beside it alone.
        let beside = |name: &str| self.extra.raw(name).map(str::as_bytes);
        texts(&list)
            .or_else(|| beside("output").filter(|_| self.output.is_empty()).and_then(texts))
            .or_else(|| {
                let all = beside("output_text").and_then(text)?.to_str().into_owned();
                (!all.is_empty()).then_some(all)
            })
    }
}
