//! Requests of chat completions: built, read, edited, bounded.

mod build;
#[cfg(feature = "cache")]
mod cache_key;
mod direct;
mod edit;
mod facts;
mod json;
mod limits;
mod types;

use super::ChatRequest;

fn request(body: &str) -> ChatRequest {
    body.parse().unwrap()
}

fn body(request: &ChatRequest) -> String {
    String::from_utf8(request.to_bytes().to_vec()).unwrap()
}
