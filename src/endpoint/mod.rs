//! The stack as an OpenAI-compatible endpoint: plain HTTP bodies in and out.
//!
//! ```
//! use tower_openrouter::{ApiKey, ChatServiceExt, Stack};
//!
//! # fn app(key: ApiKey) -> Result<axum::Router, Box<dyn std::error::Error>> {
//! let stack = Stack::openrouter(key).chain(["openai/gpt-5"]).build()?;
//! let app = axum::Router::new().route_service("/v1/chat/completions", stack.into_openai_endpoint());
//! # Ok(app)
//! # }
//! ```

mod body;
mod decode;
mod error;
mod headers;
mod service;

pub use body::EndpointBody;
pub use headers::{ATTEMPTS_HEADER, CACHE_HEADER, DEGRADED_HEADER, MODEL_HEADER, OUTPUT_LIMIT_HEADER};
pub use service::{EndpointFuture, OpenAiEndpoint};
