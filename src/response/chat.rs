//! Answers, whole and in pieces.

use serde_json::Value;

use super::content::AnswerMessage;
use super::finish::FinishReason;
use super::usage::Usage;
use crate::request::wire_struct::wire_struct;

wire_struct! {
    /// A whole answer.
    ///
    /// Reads whatever a provider makes of it: what is missing or of another shape is absent, what is not known is kept.
    ///
    /// ```
    /// use tower_openrouter::response::{ChatResponse, FinishReason};
    ///
    /// let body = br#"{"id":"gen-1","object":"chat.completion","created":1,"model":"a/b","choices":[
    ///     {"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Blue."}}]}"#;
    /// let answer = ChatResponse::from_json(body)?;
    /// assert_eq!(answer.text(), Some("Blue."));
    /// assert_eq!(answer.finish_reason(), Some(&FinishReason::Stop));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ChatResponse {
        /// The generation, by which its cost can be looked up.
        id: String = "id",
        /// `chat.completion`.
        object: String = "object",
        /// When, in Unix seconds.
        created: u64 = "created",
        /// The model that answered, perhaps under a dated name.
        model: String = "model",
        /// The provider that answered, by its display name.
        provider: Option<String> = "provider",
        /// The provider's mark of the system that answered.
        system_fingerprint: Option<String> = "system_fingerprint",
        /// The tier that served.
        service_tier: Option<String> = "service_tier",
        /// The answer: one choice in practice.
        choices: Vec<Choice> = "choices" always,
        /// What it took, and cost.
        usage: Option<Usage> = "usage",
        /// Of an answer that failed under a status of 200: why.
        error: Option<Value> = "error",
        /// How OpenRouter came to it, where that was asked for.
        openrouter_metadata: Option<Value> = "openrouter_metadata",
    }
}

wire_struct! {
    /// One answer of possibly several.
    Choice {
        /// Its place.
        index: u64 = "index",
        /// What it says.
        message: AnswerMessage = "message",
        /// Of a completion: its text.
        text: Option<String> = "text",
        /// Why it ended; nothing where the provider gave no answer.
        finish_reason: Option<FinishReason> = "finish_reason" always,
        /// The same in the provider's own words.
        native_finish_reason: Option<String> = "native_finish_reason",
        /// Log-probabilities of its tokens.
        logprobs: Option<Value> = "logprobs",
        /// Why it failed, where it did.
        error: Option<Value> = "error",
    }
}

wire_struct! {
    /// A piece of an answer that comes as a stream.
    ChatChunk {
        /// The generation, the same in all pieces.
        id: String = "id",
        /// `chat.completion.chunk`.
        object: String = "object",
        /// When, in Unix seconds.
        created: u64 = "created",
        /// The model that answers, perhaps under a dated name.
        model: String = "model",
        /// The provider that answers, by its display name.
        provider: Option<String> = "provider",
        /// The provider's mark of the system that answers.
        system_fingerprint: Option<String> = "system_fingerprint",
        /// The tier that serves.
        service_tier: Option<String> = "service_tier",
        /// What it brings. May be empty.
        choices: Vec<ChunkChoice> = "choices" always,
        /// What the answer took, and cost: on one piece, near the end.
        usage: Option<Usage> = "usage",
        /// Why the stream failed, where it did.
        error: Option<Value> = "error",
        /// How OpenRouter came to it, where that was asked for.
        openrouter_metadata: Option<Value> = "openrouter_metadata",
    }
}

wire_struct! {
    /// A piece of one answer of possibly several.
    ChunkChoice {
        /// Its place.
        index: u64 = "index",
        /// What this piece adds.
        delta: AnswerMessage = "delta",
        /// Of a completion: the text this piece adds.
        text: Option<String> = "text",
        /// Why the answer ended. May come twice.
        finish_reason: Option<FinishReason> = "finish_reason" always,
        /// The same in the provider's own words.
        native_finish_reason: Option<String> = "native_finish_reason",
        /// Log-probabilities of its tokens.
        logprobs: Option<Value> = "logprobs",
        /// Why it failed, where it did.
        error: Option<Value> = "error",
    }
}

impl ChatResponse {
    /// Reads an answer. White space before it, with which OpenRouter keeps connections awake, is no matter.
    ///
    /// # Errors
    ///
    /// Where it is not a JSON object.
    pub fn from_json(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }

    /// An answer with this text, for a canned one or a test.
    #[must_use]
    pub fn canned(model: impl Into<String>, text: impl Into<String>) -> Self {
        let message = AnswerMessage {
            role: Some("assistant".to_owned()),
            content: Some(text.into()),
            ..AnswerMessage::default()
        };
        let choice = Choice {
            message,
            finish_reason: Some(FinishReason::Stop),
            ..Choice::default()
        };
        Self {
            object: "chat.completion".to_owned(),
            model: model.into(),
            choices: vec![choice],
            ..Self::default()
        }
    }

    /// The text of the first choice.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        let choice = self.choices.first()?;
        choice.message.content.as_deref().or(choice.text.as_deref())
    }

    /// Why the first choice ended.
    #[must_use]
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.choices.first()?.finish_reason.as_ref()
    }
}

impl ChatChunk {
    /// Reads what stands behind `data:` in a stream.
    ///
    /// # Errors
    ///
    /// Where it is not a JSON object.
    pub fn from_json(data: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(data)
    }

    /// The text this piece adds to the first choice.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        let choice = self.choices.first()?;
        choice.delta.content.as_deref().or(choice.text.as_deref())
    }

    /// Why the first choice ended, if it did.
    #[must_use]
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.choices.first()?.finish_reason.as_ref()
    }
}
