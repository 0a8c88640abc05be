//! OpenRouter over Tower.

pub mod request;
pub mod response;
