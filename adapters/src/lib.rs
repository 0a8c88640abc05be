//! A [`tower-openrouter`](tower_openrouter) stack as the transport of another client: the program keeps its client and that client's types, and
//! its calls pass through fallback, retry, budgets and every other layer, in the process, without a server.
//!
//! | client | feature | type | changed lines |
//! | --- | --- | --- | --- |
//! | [async-openai] | `async-openai` | `AsyncOpenAiTransport` | `.with_http_service(AsyncOpenAiTransport::new(stack))` |
//! | [rig] | `rig` | `RigTransport` | `.http_client(RigTransport::new(stack))` |
//! | [reqwest-middleware] | `reqwest-middleware` | `MiddlewareTransport` | `.with(MiddlewareTransport::new(stack))` |
//! | anything else over reqwest's types | none | [`ReqwestTransport`] | a tower service: `http::Request<reqwest::Body>` in, `reqwest::Response` out |
//!
//! ```
//! use tower_openrouter::{ApiKey, Stack};
//! use tower_openrouter_adapters::ReqwestTransport;
//! use tower_service::Service;
//!
//! # async fn run(key: ApiKey) -> Result<(), Box<dyn std::error::Error>> {
//! let stack = Stack::openrouter(key).chain(["openai/gpt-5", "openai/gpt-4o-mini"]).build()?;
//! let mut transport = ReqwestTransport::new(stack);
//! let request = http::Request::post("https://api.openai.com/v1/chat/completions")
//!     .body(reqwest::Body::from(r#"{"model":"openai/gpt-5","messages":[{"role":"user","content":"Hi"}]}"#))?;
//! let response: reqwest::Response = transport.call(request).await?;
//! println!("{}", response.text().await?);
//! # Ok(())
//! # }
//! ```
//!
//! # What passes, and what does not
//!
//! * **Paths.** Chat completions, responses, messages, embeddings and the list of models; what follows the last `/v1/` of the URL decides, or the
//!   whole path if it has none. Any other call gets 404 in the client's own error type, and nothing is sent. Scheme and host are ignored: the
//!   stack has upstreams of its own.
//! * **Keys.** The client's key is dropped, and may be any text. The stack authenticates.
//! * **Streams** pass through event by event. Dropping the client's stream drops the call, and the connection upstream closes.
//! * **Time.** A timeout that the client sets on a request becomes the deadline of the call. A timeout of its `reqwest::Client` has no effect.
//! * **Retries.** The stack has retried already. Each type says why its client does not retry on top.
//! * **Errors** come with a status and our words; `retry-after` stands in the headers if the client shows headers.
//!
//! What stands in front of the stack, tags per tenant say, is a layer around its endpoints: see [`ReqwestTransport::over`].
//!
//! [async-openai]: https://docs.rs/async-openai
//! [rig]: https://docs.rs/rig-core
//! [reqwest-middleware]: https://docs.rs/reqwest-middleware
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "reqwest-middleware")]
mod middleware;
#[cfg(feature = "async-openai")]
mod openai;
#[cfg(feature = "async-openai")]
mod openai_error;
mod path;
#[cfg(feature = "rig")]
mod rig;
#[cfg(feature = "rig")]
mod rig_events;
mod transport;

#[cfg(feature = "reqwest-middleware")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest-middleware")))]
pub use middleware::MiddlewareTransport;
#[cfg(feature = "async-openai")]
#[cfg_attr(docsrs, doc(cfg(feature = "async-openai")))]
pub use openai::{AsyncOpenAiFuture, AsyncOpenAiTransport};
#[cfg(feature = "async-openai")]
#[cfg_attr(docsrs, doc(cfg(feature = "async-openai")))]
pub use openai_error::stream_error;
#[cfg(feature = "rig")]
#[cfg_attr(docsrs, doc(cfg(feature = "rig")))]
pub use rig::RigTransport;
pub use transport::{ReqwestFuture, ReqwestTransport};

/// The examples of the pages that a forge shows, compiled as documentation tests.
#[cfg(all(doctest, feature = "async-openai", feature = "rig", feature = "reqwest-middleware"))]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/keep-your-client.md")]
    struct KeepYourClient;
}
