//! A stack as HTTP endpoints that the SDKs of OpenAI, Anthropic and OpenRouter can call: plain HTTP bodies in and out.
//!
//! [`into_endpoints`](crate::ChatServiceExt::into_endpoints) makes one service of all APIs, which routes by path;
//! [`into_endpoint`](crate::ChatServiceExt::into_endpoint) one of a single API, for a route of your own:
//!
//! ```
//! use tower_openrouter::{Api, ApiKey, ChatServiceExt, Stack, endpoint::Envelope};
//!
//! # fn app(key: ApiKey) -> Result<axum::Router, Box<dyn std::error::Error>> {
//! let stack = Stack::openrouter(key).chain(["openai/gpt-5"]).build()?;
//! let chat = stack.clone().into_endpoint(Api::Chat).envelope(Envelope::OpenRouter);
//! let app = axum::Router::new()
//!     .route_service("/llm/chat", chat)
//!     .fallback_service(stack.into_endpoints());
//! # Ok(app)
//! # }
//! ```
//!
//! Neither authenticates callers nor limits them: layers in front do, may leave [`Tags`](crate::Tags) in a request's extensions, and refuse with a
//! [`Refusal`]. The limits of a stack's [tenants](crate::stack::StackBuilder::tenant_limits) are reported in the headers of responses and errors alike.

mod body;
mod body_budget;
mod decode;
mod ending;
mod envelope;
mod events;
mod exchange;
mod failed;
mod headers;
mod limits;
mod model_path;
mod model_row;
mod models;
mod object;
mod page;
mod problem;
mod refusal;
mod router;
mod service;
mod settings;
mod unstreamed;
mod upload;
mod waiting;

pub use body::EndpointBody;
pub use envelope::Envelope;
pub use headers::{
    ATTEMPTS_HEADER, CACHE_HEADER, DEGRADED_HEADER, MODEL_HEADER, OUTPUT_LIMIT_HEADER, PROVIDER_HEADER,
    REPLAYED_HEADER, response_headers, set_event_stream_headers,
};
pub use limits::{RATE_LIMIT_HEADER, RATE_LIMIT_POLICY_HEADER};
pub use models::ModelsEndpoint;
pub use refusal::Refusal;
pub use router::Endpoints;
pub use service::{ApiEndpoint, EndpointFuture, OpenAiEndpoint};
