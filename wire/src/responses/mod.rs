//! OpenAI's responses: what a request asks, what an event or a document says, and the typed answer.

mod answer;
mod check;
mod document;
pub mod facts;
#[cfg(test)]
mod tests;

pub(crate) use answer::read;
pub use check::check;
pub use document::ResponseDocument;
