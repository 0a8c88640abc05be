//! Small things that several layers need and that know nothing of calls.

mod clock;
mod lock;
mod macros;
mod name;
#[cfg(any(feature = "auth", feature = "cache", feature = "pause"))]
mod rest;
mod rfc3339;
mod seconds;
mod share;
mod unknown_name;
mod utc;
mod wall;
mod window;

pub(crate) use clock::Alarm;
pub use clock::MAX_DURATION;
pub(crate) use clock::{after, now, since, still};
pub(crate) use lock::Lock;
pub(crate) use macros::{inner_accessors, ready_as_inner};
pub(crate) use name::bounded_name;
#[cfg(any(feature = "auth", feature = "cache", feature = "pause"))]
pub(crate) use rest::{Rest, Standing};
pub use rfc3339::ParseUtcTimeError;
#[cfg(feature = "cost")]
pub(crate) use rfc3339::{days_of_month, days_since_1970};
pub(crate) use seconds::Seconds;
pub(crate) use share::Share;
pub use unknown_name::UnknownName;
#[cfg(feature = "cost")]
pub(crate) use utc::DAY as DAY_MILLIS;
pub use utc::UtcTime;
pub(crate) use window::{Mark, Window};
