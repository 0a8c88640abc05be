//! Anthropic's messages: the request.

mod build;
mod check;
mod facts;
mod request;

pub use request::MessagesRequest;
