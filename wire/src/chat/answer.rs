//! Answers, whole and in pieces.

use serde::de::Error as _;
use serde_json::Value;

use crate::chat::AnswerMessage;
use crate::finish::FinishReason;
use crate::usage::Usage;
use crate::view::{Wire, said_text, try_read_whole, wire_struct};

wire_struct! {
    /// A whole answer.
    ///
    /// Reads whatever a provider makes of it. What is missing is absent; what is not known, or of another shape than its field, is kept in `extra`.
    ///
    /// ```
    /// use openrouter_wire::{chat::ChatResponse, finish::FinishReason};
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
        /// How OpenRouter routed it, if that was requested.
        openrouter_metadata: Option<Value> = "openrouter_metadata",
    }
}

wire_struct! {
    /// One answer of possibly several.
    Choice {
        /// Its place.
        index: u64 = "index",
        /// What it says.
        message: AnswerMessage = "message" | "delta",
        /// Of a completion: its text.
        text: Option<String> = "text" => said_text,
        /// Why it ended; `None` if the provider gave no answer.
        finish_reason: Option<FinishReason> = "finish_reason" always,
        /// The same in the provider's own words.
        native_finish_reason: Option<String> = "native_finish_reason",
        /// Log-probabilities of its tokens.
        logprobs: Option<Value> = "logprobs",
        /// Why it failed, if it did.
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
        /// Why the stream failed, if it did.
        error: Option<Value> = "error",
        /// How OpenRouter routed it, if that was requested.
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
        text: Option<String> = "text" => said_text,
        /// Why the answer ended. May come twice.
        finish_reason: Option<FinishReason> = "finish_reason" always,
        /// The same in the provider's own words.
        native_finish_reason: Option<String> = "native_finish_reason",
        /// Log-probabilities of its tokens.
        logprobs: Option<Value> = "logprobs",
        /// Why it failed, if it did.
        error: Option<Value> = "error",
    }
}

impl ChatResponse {
    /// Reads an answer. White space before it, with which OpenRouter keeps connections awake, does not matter. It reads what servers write
    /// beside strict JSON, too: `NaN` and infinite numbers, half of a surrogate pair, nesting up to 512 levels.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object.
    pub fn from_json(body: &[u8]) -> Result<Self, serde_json::Error> {
        read(body)
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

    /// The text of the first choice that has one: some servers put the text of an answer and its tool calls into a choice each.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        let mut texts = self
            .choices
            .iter()
            .map(|choice| text_of(&choice.message, choice.text.as_deref()));
        let first = texts.next()?;
        let is_there = |text: &&str| !text.trim().is_empty();
        first
            .filter(is_there)
            .or_else(|| texts.flatten().find(is_there))
            .or(first)
    }

    /// Why the first choice ended that says so.
    #[must_use]
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.choices.iter().find_map(|choice| choice.finish_reason.as_ref())
    }
}

impl ChatChunk {
    /// Reads what stands behind `data:` in a stream, as [`ChatResponse::from_json`] reads an answer.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object.
    pub fn from_json(data: &[u8]) -> Result<Self, serde_json::Error> {
        read(data)
    }

    /// The text this piece adds to the first choice.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        let choice = self.choices.first()?;
        text_of(&choice.delta, choice.text.as_deref())
    }

    /// Why the first choice ended, if it did.
    #[must_use]
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.choices.first()?.finish_reason.as_ref()
    }
}

/// The text of a message, or that of a completion if the message says nothing.
fn text_of<'a>(message: &'a AnswerMessage, completion: Option<&'a str>) -> Option<&'a str> {
    let said = message.content.as_deref();
    said.filter(|text| !text.is_empty()).or(completion).or(said)
}

fn read<T: Wire>(json: &[u8]) -> Result<T, serde_json::Error> {
    try_read_whole(json)
        .map_err(serde_json::Error::custom)?
        .ok_or_else(|| serde_json::Error::custom("expected an object"))
}
