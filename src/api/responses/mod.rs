//! OpenAI's responses: the request, and what an answer says.

mod answer;
mod build;
mod check;
mod facts;
mod request;

pub(super) use answer::read;
pub use request::ResponsesRequest;
