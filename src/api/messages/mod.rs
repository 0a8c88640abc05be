//! Anthropic's messages: the request, and what an answer says.

mod answer;
mod build;
mod check;
mod continuing;
mod document;
mod facts;
mod request;

pub(super) use answer::read;
pub use document::MessageDocument;
pub use request::MessagesRequest;
