//! What the layers themselves can fail with.

use std::{fmt, time::Duration};

use crate::{FailureKind, Phase, util::Seconds};

/// How long after a store has failed to answer it is asked again at the latest.
const STORE_PROBE: Duration = Duration::from_secs(1);

/// A failure that a layer adds; your error type takes it in by `From`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerError {
    /// A clock ran out.
    Elapsed {
        /// Which one.
        phase: Phase,
        /// How long it was.
        limit: Duration,
    },
    /// The answer ended before it began.
    EmptyResponse,
    /// The upstream sent many frames and nothing to show.
    NeverBegan {
        /// How many frames were held back.
        frames: usize,
    },
    /// No candidate of the chain can take this request.
    NoCandidate {
        /// Each candidate with the reason why not.
        reasons: Vec<String>,
    },
    /// The cap on attempts of this call is spent.
    AttemptsSpent {
        /// The cap.
        cap: u32,
    },
    /// There is no key for this upstream, or none that may be used now.
    NoKey {
        /// The upstream.
        upstream: String,
        /// What to do.
        reason: String,
        /// When a resting key may be used again.
        retry_after: Option<Duration>,
    },
    /// The candidate is not called: it has asked for a pause, or its quota is exhausted.
    Paused {
        /// Its model.
        model: String,
        /// Its upstream.
        upstream: String,
        /// What the upstream said: [`RateLimited`](FailureKind::RateLimited) or [`QuotaExhausted`](FailureKind::QuotaExhausted).
        kind: FailureKind,
        /// When it is called again, as a probe or since the pause is over.
        retry_after: Duration,
        /// When the pause is over by itself.
        ends_in: Duration,
    },
    /// The call is over a limit of ours.
    RateLimited {
        /// How much of what in how long; `None` for calls at once.
        limit: Option<(u32, &'static str, Duration)>,
        /// The exact time until it could pass, where that is known.
        retry_after: Option<Duration>,
    },
    /// The candidate is down, and its circuit breaker lets nothing through for now.
    CircuitOpen {
        /// Its model.
        model: String,
        /// Its upstream.
        upstream: String,
        /// When it is probed next, or when the lease of the probe under way ends; zero if it accepts part of the attempts again.
        retry_after: Option<Duration>,
    },
    /// As many attempts are under way at the candidate as it bears, and this one cannot wait.
    ConcurrencyLimited {
        /// Its model.
        model: String,
        /// Its upstream.
        upstream: String,
        /// How many attempts it bears at once, as far as is known.
        limit: u32,
        /// How many calls wait already.
        waiting: usize,
        /// How long it would have had to wait; `None` while that is not known.
        retry_after: Option<Duration>,
    },
    /// The candidate was sent an attempt of this call before, and the process may make no more retries for now.
    RetriesSpent {
        /// Its model, where that is known.
        model: Option<String>,
    },
    /// The store that counts our limits does not answer, and nothing passes uncounted.
    LimitsDown {
        /// What is the matter with it, without secrets.
        cause: String,
    },
    /// A budget does not carry the attempt.
    #[cfg(feature = "cost")]
    BudgetExceeded(Box<crate::budget::Refusal>),
    /// A tag is required, and the call has none of that name.
    MissingTag {
        /// Its name.
        name: String,
    },
    /// A budget carries a shorter answer only, and the request cannot say so.
    #[cfg(feature = "cost")]
    CannotShorten {
        /// What the budget carries, in tokens of answer.
        tokens: u64,
    },
    /// A budget applies, and what the upstream runs for the request has no bound that could be reserved.
    #[cfg(feature = "cost")]
    UnboundedTool {
        /// The name of the tool or plugin.
        tool: String,
    },
    /// A budget carries the request only if its loop of tools is limited, and the request cannot say so.
    #[cfg(feature = "cost")]
    CannotLimitTools,
    /// A service between the cost layer and the auth layer sent one request twice.
    #[cfg(feature = "auth")]
    SentTwice,
    /// A budget applies, and the price of the candidate is not known.
    #[cfg(feature = "cost")]
    UnknownPrice {
        /// Its model.
        model: String,
        /// Whether it routes to others, so that nobody can know.
        varies: bool,
    },
    /// The call shared another one's answer, and that one failed.
    CoalescedFailure {
        /// What went wrong.
        kind: FailureKind,
        /// The HTTP status, where there was one.
        status: Option<u16>,
        /// How long the upstream asked to wait.
        retry_after: Option<Duration>,
        /// What it said, in a few words.
        summary: String,
    },
    /// The caller wanted a kept answer and no other, and there is none.
    CacheMiss,
    /// The reader of a shared answer was so slow that what it has not read is gone.
    Lagged {
        /// How many bytes are held for readers that are behind.
        limit: usize,
    },
    /// The caller's deadline header cannot be read.
    BadDeadline {
        /// The header's name.
        header: String,
    },
    /// A layer of another crate failed with an error of its own type.
    Foreign {
        /// What went wrong.
        kind: FailureKind,
        /// The error, in its own words.
        message: String,
    },
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elapsed { phase, limit } => {
                let limit = Seconds(*limit);
                match phase {
                    Phase::FirstToken => write!(f, "no first token in {limit}"),
                    Phase::Response => write!(f, "no whole answer in {limit}"),
                    Phase::Idle => write!(f, "the stream fell silent for {limit}"),
                    Phase::Throughput => write!(f, "the stream came slower than its floor for {limit}"),
                    Phase::Deadline => write!(f, "no answer within {limit}"),
                }
            }
            Self::EmptyResponse => f.write_str("the answer was empty"),
            Self::NeverBegan { frames } => {
                write!(f, "{frames} frames came, and none had anything to show")
            }
            Self::NoCandidate { reasons } if reasons.is_empty() => {
                f.write_str("no candidate: name a model in the request, or give the stack a chain")
            }
            Self::NoCandidate { reasons } => {
                write!(f, "no candidate can take this request: {}", reasons.join("; "))
            }
            Self::AttemptsSpent { cap } => write!(f, "all {cap} attempts of this call are spent"),
            Self::NoKey { upstream, reason, .. } => write!(f, "no key for {upstream}: {reason}"),
            Self::RateLimited { limit, retry_after } => {
                match limit {
                    Some((amount, unit, per)) => write!(f, "over {amount} {unit} in {}", Seconds(*per))?,
                    None => f.write_str("too many calls at once")?,
                }
                match retry_after {
                    Some(wait) => write!(f, ": come back in {}", Seconds(*wait)),
                    None => f.write_str(": come back when one has ended"),
                }
            }
            Self::Paused {
                model,
                upstream,
                kind,
                retry_after,
                ends_in,
            } => {
                match kind {
                    FailureKind::QuotaExhausted => write!(f, "the quota of {model} at {upstream} is exhausted")?,
                    _ => write!(f, "{model} at {upstream} is paused by a rate limit of the upstream")?,
                }
                write!(f, ": next attempt in {}", Seconds(*retry_after))?;
                if ends_in > retry_after {
                    write!(f, ", over in {}", Seconds(*ends_in))?;
                }
                Ok(())
            }
            Self::ConcurrencyLimited {
                model,
                upstream,
                limit,
                waiting,
                retry_after,
            } => {
                write!(
                    f,
                    "{model} at {upstream} bears {limit} attempts at once, and {waiting} wait"
                )?;
                match retry_after {
                    Some(wait) => write!(f, ": its turn would come in about {}", Seconds(*wait)),
                    None => f.write_str(": how long the wait would be is not known yet"),
                }
            }
            Self::CircuitOpen {
                model,
                upstream,
                retry_after,
            } => {
                let name = format_args!("{model} at {upstream}");
                match retry_after {
                    Some(Duration::ZERO) => {
                        write!(f, "{name} was down, and takes a part of the attempts only: try again")
                    }
                    Some(wait) => write!(
                        f,
                        "{name} is down, its circuit is open: next probe in {}",
                        Seconds(*wait)
                    ),
                    None => write!(f, "{name} is down, its circuit is open"),
                }
            }
            Self::RetriesSpent { model } => write!(
                f,
                "{} was asked before in this call, and the retry budget of the process is spent: ask again later, or raise the budget",
                model.as_deref().unwrap_or("the model")
            ),
            Self::LimitsDown { cause } => write!(
                f,
                "the store of the limits does not answer ({cause}), so nothing is let through; it is probed again within {}: mend it, or let \
                 calls pass uncounted",
                Seconds(STORE_PROBE)
            ),
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(refusal) => refusal.fmt(f),
            #[cfg(feature = "cost")]
            Self::CannotShorten { tokens } => write!(
                f,
                "a budget carries an answer of {tokens} tokens only, and the request did not take that as its `max_tokens`: \
                 see `Budgeted::set_max_tokens`"
            ),
            #[cfg(feature = "cost")]
            Self::UnboundedTool { tool } => write!(
                f,
                "a budget applies, and what `{tool}` costs has no bound that could be reserved: leave it out of the request, or let the \
                 cost layer allow it with `allow_unreserved_tools()`"
            ),
            #[cfg(feature = "cost")]
            Self::CannotLimitTools => f.write_str(
                "a budget carries the tools of this request only up to a cost, and the request did not take that limit: see \
                 `Budgeted::set_max_tool_cost`",
            ),
            Self::MissingTag { name } => write!(
                f,
                "the call has no tag `{name}`, and one is required: set it by `Call::set_tags`, or by the tags of the stack"
            ),
            #[cfg(feature = "auth")]
            Self::SentTwice => f.write_str(
                "a service between the cost layer and the auth layer sent one request twice, which no ledger entry would account for: \
                 put it above the cost layer",
            ),
            #[cfg(feature = "cost")]
            Self::UnknownPrice { model, varies: false } => write!(
                f,
                "the price of {model} is unknown, so no budget can hold it: add it to the catalogue, or set `unknown_price`"
            ),
            #[cfg(feature = "cost")]
            Self::UnknownPrice { model, varies: true } => write!(
                f,
                "{model} routes to others, and its price varies, so no budget can hold it: name a model, or set `unknown_price`"
            ),
            Self::CoalescedFailure { summary, .. } => write!(f, "the same call, asked by another, failed: {summary}"),
            Self::CacheMiss => f.write_str("no answer to this is kept: ask without `OnlyIfCached`"),
            Self::Lagged { limit } => write!(
                f,
                "read too slowly: the answer is shared, and what lies more than {limit} bytes back is gone; ask again"
            ),
            Self::BadDeadline { header } => {
                write!(
                    f,
                    "the header `{header}` is no time left: give milliseconds, e.g. `30000`, or `30s`"
                )
            }
            Self::Foreign { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for LayerError {}

/// What your error type takes over: see [`Failure`](super::Failure).
impl LayerError {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Elapsed { phase, .. } => FailureKind::Timeout(*phase),
            Self::EmptyResponse => FailureKind::EmptyResponse,
            Self::NeverBegan { .. } => FailureKind::Malformed,
            Self::NoCandidate { reasons } if reasons.is_empty() => FailureKind::BadRequest,
            Self::NoCandidate { .. } => FailureKind::NoEndpoint,
            Self::NoKey {
                retry_after: Some(_), ..
            } => FailureKind::RateLimited,
            Self::NoKey { .. } => FailureKind::Auth,
            Self::RateLimited { .. } => FailureKind::RateLimited,
            Self::LimitsDown { .. } => FailureKind::StoreUnavailable,
            Self::CircuitOpen { .. } => FailureKind::CircuitOpen,
            Self::Paused { kind, .. } => *kind,
            Self::ConcurrencyLimited { .. } | Self::RetriesSpent { .. } | Self::AttemptsSpent { .. } => {
                FailureKind::ConcurrencyLimited
            }
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(refusal) if refusal.is_store_down() => FailureKind::StoreUnavailable,
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(_) | Self::CannotShorten { .. } | Self::CannotLimitTools => {
                FailureKind::BudgetExceeded
            }
            #[cfg(feature = "auth")]
            Self::SentTwice => FailureKind::Internal,
            // The next candidate may have a price.
            #[cfg(feature = "cost")]
            Self::UnknownPrice { .. } => FailureKind::NoEndpoint,
            Self::CoalescedFailure { kind, .. } | Self::Foreign { kind, .. } => *kind,
            Self::CacheMiss => FailureKind::NoEndpoint,
            // The reader caused it, not the upstream.
            Self::Lagged { .. } => FailureKind::Cancelled,
            #[cfg(feature = "cost")]
            Self::UnboundedTool { .. } => FailureKind::BadRequest,
            Self::BadDeadline { .. } | Self::MissingTag { .. } => FailureKind::BadRequest,
        }
    }

    /// The HTTP status, where there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::CoalescedFailure { status, .. } => *status,
            _ => None,
        }
    }

    /// When to try again, as far as that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NoKey { retry_after, .. }
            | Self::RateLimited { retry_after, .. }
            | Self::CircuitOpen { retry_after, .. }
            | Self::ConcurrencyLimited { retry_after, .. }
            | Self::CoalescedFailure { retry_after, .. } => *retry_after,
            Self::LimitsDown { .. } => Some(STORE_PROBE),
            Self::Paused { retry_after, .. } => Some(*retry_after),
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(refusal) if refusal.is_store_down() => Some(STORE_PROBE),
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(refusal) => refusal.retry_after(),
            _ => None,
        }
    }

    /// The longest answer, in tokens, that a budget could carry instead, if that is worth asking for.
    #[must_use]
    pub fn affordable_tokens(&self) -> Option<u64> {
        match self {
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(refusal) => refusal.affordable_tokens,
            _ => None,
        }
    }

    /// A few words for the attempt log.
    #[must_use]
    pub fn summary(&self) -> String {
        self.to_string()
    }

    /// Whether it concerns this caller alone.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        match self {
            // A limit of one's own.
            Self::RateLimited { .. } | Self::BadDeadline { .. } | Self::CacheMiss | Self::AttemptsSpent { .. } => true,
            _ => self.kind().is_personal(),
        }
    }
}
