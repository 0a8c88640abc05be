//! OpenAI's embeddings: the request and the answer.

mod answer;
mod request;
mod vector;

pub use answer::{Embedding, EmbeddingResponse};
pub use request::EmbeddingRequest;
pub use vector::Vector;
