//! How far the limits of a key are used.

use std::{
    num::NonZeroU32,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::time::Instant;

use super::{Limits, Rate, bucket::Bucket};

/// Takes up what the limiter knows of a call's key: put one into the extensions of a request, keep a clone, and read it when the response or
/// the error is there. Only a layer that [reports](super::RateLimitLayer::report_limits) fills it; it stays empty if the call did not reach that
/// layer, e.g. since a cached response served it, or if it has no key.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
/// # use example::*;
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt};
/// use tower_llm_layers::{GlobalKey, rate_limit::{LimitReport, Limits, Rate, RateLimitLayer}};
///
/// let limits = Limits::new().requests(Rate::new(60, Duration::from_secs(60))?.burst(10)?);
/// let service = RateLimitLayer::new(limits, GlobalKey)?.report_limits(true).layer(ExampleService::default());
///
/// let report = LimitReport::default();
/// let mut request = ExampleRequest::of("gpt-5");
/// request.extensions_mut().insert(report.clone());
/// assert!(service.oneshot(request).await.is_ok());
///
/// let requests = report.standing().and_then(|standing| standing.requests).ok_or("no limit")?;
/// assert_eq!(requests.remaining(), 9);
/// assert_eq!(requests.full_in(), Duration::from_secs(1));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct LimitReport(Arc<OnceLock<Source>>);

#[derive(Debug)]
enum Source {
    /// It is counted in this process: read when it is needed.
    Here(Limits, Arc<Bucket>),
    /// A store that is shared has counted so much at that time.
    Shared(Limits, LimitUse, Instant),
}

/// What a store says was used of a key's limits, the call at hand included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitUse {
    /// When all requests that were taken are refilled.
    pub requests_full_in: Duration,
    /// The same of tokens.
    pub tokens_full_in: Duration,
    /// Calls in flight.
    pub in_flight: u32,
}

impl LimitUse {
    /// The time until both rates are full again, and the calls in flight.
    #[must_use]
    pub const fn new(requests_full_in: Duration, tokens_full_in: Duration, in_flight: u32) -> Self {
        Self {
            requests_full_in,
            tokens_full_in,
            in_flight,
        }
    }
}

/// How far each limit of a key is used now. A limit that is not set is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStanding {
    /// Requests.
    pub requests: Option<RateStanding>,
    /// Tokens of prompts and answers.
    pub tokens: Option<RateStanding>,
    /// Calls at once.
    pub concurrency: Option<ConcurrencyStanding>,
}

/// How far a rate is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateStanding {
    rate: Rate,
    full_in: Duration,
}

/// How far a limit of concurrent calls is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConcurrencyStanding {
    /// The most at once.
    pub limit: NonZeroU32,
    /// How many more may begin now.
    pub remaining: u32,
}

impl RateStanding {
    pub(super) const fn new(rate: Rate, full_in: Duration) -> Self {
        Self { rate, full_in }
    }

    /// The rate.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// How much may be taken at once now: at most the [burst](Rate::most_at_once).
    #[must_use]
    pub fn remaining(&self) -> u64 {
        u64::from(self.rate.most_at_once()).saturating_sub(self.used())
    }

    /// When one more may be taken than now.
    #[must_use]
    pub fn more_in(&self) -> Duration {
        let per = self.rate.per().as_nanos();
        let amount = u128::from(self.rate.amount());
        let used = self.used().min(self.rate.most_at_once().into());
        let Some(later) = used.checked_sub(1) else {
            return nanos(per / amount);
        };
        let still_used = per.saturating_mul(later.into()) / amount;
        nanos(self.full_in.as_nanos().saturating_sub(still_used))
    }

    /// When the whole burst may be taken.
    #[must_use]
    pub const fn full_in(&self) -> Duration {
        self.full_in
    }

    /// Units that are not refilled yet; more than the burst if it is in debt.
    pub(super) fn used(&self) -> u64 {
        let used = (self.full_in.as_nanos())
            .saturating_mul(self.rate.amount().into())
            .div_ceil(self.rate.per().as_nanos().max(1));
        u64::try_from(used).unwrap_or(u64::MAX)
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl LimitReport {
    /// How far the limits are used now; `None` if no layer has reported them.
    #[must_use]
    pub fn standing(&self) -> Option<LimitStanding> {
        Some(match self.0.get()? {
            Source::Here(limits, bucket) => standing(limits, &bucket.used()),
            Source::Shared(limits, used, at) => {
                let since = at.elapsed();
                let used = LimitUse {
                    requests_full_in: used.requests_full_in.saturating_sub(since),
                    tokens_full_in: used.tokens_full_in.saturating_sub(since),
                    in_flight: used.in_flight,
                };
                standing(limits, &used)
            }
        })
    }

    /// The first one counts: a call passes one limiter that reports.
    pub(super) fn here(&self, limits: Limits, bucket: &Arc<Bucket>) {
        self.0.get_or_init(|| Source::Here(limits, Arc::clone(bucket)));
    }

    pub(super) fn shared(&self, limits: Limits, used: LimitUse) {
        self.0.get_or_init(|| Source::Shared(limits, used, Instant::now()));
    }
}

fn standing(limits: &Limits, used: &LimitUse) -> LimitStanding {
    LimitStanding {
        requests: limits
            .requests
            .map(|rate| RateStanding::new(rate, used.requests_full_in)),
        tokens: limits.tokens.map(|rate| RateStanding::new(rate, used.tokens_full_in)),
        concurrency: limits.concurrency.map(|limit| ConcurrencyStanding {
            limit,
            remaining: limit.get().saturating_sub(used.in_flight),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(full_in: u64) -> (u64, Duration) {
        let rate = Rate::new(30, Duration::from_secs(60)).and_then(|rate| rate.burst(3));
        let standing = RateStanding::new(rate.unwrap(), Duration::from_millis(full_in));
        (standing.remaining(), standing.more_in())
    }

    #[test]
    fn one_more_is_there_when_it_says_so() {
        // A unit takes two seconds.
        let after = |millis: u64| Duration::from_millis(millis);
        assert_eq!(
            at(0),
            (3, after(2000)),
            "full: once one is taken, it is there after its own time"
        );
        assert_eq!(at(1), (2, after(1)));
        assert_eq!(at(2000), (2, after(2000)));
        assert_eq!(at(4500), (0, after(500)));
        assert_eq!(at(6000), (0, after(2000)));
        assert_eq!(at(60_000), (0, after(56_000)), "in debt");
    }
}
