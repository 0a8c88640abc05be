//! The layers over a scripted inner service, in virtual time.

#[cfg(test)]
mod adaptive_concurrency;
#[cfg(test)]
mod attempt;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod budget;
#[cfg(test)]
#[cfg(feature = "cache")]
mod cache;
#[cfg(test)]
mod capabilities;
#[cfg(test)]
mod circuit_breaker;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod deadline;
#[cfg(test)]
mod degrade;
#[cfg(test)]
mod fallback;
#[cfg(test)]
mod first_token;
#[cfg(test)]
mod observe;
#[cfg(test)]
mod own_timeouts;
#[cfg(test)]
mod pause;
#[cfg(test)]
mod rate_limit;
#[cfg(test)]
mod rate_limit_claimed;
#[cfg(test)]
mod rate_limit_shared;
#[cfg(test)]
mod rate_limit_unsent;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod resume_empty;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod stack;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tagging;
#[cfg(test)]
mod timeout;
