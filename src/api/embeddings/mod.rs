//! OpenAI's embeddings: the request.

mod request;

pub use request::EmbeddingRequest;
