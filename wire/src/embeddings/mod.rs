//! OpenAI's embeddings: the typed answer, and its vectors.

mod answer;
mod found;
mod vector;

pub use answer::{Embedding, EmbeddingResponse};
pub use found::{has_vectors, of_list};
pub use vector::Vector;
