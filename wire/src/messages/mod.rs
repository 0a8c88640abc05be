//! Anthropic's messages: what an event or a document says, and the typed answer.

mod answer;
mod document;

pub(crate) use answer::read;
pub use document::MessageDocument;
