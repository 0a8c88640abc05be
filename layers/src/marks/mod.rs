//! What a layer says of a response, in the response's extensions.

mod coalesced;
mod degraded;
mod no_store;
mod output_limit;
mod replayed;
mod resumed;
mod unbilled;

pub use coalesced::Coalesced;
pub use degraded::{Degraded, DegradedSource};
pub use no_store::NoStore;
pub use output_limit::OutputLimit;
pub use replayed::Replayed;
pub use resumed::{Resumed, Resumption};
pub use unbilled::Unbilled;
