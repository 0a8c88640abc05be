//! The APIs of a model: the shapes in which a call is made, and their requests.
//!
//! A [`ChatRequest`](crate::ChatRequest), [`ResponsesRequest`], [`MessagesRequest`] or [`EmbeddingRequest`] becomes an [`ApiRequest`], which
//! is what a stack takes. Each is the JSON document that it goes out as.

mod chat;
mod embeddings;
mod messages;
mod request;
mod responses;
#[cfg(test)]
mod tests;
mod whole_request;

pub use embeddings::EmbeddingRequest;
pub use messages::MessagesRequest;
pub use openrouter_wire::{
    Api, ApiAnswer,
    embeddings::{Embedding, EmbeddingResponse, Vector, VectorForm},
    messages::MessageDocument,
    responses::ResponseDocument,
};
pub use request::{ApiRequest, IntoApiRequest};
pub use responses::ResponsesRequest;
