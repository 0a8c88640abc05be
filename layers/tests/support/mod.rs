//! A scripted service, and a probe that sees all it is put through.

mod body;
mod error;
mod future;
mod leaf;
pub(crate) mod log;
mod money;
mod probe;
mod random;
mod request;
mod run;
mod script;
mod turn;
pub(crate) mod words;

pub(crate) use body::{ScriptBody, TestFrame};
pub(crate) use error::{TestError, fails};
pub(crate) use future::LeafFuture;
pub(crate) use leaf::Leaf;
pub(crate) use money::{DAY, Kept, Prices, SlowStore, charged, usd};
pub(crate) use probe::Probe;
pub(crate) use random::{cases, in_virtual_time, step};
pub(crate) use request::{TestRequest, plain, streamed};
pub(crate) use run::{ask, candidate, chain, join_all, poll_once, read, text, within};
pub(crate) use script::{Beat, Step, millis, secs};
pub(crate) use turn::turn_of;
