//! OpenAI's embeddings: the typed answer, and its vectors.

mod answer;
mod vector;

pub use answer::{Embedding, EmbeddingResponse};
pub use vector::Vector;
