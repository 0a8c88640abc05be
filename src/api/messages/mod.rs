//! Anthropic's messages: the request.

mod request;

pub use request::MessagesRequest;
