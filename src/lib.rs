//! OpenRouter over Tower.

pub mod sse;
