//! OpenAI's responses: the request.

mod build;
mod request;

pub use request::ResponsesRequest;
