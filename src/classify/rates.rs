//! What an error's words say of a limit in time, under a status that is not 429.

use super::words::{Words, has_any, near, normalised_code};

/// How far apart the words of one statement stand, in bytes.
const FAR: usize = 30;

impl Words {
    /// A code of a limit in time: whatever its status, the same request passes later.
    pub(super) fn have_throttle_code(&self) -> bool {
        self.code_is(is_throttle_code)
    }

    /// A limit in time was reached, in words alone.
    pub(super) fn is_throttled(&self) -> bool {
        const PHRASES: &str = "\
            too many requests|rate exceeded|request was throttled|request is throttled|request has been throttled|\
            requests are throttled|requests have been throttled|secondary rate limit|user flow control|\
            rate increased too quickly|\
            过于频繁|频率限制|频率过高|触发限流|请求限流";
        const RATES: &str = " rate limit| ratelimit| tpm | rpm | qps |per minute|per second";
        const REACHED: &str = "exceed|reached|too many|slow down|超过|超出";
        !self.are_about_a_parameter() && (self.has(PHRASES) || near(self.text(), RATES, REACHED, FAR))
    }
}

/// Whether a code as a server writes it is one of a limit in time: `ThrottlingException`, `userRateLimitExceeded`, `RequestLimitExceeded`.
pub(super) fn is_throttle_word(code: &str) -> bool {
    is_throttle_code(&normalised_code(code))
}

/// The same of a normalised code.
fn is_throttle_code(code: &str) -> bool {
    const RATES: &str = "\
        rate limit|ratelimit|rate exceeded|throttl|too many requests|request limit exceeded|requests limit exceeded|\
        concurrency limit|concurrent limit|concurrent requests limit";
    const SOMETHING_ELSE: &str = "\
        invalid|unknown|unsupported|not supported|param|config|setting|unavailable|disabled|too large";
    has_any(code, RATES) && !has_any(code, SOMETHING_ELSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_limit_in_time_is_known_in_any_spelling() {
        for code in [
            "ThrottlingException",
            "com.amazon.coral.service#ThrottlingException",
            "Throttling.User",
            "Throttling.RateQuota",
            "RequestLimitExceeded",
            "RequestLimitExceeded.UinLimitExceeded",
            "RateLimitExceeded.EndpointRPMExceeded",
            "userRateLimitExceeded",
            "RATE_LIMIT_EXCEEDED",
            "rate_limit_error",
            "TooManyRequestsException",
        ] {
            assert!(is_throttle_word(code), "{code}");
        }
        for code in [
            "invalid_rate_limit",
            "RateLimiterUnavailable",
            "unsupported_parameter",
            "LimitExceeded",
            "insufficient_quota",
            "context_length_exceeded",
            "requests",
            "",
        ] {
            assert!(!is_throttle_word(code), "{code}");
        }
    }

    #[test]
    fn a_rate_in_words_is_distinguished_from_a_parameter_of_that_name() {
        for text in [
            "Rate exceeded",
            "Too Many Requests",
            "Rate limit reached for requests",
            "User Rate Limit Exceeded. Rate of requests for user exceed configured project quota.",
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            "Request was denied due to user flow control.",
            "You exceeded 10 requests per minute",
            "Request rate increased too quickly. Please scale requests more smoothly over time.",
            "请求的次数超过了频率限制。",
        ] {
            assert!(Words::of_body(text.as_bytes()).is_throttled(), "{text}");
        }
        for text in [
            "Invalid value for 'rate_limit': it exceeds 100",
            "Unknown parameter: 'rpm', too many of them",
            "`sample_rate` must be at most 48000, limit reached",
            "rate_limit: the policy is not active",
            "messages: too many items",
            "",
        ] {
            assert!(!Words::of_body(text.as_bytes()).is_throttled(), "{text}");
        }
    }
}
