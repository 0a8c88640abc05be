//! The health of the providers behind a router, and which of them its requests leave out.
//!
//! A router (OpenRouter) serves a model by several providers and names the one that it chose ([`Frame::provider`](crate::Frame::provider),
//! [`Failure::provider`](crate::Failure::provider)). This layer keeps, for each candidate and provider, the outcomes and the times to the first token
//! of the last attempts. By its [policy](ProviderPolicy) it writes `provider.ignore` and `provider.order` into requests
//! ([`ProviderRouting`](crate::ProviderRouting)). A caller's own preferences are never changed, and attempts with them are not counted.
//!
//! # Verdicts
//!
//! | state | requests | ends |
//! | --- | --- | --- |
//! | healthy | as they are; with [`prefer_fast`](ProviderPolicy::prefer_fast) the fastest provider first | when the share of failures reaches the policy's ratio, and another provider has answered |
//! | ignored | leave it out | after [`ignore_for`](ProviderPolicy::ignore_for), twice as long after each probe that fails |
//! | probed | one asks it first, the others leave it out | with that attempt: back, or ignored again |
//!
//! What counts as a failure of a provider is a failure that counts against health, or a rate limit, and names the provider. A provider that is
//! dropped, or fails by what the caller caused, is neither better nor worse. A probe that another provider answers has failed. If the router
//! finds no provider left, all verdicts on that candidate end at once, and the attempt may be repeated. [`ProviderHealth::report`] says when
//! each ignored provider is looked at again.
//!
//! A provider is left out by its slug, which is made of its name ([`ProviderPolicy::slug`] for those whose slug is another). One that answers
//! although it is left out has another slug: it is logged, and not left out any more.
//!
//! # Place
//!
//! Directly inside [`AttemptLayer`](crate::attempt::AttemptLayer), outside the attempt's timeouts.
//!
//! # Errors
//!
//! None of its own.
//!
//! # Cancellation
//!
//! An attempt that is dropped is not counted; a probe that is dropped gives its place back, and the next attempt is the probe.

mod health;
mod layer;
mod policy;
mod service;
mod state;
#[cfg(test)]
mod tests;
mod watch;

pub use health::{ProviderHealth, ProviderReport, ProviderState};
pub use layer::ProviderHealthLayer;
pub use policy::{ProviderPolicy, ProviderPolicyError};
pub use service::ProviderRouted;

/// The future of [`ProviderRouted`].
pub type ProviderHealthFuture<F, E> = crate::watch::WatchFuture<F, E, watch::ProviderStart>;

/// The body of [`ProviderRouted`]: an interrupted answer counts against its provider.
pub type ProviderHealthBody<B> = crate::watch::WatchBody<B, watch::ProviderWatch>;
