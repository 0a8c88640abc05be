//! OpenAI's embeddings: the typed answer, and its vectors.

mod answer;
mod form;
mod found;
mod vector;

pub use answer::{Embedding, EmbeddingResponse};
pub use form::{VectorForm, in_form};
pub use found::{count_inputs, has_vectors, most_vectors, of_list};
pub use vector::Vector;
