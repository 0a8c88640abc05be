//! What an error's words decide before its status: the model, the account, the key, the content and a rate. Each server says it under another
//! status.

use tower_llm_layers::{FailureKind, FailureScope};

use super::words::Words;

/// What the words alone decide, with a status that leaves it open.
pub(super) fn by_words(code: u16, said: &Words) -> Option<(FailureKind, FailureScope)> {
    // This request fits into no minute of this candidate's: that is its size, and not the candidate's load.
    let is_larger = matches!(code, 400 | 413 | 422 | 429) && said.is_above_rate_limit();
    if is_larger || (code == 413 && said.have_rate_limit_code()) {
        return Some((FailureKind::RejectedByProvider, FailureScope::Candidate));
    }
    // A server of few statuses says so in its code.
    if matches!(
        code,
        400 | 401 | 403 | 405..=409 | 412 | 418 | 420 | 422 | 423 | 430 | 500 | 502
    ) && said.have_throttle_code()
    {
        return Some((FailureKind::RateLimited, FailureScope::Candidate));
    }
    // A status that says who is at fault is believed.
    let is_open = matches!(code, 400 | 404 | 413 | 422 | 424 | 500 | 502);
    if is_open && said.is_too_long() {
        return Some((FailureKind::ContextLengthExceeded, FailureScope::Candidate));
    }
    // 502 stands for an error inside a success that has no status.
    if matches!(code, 400 | 403 | 422 | 451 | 500 | 502) && said.is_filtered() {
        return Some((FailureKind::ContentFiltered, FailureScope::Candidate));
    }
    let is_unknown = match code {
        400 | 404 | 410 | 422 => said.name_unknown_model() || said.is_model_gone(),
        // What a server that fails does not find may be anything.
        500 | 502 | 503 => said.name_unknown_model(),
        _ => false,
    };
    if is_unknown {
        return Some((FailureKind::NoEndpoint, FailureScope::Candidate));
    }
    if matches!(code, 400 | 401 | 403) && said.is_model_not_allowed() {
        return Some((FailureKind::NoEndpoint, FailureScope::Candidate));
    }
    if matches!(code, 400 | 403) && said.is_bad_key() {
        return Some((FailureKind::Auth, FailureScope::Upstream));
    }
    if code == 401 {
        return said.by_code_of_account();
    }
    if !may_be_of_the_account(code) {
        return None;
    }
    if said.is_free_quota_exhausted() {
        // Each model has a quota of its own.
        Some((FailureKind::QuotaExhausted, FailureScope::Candidate))
    } else if said.is_no_funds() {
        Some((FailureKind::InsufficientFunds, FailureScope::Upstream))
    } else if said.is_quota_exhausted() {
        Some((FailureKind::QuotaExhausted, FailureScope::Upstream))
    } else if code < 500 && said.is_account_closed() {
        Some((FailureKind::Auth, FailureScope::Upstream))
    } else if matches!(code, 400 | 403 | 422) && said.have_insufficient_quota_code() {
        Some((FailureKind::QuotaExhausted, FailureScope::Upstream))
    } else if matches!(code, 400 | 403 | 420 | 422) && said.is_throttled() {
        Some((FailureKind::RateLimited, FailureScope::Candidate))
    } else {
        None
    }
}

/// A status that servers send for an account in trouble: each of the request's side without a meaning of its own, and those that stand for anything.
const fn may_be_of_the_account(code: u16) -> bool {
    match code {
        401 | 402 | 404 | 407 | 408 | 410 | 413 | 424 | 446 | 498 => false,
        code => matches!(code, 400..=500 | 502),
    }
}

/// Whether words that say so are about an account or its key.
pub(super) const fn is_of_account(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Auth | FailureKind::InsufficientFunds | FailureKind::QuotaExhausted
    )
}

impl Words {
    /// The status that the text stands for, if an error names none: 429, 401 or 400.
    pub(super) fn status(&self) -> Option<u16> {
        const OF_A_RATE: &str = "\
            rate limit|ratelimit|too many requests|throttl| tpm | rpm |per minute|请求过于频繁";
        const OF_A_KEY: &str = "login fail|invalid authentication|token not match";
        const OF_A_REQUEST: &str = "\
            invalid param|invalid argument|unknown parameter|unsupported parameter|missing required param";
        if self.has(OF_A_RATE) {
            Some(429)
        } else if self.is_bad_key() || self.has(OF_A_KEY) {
            Some(401)
        } else if self.has(OF_A_REQUEST) {
            Some(400)
        } else {
            None
        }
    }

    /// A code of servers that are overloaded, whatever their status.
    pub(super) fn have_overload_code(&self) -> bool {
        self.code_is(|code| code.contains("overload"))
    }
}
