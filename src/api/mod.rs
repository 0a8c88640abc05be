//! The APIs of a model: the shapes in which a call is made, and their requests.
//!
//! A [`ChatRequest`](crate::ChatRequest), [`ResponsesRequest`], [`MessagesRequest`] or [`EmbeddingRequest`] becomes an [`ApiRequest`], which
//! is what a stack takes. Each is the JSON document that it goes out as.

mod answer;
mod chat;
mod embeddings;
mod messages;
mod request;
mod responses;
#[cfg(test)]
mod tests;
mod typed_answer;
mod whole_request;

use std::fmt;

pub(crate) use answer::{Course, Piece, Step, texts};
pub use embeddings::{Embedding, EmbeddingRequest, EmbeddingResponse, Vector};
pub use messages::{MessageDocument, MessagesRequest};
pub use request::{ApiRequest, IntoApiRequest};
pub use responses::{ResponseDocument, ResponsesRequest};
pub use typed_answer::ApiAnswer;

/// The shape of a call: which API of an upstream it is for.
///
/// Requests and answers of one API are never translated into another's: what came goes out, byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Api {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// OpenAI's embeddings.
    Embeddings,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Embeddings];

    /// Its path behind the base URL of an upstream.
    ///
    /// ```
    /// use tower_openrouter::Api;
    ///
    /// assert_eq!(Api::Chat.path(), "chat/completions");
    /// ```
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
        }
    }

    /// Its name in messages and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
        }
    }

    /// Its path with a slash before it: the path of a request above the transport.
    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Responses => "/responses",
            Self::Messages => "/messages",
            Self::Embeddings => "/embeddings",
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
