//! Spans and metrics of operations (what a caller requested) and of attempts (what was tried upstream), kept apart.
//!
//! [`ObserveLayer`] stands outermost, or directly inside [`TaggingLayer`](crate::tagging) if its tags are to be recorded. It makes one span per
//! operation (`llm operation`, which OpenTelemetry shows as `chat gpt-5`). All events below belong to it. At its end it records what the
//! caller saw: time to the first token, tokens, cost, attempts, the source of a degraded answer, the failure.
//! [`AttemptLayer`](crate::attempt::AttemptLayer) makes one span per attempt (`llm attempt`) with its model, upstream and number, so that
//! every event below names them.
//!
//! With the feature `metrics` the same goes to the [`metrics`](https://docs.rs/metrics) facade, and so to any exporter: operations under
//! OpenTelemetry's names, once each, however many attempts they took; attempts under their own names; queues, limits, circuits and
//! reservations where they happen. How budgets and a ledger stand is recorded when it is read:
//! `record_budgets` or `BudgetGauges`, `record_ledger`. [`names`] has every name, [`METRICS`] every metric with its unit and the buckets that fit; `describe`
//! registers them with the recorder, and `keep_handles` looks each of its series up once a thread.
//!
//! **What is never recorded:** prompts, answers, keys, and tags that were not [named](ObserveLayer::tags). There is no switch for content.
//! Model names come from requests, so the labels distinguish two hundred of them, and the rest is `other`. A name takes a place once an attempt at it
//! has answered, or has failed for another reason than the name or the caller. If no candidate of a call has the requested name, as with
//! [`RequestedModel::Ignored`](crate::fallback::RequestedModel::Ignored), the name takes a place once a model of the chain has answered. Spans have the names as they came.
//!
//! An answer counts as answered when its end was seen, even if the caller leaves before the last frame.
//!
//! **What it costs:** the spans have the level `DEBUG` and targets of their own, because a plain log formats every field of a span. Enable
//! them with `llm::operation=debug` and `llm::attempt=debug`, e.g. in the filter of an OpenTelemetry layer. If no subscriber wants the span or the
//! line, nothing is allocated, and no clock is read; for the line alone no frame is read. With the feature `metrics` each call is
//! measured, whether or not a recorder is installed.
//!
//! In a plain log at `info` an operation is one line, the event `operation ended`, of the target `llm::operation`. Decisions on the way are
//! logged by `llm::…` (degraded, resumed, attempts) and by the layers' own modules: `tower_llm_layers=info` has retries, fallbacks, circuits.
//!
//! # Errors
//!
//! None of its own.
//!
//! # Cancellation
//!
//! Dropping the future or the body drops what is below, within the span, and then records the operation or attempt as `cancelled`, once.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_llm_layers::{
//!     AttemptLog,
//!     attempt::AttemptLayer,
//!     observe::ObserveLayer,
//! };
//!
//! let service = ServiceBuilder::new()
//!     .layer(ObserveLayer::new().tags(["team"]))
//!     .layer(AttemptLayer::new())
//!     .service(ExampleService::default());
//! let response = service.oneshot(ExampleRequest::of("gpt-5")).await.map_err(|error| error.message)?;
//! assert!(response.extensions().get::<AttemptLog>().is_some());
//! # Ok(())
//! # }
//! ```

mod attempt;
mod call_observation;
mod end;
mod layer;
mod metrics;
#[cfg(feature = "metrics")]
mod numbers;
mod one_attempt;
mod operation;
mod record;
mod service;
mod settings;
mod start;
mod tally;
mod title;

#[cfg(feature = "metrics")]
pub use self::metrics::describe;
pub use self::metrics::{METRICS, Metric, MetricKind};
pub(crate) use attempt::begin_attempt;
pub use layer::ObserveLayer;
pub(crate) use record::Record;
pub use service::Observe;

pub use crate::metering::names;
#[cfg(all(feature = "cost", feature = "metrics"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "cost", feature = "metrics"))))]
pub use crate::metering::{BudgetGauges, record_budgets};
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub use crate::metering::{keep_handles, record_ledger};

/// The future of [`Observe`].
pub type ObserveFuture<F, E> = crate::watch::WatchFuture<F, E, start::OperationStart>;

/// The body of [`Observe`]: reads the frames as they pass, and records the end once.
pub type ObserveBody<B> = crate::watch::WatchBody<B, Record>;
