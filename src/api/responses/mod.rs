//! OpenAI's responses: the request.

mod request;

pub use request::ResponsesRequest;
