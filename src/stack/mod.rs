//! The layers, in their order.
//!
//! [`Stack`] is one service that has them all; [`StackBuilder`] has a slot for each, so that the order cannot be got wrong. To
//! put layers together by hand, among tower-http's and over a service of your own, see
//! [`tower_llm_layers`](crate::layers).

mod answer;
mod assemble;
mod attempts;
mod builder;
mod caching;
mod candidates;
mod chat_service;
mod classify;
mod conformance;
mod degradation;
mod describe;
mod erased;
mod error;
mod exchange;
mod finish;
#[cfg(feature = "cache")]
mod idempotency;
mod known;
mod limits;
mod money;
mod provider_health;
mod readiness;
mod reading;
mod recorded;
#[cfg(feature = "settings")]
pub(crate) mod reloadable;
mod service;
mod settings;
mod slots;
mod tags;
mod tenant;
mod tight;
mod timeouts;
mod upstream_capabilities;
mod wired;

pub use answer::{Answer, Completion};
pub use builder::StackBuilder;
#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
pub use caching::ChatCache;
pub use chat_service::{BoxChatBody, BoxStack, ChatService};
pub use erased::ErasedService;
pub use error::{BuildError, BuildProblem};
pub use exchange::{StackBody, StackFuture};
#[cfg(feature = "settings")]
pub(crate) use finish::{known_as, named};
#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
pub use idempotency::ChatIdempotency;
pub(crate) use known::{KnownModels, ModelsOf};
pub use money::MaxPerHour;
#[cfg(feature = "settings")]
pub(crate) use money::RESERVATION_WAIT;
pub(crate) use readiness::respond;
pub use service::Stack;
pub use settings::IntoCandidate;
pub use tags::CallTags;
pub use tenant::TenantKey;
#[cfg(feature = "settings")]
pub(crate) use wired::Wired;
