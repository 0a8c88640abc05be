//! A whole message, as typed fields.

use serde_json::Value;

use crate::{events::texts, usage::Usage, view::wire_struct};

wire_struct! {
    /// A whole message of a model.
    ///
    /// ```
    /// use openrouter_wire::{ApiAnswer, messages::MessageDocument};
    ///
    /// let body = br#"{"id":"msg_1","type":"message","role":"assistant","model":"a/b",
    ///     "content":[{"type":"text","text":"Blue."}],"stop_reason":"end_turn"}"#;
    /// let answer = MessageDocument::from_json(body)?;
    /// assert_eq!(answer.text().as_deref(), Some("Blue."));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    MessageDocument {
        /// Its id.
        id: String = "id",
        /// `message`.
        kind: String = "type",
        /// `assistant`.
        role: String = "role",
        /// The model that answered.
        model: String = "model",
        /// The provider that answered, by its display name.
        provider: Option<String> = "provider",
        /// Text, thoughts, calls of tools and other blocks, as they came.
        content: Vec<Value> = "content" always,
        /// Why it ended.
        stop_reason: Option<String> = "stop_reason" always,
        /// The text at which it ended.
        stop_sequence: Option<String> = "stop_sequence" always,
        /// What it took, and cost.
        usage: Option<Usage> = "usage",
        /// How OpenRouter routed it, if that was requested.
        openrouter_metadata: Option<Value> = "openrouter_metadata",
    }
}

impl MessageDocument {
    /// The text of all blocks of text; `None` if there is none.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        // Of some servers the content is one text, or one block.
        if self.content.is_empty()
            && let Some(raw) = self.extra.raw("content")
        {
            return texts(raw.as_bytes());
        }
        texts(&serde_json::to_vec(&self.content).ok()?)
    }
}
