//! Anthropic's messages: the request.

mod build;
mod continuing;
mod request;

pub use request::MessagesRequest;
