//! OpenAI's responses: the request.

mod build;
mod check;
mod facts;
mod request;

pub use request::ResponsesRequest;
