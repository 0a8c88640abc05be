//! What a failure of a layer says: what happened, the setting, and the fix.

use std::{fmt, time::Duration};

use super::layer_error::{LayerError, STORE_PROBE};
use crate::{FailureKind, Phase, util::Seconds};

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elapsed { phase, limit } => {
                let limit = Seconds(*limit);
                match phase {
                    Phase::FirstToken => write!(f, "no first token in {limit}"),
                    Phase::Response => write!(f, "no whole answer in {limit}"),
                    Phase::Idle => write!(f, "the stream fell silent for {limit}"),
                    Phase::Throughput => write!(f, "the stream was slower than the minimum throughput for {limit}"),
                    Phase::Deadline => write!(f, "no answer within {limit}"),
                }
            }
            Self::FinishReason { reason, kind } => {
                write!(f, "the answer ended with the finish reason `{reason}`, which counts as {kind} here")
            }
            Self::EmptyResponse => f.write_str("the answer was empty"),
            Self::Nonconformant(nonconformity) => {
                write!(f, "the answer does not match the request: {}", nonconformity.reason())
            }
            Self::NoCandidate { reasons } if reasons.is_empty() => {
                f.write_str("no candidate: name a model in the request, or give the stack a chain")
            }
            Self::NoCandidate { reasons } => {
                write!(f, "no candidate can take this request: {}", reasons.join("; "))
            }
            Self::BadModel { problem } => write!(f, "`model` of the request is no name of a model: {problem}"),
            // Agents know a full context by the first words.
            Self::PromptTooLong { reasons } => {
                write!(
                    f,
                    "prompt is too long: shorten it, or add a candidate with a larger context: {}",
                    reasons.join("; ")
                )
            }
            Self::AttemptsSpent { cap } => write!(f, "all {cap} attempts of this call are used up"),
            Self::NoKey { upstream, reason, .. } => write!(f, "no key for {upstream}: {reason}"),
            Self::RateLimited { limit, retry_after } => {
                match limit {
                    Some((amount, unit, per)) => write!(f, "over {amount} {unit} in {}", Seconds(*per))?,
                    None => f.write_str("too many concurrent calls")?,
                }
                match retry_after {
                    Some(wait) => write!(f, ": retry in {}", Seconds(*wait)),
                    None => f.write_str(": retry when one has ended"),
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
                    "{upstream}/{model} is at its concurrency limit ({limit} in flight, {waiting} queued)"
                )?;
                match retry_after {
                    Some(wait) => write!(f, ", expected wait about {}", Seconds(*wait)),
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
                        write!(f, "{name} is recovering and accepts only part of the traffic; retry")
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
                "{} was tried before in this call, and the process-wide retry ratio is used up: retry later, or raise the ratio",
                model.as_deref().unwrap_or("the model")
            ),
            Self::NotContinuable { model } => write!(
                f,
                "{model} cannot continue an interrupted answer: implement `LlmRequest::add_continue_instruction`, or name another candidate"
            ),
            Self::LimitsDown { cause } => write!(
                f,
                "the store of the limits does not answer ({cause}), so nothing is let through; it is probed again within {}: restore \
                 it, or let calls pass uncounted",
                Seconds(STORE_PROBE)
            ),
            Self::BudgetsDown { waited } => write!(
                f,
                "the store of the budgets has not decided within {}, so the attempt was not sent: restore the store, or let attempts pass \
                 uncounted",
                Seconds(*waited)
            ),
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(refusal) => refusal.fmt(f),
            #[cfg(feature = "cost")]
            Self::CannotShorten { tokens } => write!(
                f,
                "a budget allows an answer of only {tokens} tokens, and the request did not accept that as its `max_tokens`: \
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
                "the price of {model} is unknown, so no reservation can be computed: add it to the catalogue, or set `unknown_price`"
            ),
            #[cfg(feature = "cost")]
            Self::UnknownPrice { model, varies: true } => write!(
                f,
                "{model} routes to other models, and its price varies, so no reservation can be computed: name a model, or set `unknown_price`"
            ),
            Self::CoalescedFailure { summary, .. } => write!(f, "a coalesced identical request failed: {summary}"),
            Self::CacheMiss => f.write_str("cache miss, and the request allows only cached responses"),
            Self::Lagged { limit } => write!(
                f,
                "the reader of a coalesced response is more than {limit} bytes behind, and they were discarded; call again"
            ),
            #[cfg(feature = "cache")]
            Self::BadIdempotencyKey { problem } => write!(f, "the idempotency key {problem}"),
            Self::IdempotencyNoStore => f.write_str(
                "the call has an idempotency key, and its answer must not be stored: leave out the key, or `no-store`",
            ),
            Self::IdempotencyMismatch => {
                f.write_str("another request was made with this idempotency key: draw a new key for each call")
            }
            Self::IdempotencyInFlight => {
                f.write_str("a call with this idempotency key is in flight: retry when it has ended, with the same key")
            }
            Self::IdempotencyTooLarge => f.write_str(
                "the call with this idempotency key was made, and its answer was too large to keep: call again with a new key",
            ),
            Self::IdempotencyStoreDown { cause } => write!(
                f,
                "the store of the idempotency keys does not answer ({cause}), so the call is not made, since it might be the second: retry, \
                 or restore the store"
            ),
            Self::BadDeadline { header } => {
                write!(
                    f,
                    "invalid timeout in header `{header}`: expected milliseconds, e.g. `30000`, or seconds, e.g. `30s`"
                )
            }
            Self::Foreign { message, .. } => f.write_str(message),
        }
    }
}
