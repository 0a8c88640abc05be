//! Observation of exchanges with upstreams: what is sent where, and what comes back when.

use std::{fmt, sync::Arc};

use http::Extensions;

use crate::{Api, exchange_watch::ExchangeWatch};

/// Observes the exchanges of a [`Transport`](crate::Transport): for recordings and measurements.
///
/// It is called on the path of each call, so it must not block. Set it with
/// [`TransportBuilder::observer`](super::TransportBuilder::observer).
pub trait ExchangeObserver: Send + Sync {
    /// A request is about to be sent. What is returned watches this exchange; `None` watches nothing.
    fn begin(&self, exchange: &Exchange<'_>) -> Option<Box<dyn ExchangeWatch>>;
}

/// A request that is about to be sent.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Exchange<'a> {
    /// The name of the upstream.
    pub upstream: &'a str,
    /// The requested model, if the request names one.
    pub model: Option<&'a str>,
    /// The API that is called; `None` for a request of another kind.
    pub api: Option<Api>,
    /// Whether the answer is requested as a stream.
    pub is_streaming: bool,
    /// Which attempt of its call this is, from 1; `None` without an attempt layer.
    pub attempt: Option<u32>,
    /// The extensions of the request.
    pub extensions: &'a Extensions,
}

/// The observer of a transport, if it has one. Two are equal if they are the same.
#[derive(Clone, Default)]
pub(super) struct Observed(pub(super) Option<Arc<dyn ExchangeObserver>>);

impl Observed {
    /// What watches this exchange.
    pub(super) fn begin<'a>(&self, exchange: impl FnOnce() -> Exchange<'a>) -> Option<Box<dyn ExchangeWatch>> {
        self.0.as_ref()?.begin(&exchange())
    }
}

impl PartialEq for Observed {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Observed {}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "observed" } else { "not observed" })
    }
}
