//! Anthropic's messages: the request.

mod build;
mod request;

pub use request::MessagesRequest;
