//! What calls cost: reserved before, settled after, once per attempt.
//!
//! Stands right outside the layer that puts in the key, inside everything that starts attempts: each attempt has its own cost, and
//! one that is discarded is still on the bill. Before an attempt the most it can cost is reserved on every [budget](crate::budget)
//! it is recorded on. If that does not fit, the attempt is refused with the tokens that would fit, so that another candidate can give the whole
//! answer. If no other candidate is left ([`Call::may_shorten`](crate::Call::may_shorten)), it waits for reservations to end, up to
//! [`CostLayer::max_reservation_wait`], and then `max_tokens` is lowered to what fits, to [`DEFAULT_MIN_OUTPUT_TOKENS`](crate::DEFAULT_MIN_OUTPUT_TOKENS) at
//! least: the attempt's line says so, and the response is marked as [`Degraded`](crate::Degraded). Afterwards the reservation ends and one
//! [`Entry`](crate::ledger::Entry) goes to the [ledger](crate::ledger), whatever became of the attempt.
//!
//! Tools that the upstream runs by itself are a part of the most that an attempt can cost: a loop of known prices is reserved, and limited by
//! [`Budgeted::set_max_tool_cost`](crate::Budgeted::set_max_tool_cost) to what is; a request with a tool whose cost has no bound is refused
//! ([`LlmRequest::unbounded_tool`](crate::LlmRequest::unbounded_tool)).
//!
//! What the upstream says it charged is the truth; the [price list](crate::PriceList) gives the estimate. Both stand in the entry, and a
//! warning is logged if they differ by over 1 %. A charge of zero is none if the list has a price for what was taken, unless the response is
//! marked as [unbilled](crate::Unbilled) or the model is free by its name. Without a charge, the usage that the upstream reports is priced, if it is plausible: it
//! comes at or after the finish, names a prompt, and counts no fewer answer tokens than were shown. Otherwise the entry is an
//! estimate by the larger of what was reported and what was shown, and so is that of an interrupted or dropped attempt, unless its charge, or its finish and plausible usage, had come before. The counts of prompt and answer are
//! checked each by itself: a doubt about the answer leaves the prompt and its cached tokens as reported. What tools of the upstream brought is
//! shown, and is none of the model's tokens; the media of a prompt that was not counted are estimated. A plain response that
//! never came may have been generated whole, and is recorded at its whole reservation. Without a reservation it is priced as the longest answer that the
//! request allows; without a price it has no estimate.
//!
//! An attempt that failed before its answer began costs nothing if [no bill may follow](crate::Failure::may_be_billed). Counts that its
//! upstream reported all the same are priced, unless a charge came with them or the upstream
//! [promises to charge nothing](crate::Failure::is_uncharged).
//!
//! Calls are accounted under their [tags](crate::Tags): [`Call::set_tags`](crate::Call::set_tags).
//!
//! # Errors
//!
//! [`LayerError::BudgetExceeded`](crate::LayerError::BudgetExceeded) says which budget, what is spent, reserved and free, and when to retry: in a
//! second if the money is only reserved;
//! [`LayerError::UnknownPrice`](crate::LayerError::UnknownPrice) if a budget applies and the price is not known. Budgets that
//! [only warn](crate::budget::Budget::soft) refuse nothing, and change no request.
//!
//! # Cancellation
//!
//! A future that is dropped before it was polled, or while it waits for a reservation, costs nothing, writes no entry and releases what it reserved; so does
//! one that waits for a key, or for a connection if the service below [says so](crate::AttemptHandle::connecting), if an attempt layer stands
//! above. A timeout or a deadline is such a drop. After that the request counts as sent: dropping the future or the body settles it and
//! writes one entry, in the drop.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{
//!     Tags, WorstCasePrice,
//!     budget::{Budget, Budgets, Window},
//!     cost::{CostLayer, UnknownPrice},
//! };
//!
//! // A dollar a day for each tenant; every request is taken to cost 60 cents at most.
//! let budgets = Budgets::new([Budget::usd("tenant-day", "1.00")?.per(Window::Day).each("tenant")])?;
//! let sixty_cents = WorstCasePrice::new().fixed("0.60".parse()?);
//! let service = CostLayer::new()
//!     .budgets(budgets)
//!     .unknown_price(UnknownPrice::Assume(sixty_cents))
//!     .layer(ExampleService::default());
//!
//! let mut ask = ExampleRequest::of("gpt-5");
//! ask.body_mut().call.set_tags(Tags::new([("tenant", "acme")])?);
//! let first = service.clone().oneshot(ask.clone()).await;
//! assert!(first.is_ok());
//! // While the first answer runs, its 60 cents are reserved.
//! let refused = service.oneshot(ask).await.err().ok_or("it is over")?;
//! assert!(refused.message.starts_with(
//!     "the budget `tenant-day` of tenant=acme cannot carry this: it needs at least $0.60, and of $1.00 $0.00 is spent, $0.60 is reserved"
//! ));
//! # Ok(())
//! # }
//! ```

mod future;
mod layer;
mod meter;
mod patience;
mod plan;
mod service;
mod settings;
mod settlement;
mod tools;
mod usage_tracker;

pub use layer::{CostIfBudgetedLayer, CostLayer};
pub use service::{Cost, CostIfBudgeted};
pub use settings::{DEFAULT_OUTPUT_TOKENS, UNBOUNDED_ANSWER, UnknownPrice};

/// The future of [`Cost`].
pub type CostFuture<S, R> = crate::watch::AdmitFuture<S, R, future::Reserving<R>>;

/// The body of [`Cost`]: reads the usage as it passes, and settles the attempt at its end, however it ends.
pub type CostBody<B> = crate::watch::WatchBody<B, meter::Meter>;
