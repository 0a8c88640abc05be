//! What upstream says went wrong.

mod availability;
mod code;
mod fields;
mod hints;
mod meaning;
mod nested;
mod parse;
mod part;
#[cfg(test)]
mod tests;
mod wait;

use std::fmt;
use std::time::Duration;

pub use availability::Availability;
pub use code::ErrorCode;
pub use hints::{affordable_tokens, seconds_of_unit};
pub use meaning::{is_failure_text, means_failure};

/// How much of a provider's own text is kept, in bytes.
pub const RAW_LIMIT: usize = 2048;

/// An error as OpenRouter, or a provider through it, put it in a body, in whichever of its shapes.
///
/// Reading it never fails for a field of another type: such a field is absent. No field is a promise: which of them come depends on the day and
/// on the provider.
///
/// ```
/// use std::time::Duration;
/// use openrouter_wire::error::{ErrorCode, UpstreamError};
///
/// let body = br#"{"error":{"code":"429","message":"Provider returned error","metadata":{
///     "provider_name":"Chutes","raw":"busy","headers":{"Retry-After":"17"}}}}"#;
/// let error = UpstreamError::parse(body).unwrap();
/// assert_eq!(error.status(), Some(429));
/// assert_eq!(error.provider_name.as_deref(), Some("Chutes"));
/// assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
/// assert_eq!(UpstreamError::parse(b"<html>busy</html>"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct UpstreamError {
    /// The code: the HTTP status mostly, or a word.
    pub code: Option<ErrorCode>,
    /// What happened, in words. May be a constant such as "Provider returned error": [`raw`](Self::raw) then says more.
    pub message: String,
    /// The kind of error, in OpenRouter's words: the steadiest field to decide by. In Anthropic's shape the `type`, if there is no other.
    pub error_type: Option<String>,
    /// What stands under `type`, which may say more than an `error_type` that is not known.
    pub kind: Option<String>,
    /// The HTTP status the error names beside its code.
    pub http_status: Option<u16>,
    /// The provider at fault. If there is one, another provider may do better.
    pub provider_name: Option<String>,
    /// The provider's own code.
    pub provider_code: Option<String>,
    /// The provider's own text, at most [`RAW_LIMIT`] bytes of it.
    pub raw: Option<String>,
    /// Whether the account's own key at the provider was used.
    pub is_byok: Option<bool>,
    /// Whether, and at which other endpoints, the model is available.
    pub availability: Option<Availability>,
    /// Whose limit was reached, such as `openrouter_free_tier_daily`.
    pub limit_source: Option<String>,
    /// What about the limit, such as `in_flight_budget_exhausted`; of other servers what stands under `reason`, also in a
    /// list of details.
    pub reason: Option<String>,
    /// The member of the request that it is about, such as `model` or `messages.0.content`: `param`, or the first place of a list of faults.
    pub param: Option<String>,
    /// Whose budget it is: a key's, a workspace's.
    pub scope: Option<String>,
    /// What to do about it.
    pub remedy_hint: Option<String>,
    /// The budget in US dollars, as written.
    pub limit_usd: Option<String>,
    /// What of it is spent, in US dollars, as written.
    pub spend_usd: Option<String>,
    /// When it is filled again, in ISO 8601; of other servers any member that names such a time, as it is written, or the seconds until then, as
    /// `21s`. The error may be about something else than this limit.
    pub resets_at: Option<String>,
    /// Why moderation refused.
    pub reasons: Vec<String>,
    /// What of the input it refused: at most a hundred characters, its middle left out.
    pub flagged_input: Option<String>,
    /// The patterns of a guardrail that matched.
    pub patterns: Vec<String>,
    /// The model in question.
    pub model_slug: Option<String>,
    /// When to come back, in seconds, as `metadata.retry_after_seconds` says, or `retry_after`, `wait_seconds`, `cooldown_ms`, `estimated_time` and
    /// their like in the error, beside it, or one object deeper.
    pub retry_after_seconds: Option<f64>,
    /// Copies of `Retry-After` and the `X-RateLimit-` headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What failed before this.
    pub previous_errors: Vec<PreviousError>,
    /// The account.
    pub user_id: Option<String>,
    /// The generation, if the error names it.
    pub generation_id: Option<String>,
    /// Of an answer that ended in an error without saying more: how the provider put it.
    pub native_finish_reason: Option<String>,
    /// Whether it stands in a choice: the answer had begun, and what came of it is in the body.
    pub in_choice: bool,
    /// Whether it quotes what the model wrote and the server could not use, as Groq's `failed_generation` does.
    pub has_failed_generation: bool,
}

/// An attempt of OpenRouter's that failed before the one the error is about.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct PreviousError {
    /// The provider.
    pub provider: Option<String>,
    /// The code.
    pub code: Option<ErrorCode>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// What happened, in words.
    pub message: Option<String>,
}

impl UpstreamError {
    /// Reads the error in a body, or in the data of a stream's event; `None` if there is none, or the body is not JSON.
    ///
    /// An answer whose choice ended in an error is one too, even if it says no more than that. An `error` that is empty or says success
    /// is none. Reads the shapes of other servers as well: lists, `detail`, `errors`, `base_resp`, a bare `message` with a `code`.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        parse::parse(body, parse::KnownStatus::Unknown)
    }

    /// Reads the body of a response whose status says already that the call failed: any words in it are about that.
    #[must_use]
    pub fn parse_failed(body: &[u8]) -> Option<Self> {
        parse::parse(body, parse::KnownStatus::Failed)
    }

    /// The same if the body has no end, or a part in its middle is missing: servers repeat long requests beside their errors.
    #[must_use]
    pub fn parse_part(body: &[u8]) -> Option<Self> {
        part::parse(body)
    }

    /// The HTTP status the error speaks of: its code, or the field beside it.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.code.as_ref().and_then(ErrorCode::status).or(self.http_status)
    }

    /// When to come back: `availability.retry_after`, else `retry_after_seconds`, else the copy of `Retry-After`, if that is a number of seconds,
    /// else what the message asks for ("try again in 20s").
    ///
    /// A real `Retry-After` header goes before all of them. Nothing is clamped here.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let availability = self
            .availability
            .as_ref()
            .and_then(|availability| availability.retry_after);
        let header = || self.header("retry-after").and_then(|text| text.trim().parse().ok());
        availability
            .or(self.retry_after_seconds)
            .or_else(header)
            .or_else(|| self.reported_seconds())
            .and_then(hints::seconds)
    }

    /// The wait that the message asks for, else the one that the provider's own text asks for.
    #[must_use]
    pub fn reported_wait(&self) -> Option<Duration> {
        self.reported_seconds().and_then(hints::seconds)
    }

    fn reported_seconds(&self) -> Option<f64> {
        hints::reported_wait(&self.message).or_else(|| hints::reported_wait(self.raw.as_deref()?))
    }

    /// The date at which the message says that the limit resets, else the one in the provider's own text, as RFC 3339 has it. A date without a zone
    /// is taken for one of China.
    #[must_use]
    pub fn reported_reset(&self) -> Option<String> {
        hints::reported_reset(&self.message).or_else(|| hints::reported_reset(self.raw.as_deref()?))
    }

    /// When the limit is filled again, in Unix milliseconds: the copy of `X-RateLimit-Reset`.
    #[must_use]
    pub fn rate_limit_reset_ms(&self) -> Option<u64> {
        self.header("x-ratelimit-reset")
            .and_then(|text| text.trim().parse().ok())
    }

    /// How many tokens the balance would pay for, if the error is that it does not pay for as many as were requested.
    #[must_use]
    pub fn affordable_tokens(&self) -> Option<u64> {
        affordable_tokens(&self.message)
    }

    /// A copied header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for UpstreamError {
    /// One line: code, message, provider.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = &self.code {
            write!(f, "{code} ")?;
        }
        let kind = self
            .error_type
            .as_deref()
            .or(self.native_finish_reason.as_deref())
            .unwrap_or("unspecified error");
        f.write_str(if self.message.is_empty() { kind } else { &self.message })?;
        match &self.provider_name {
            Some(provider) => write!(f, " ({provider})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UpstreamError {}
