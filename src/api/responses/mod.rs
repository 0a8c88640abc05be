//! OpenAI's responses: the request, and what an answer says.

mod answer;
mod build;
mod check;
mod document;
mod facts;
mod request;

pub(super) use answer::read;
pub use document::ResponseDocument;
pub use request::ResponsesRequest;
