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
    let may_throttle = matches!(code, 401 | 407 | 408 | 500 | 502) || blames_the_request(code);
    if may_throttle && said.have_throttle_code() {
        return Some((FailureKind::RateLimited, FailureScope::Candidate));
    }
    // A status that says who is at fault is believed.
    let is_open = matches!(code, 400 | 404 | 413 | 422 | 424 | 500 | 502);
    if (is_open && said.is_too_long()) || (code == 503 && said.have_too_long_code()) {
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
    // The account and its key are every caller's: words that may be quoted from one request say nothing of them, and a code does.
    let codes = (code != 429 && said.may_quote_the_request()).then(|| said.codes_alone());
    let said = codes.as_ref().unwrap_or(said);
    if blames_the_request(code) && said.is_bad_key() {
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
    } else if blames_the_request(code) && said.have_insufficient_quota_code() {
        Some((FailureKind::QuotaExhausted, FailureScope::Upstream))
    } else if blames_the_request(code) && said.is_throttled() {
        Some((FailureKind::RateLimited, FailureScope::Candidate))
    } else if code != 429 && said.have_used_up_code() {
        Some((FailureKind::QuotaExhausted, FailureScope::Upstream))
    } else if blames_the_request(code) && said.is_allowance_used_up() {
        Some((FailureKind::QuotaExhausted, said.scope_of_allowance()))
    } else if matches!(code, 400 | 422) {
        said.server_trouble().map(|kind| (kind, FailureScope::Candidate))
    } else {
        None
    }
}

/// A status of the request's side without a meaning of its own, as servers of few statuses send it for anything.
const fn blames_the_request(code: u16) -> bool {
    may_be_of_the_account(code) && code < 500 && code != 429
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
        let is_own = !self.may_quote_the_request();
        if is_own && self.has(OF_A_RATE) {
            Some(429)
        } else if is_own && (self.is_bad_key() || self.has(OF_A_KEY)) {
            Some(401)
        } else if self.has(OF_A_REQUEST) {
            Some(400)
        } else {
            None
        }
    }

    /// A member of the request is at fault, so that words of the caller may stand in the text: those of a validator, for example.
    fn may_quote_the_request(&self) -> bool {
        const QUOTED: &str = concat!(
            " validation error | validation errors | input value | input type | input should | unknown variant | invalid type |",
            " invalid value | stop sequence | stop sequences "
        );
        self.name_a_member() || self.has(QUOTED)
    }

    /// A code of a wrong parameter, whatever the status.
    pub(super) fn have_parameter_code(&self) -> bool {
        self.code_is(|code| {
            matches!(
                code,
                "unknown parameter" | "unsupported parameter" | "unsupported value"
            )
        })
    }

    /// A code of servers that are overloaded, whatever their status.
    pub(super) fn have_overload_code(&self) -> bool {
        self.code_is(|code| code.contains("overload"))
    }
}
