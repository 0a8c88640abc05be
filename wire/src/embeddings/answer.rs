//! The answer to a request for embeddings.

use serde_json::Value;

use super::Vector;
use crate::{usage::Usage, view::wire_struct};

wire_struct! {
    /// Embeddings, one for each text.
    ///
    /// ```
    /// use openrouter_wire::{ApiAnswer, embeddings::EmbeddingResponse};
    ///
    /// let body = br#"{"object":"list","model":"a/b","data":[{"object":"embedding","index":0,"embedding":[0.5,-1.0]}],
    ///     "usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    /// let answer = EmbeddingResponse::from_json(body)?;
    /// assert_eq!(answer.vectors().next(), Some([0.5, -1.0].as_slice()));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    EmbeddingResponse {
        /// The generation, by which its cost can be looked up, if the upstream has it.
        id: Option<String> = "id",
        /// `list`.
        object: String = "object",
        /// The model that answered.
        model: String = "model",
        /// The provider that answered, by its display name.
        provider: Option<String> = "provider",
        /// The embeddings.
        data: Vec<Embedding> = "data" always,
        /// What they took, and cost.
        usage: Option<Usage> = "usage",
        /// How OpenRouter routed it, if that was requested.
        openrouter_metadata: Option<Value> = "openrouter_metadata",
    }
}

wire_struct! {
    /// The embedding of one text.
    Embedding {
        /// The place of its text in the request.
        index: Option<u64> = "index",
        /// The vector. If it cannot be read, it is empty, and its text is in `extra`.
        embedding: Vector = "embedding",
        /// `embedding`.
        object: String = "object",
    }
}

impl EmbeddingResponse {
    /// The vectors, in the order of their texts.
    pub fn vectors(&self) -> impl Iterator<Item = &[f32]> {
        let mut order: Vec<(u64, &[f32])> = (0..)
            .zip(&self.data)
            .map(|(place, one)| (one.index.unwrap_or(place), one.embedding.as_slice()))
            .collect();
        order.sort_by_key(|(index, _)| *index);
        order.into_iter().map(|(_, vector)| vector)
    }
}
