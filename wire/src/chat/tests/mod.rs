//! Answers of chat completions.

mod chat;
mod lenient;
mod stream;
