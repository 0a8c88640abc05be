//! The one error of this crate.

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

use http::StatusCode;
use tower_llm_layers::{
    Advice, AttemptLog, FailureKind, FailureMarks, FailureScope, Health, LayerError, Outcome, Phase, RouterAttempt,
    TokenUsage,
};

use crate::{bounds::cut, sent_key::SentKey};

mod as_failure;
mod partial;
mod routed;

use partial::PartialText;

/// Why a call has no answer, or why an answer was interrupted.
///
/// One word wide. Says what happened, to which model, what was tried ([`attempts`](Self::attempts)) and what to do
/// ([`report`](Self::report)). Never holds a key or a prompt, and of an answer only the [part](Self::partial_text) that was received,
/// which it never prints.
pub struct Error(Box<Inner>);

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) status: Option<StatusCode>,
    pub(crate) code: Option<String>,
    pub(crate) error_type: Option<String>,
    pub(crate) message: Cow<'static, str>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) affordable_tokens: Option<u64>,
    pub(crate) scope: FailureScope,
    pub(crate) provider: Option<String>,
    pub(crate) generation_id: Option<String>,
    /// The member of the request that it is about, as the upstream names it.
    pub(crate) param: Option<String>,
    /// The upstream's own name for the request that failed.
    pub(crate) request_id: Option<String>,
    /// What the router tried by itself, if it says so.
    pub(crate) routed: Vec<RouterAttempt>,
    pub(crate) source: Option<Source>,
    pub(crate) kind: Option<FailureKind>,
    /// A rate limit of the account that the key is of.
    pub(crate) limits_key: bool,
    /// The server says that it has not processed the request.
    pub(crate) is_unprocessed: bool,
    /// Of a router that promises to charge nothing for it.
    pub(crate) no_charge_on_failure: bool,
    /// Of a layer's own, and about this caller alone.
    pub(crate) personal: bool,
    /// What the upstream said that the call took, in the body of the error.
    pub(crate) usage: Option<Box<TokenUsage>>,
    pub(crate) marks: FailureMarks,
    pub(crate) partial_text: PartialText,
}

/// What lies under an error, kept for the chain of causes.
pub(crate) type Source = Box<dyn StdError + Send + Sync>;

impl Error {
    pub(crate) fn with(kind: FailureKind, inner: Inner) -> Self {
        Self(Box::new(Inner {
            kind: Some(kind),
            ..inner
        }))
    }

    /// An error of this kind, for services of your own under the layers.
    pub fn new(kind: FailureKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::with(
            kind,
            Inner {
                message: message.into(),
                ..Inner::default()
            },
        )
    }

    pub(crate) fn caused(kind: FailureKind, message: impl Into<Cow<'static, str>>, source: impl Into<Source>) -> Self {
        let source = Some(source.into());
        Self::with(
            kind,
            Inner {
                message: message.into(),
                source,
                ..Inner::default()
            },
        )
    }

    /// Adds the generation's id, by which the bill can be looked up later.
    pub(crate) fn of_generation(mut self, id: Option<&str>) -> Self {
        if self.0.generation_id.is_none() {
            self.0.generation_id = id.map(cut).map(str::to_owned);
        }
        self
    }

    /// The same without the key, in case the upstream has echoed it.
    pub(crate) fn without(mut self, key: &SentKey) -> Self {
        let inner = &mut *self.0;
        if let Some(message) = key.hide_all(&inner.message) {
            inner.message = message.into();
        }
        let words = [
            &mut inner.code,
            &mut inner.error_type,
            &mut inner.provider,
            &mut inner.generation_id,
            &mut inner.param,
            &mut inner.request_id,
        ];
        for word in words.into_iter().flatten() {
            if let Some(hidden) = key.hide_all(word) {
                *word = hidden;
            }
        }
        let routed = inner.routed.iter_mut();
        let names = routed.flat_map(|tried| [&mut tried.provider, &mut tried.model]);
        for name in names.flatten() {
            if let Some(hidden) = key.hide_all(name) {
                *name = hidden.into();
            }
        }
        self
    }

    /// The same of a request that the server has not processed: it cost nothing, and says nothing of the upstream's health.
    pub(crate) fn unprocessed(mut self) -> Self {
        self.0.is_unprocessed = true;
        let mut advice = self.kind().advice();
        advice.health = Health::Neutral;
        self.advised(advice)
    }

    /// The same of an answer of OpenRouter, which charges nothing for one without content.
    pub(crate) fn no_charge_on_failure(mut self, no_charge_on_failure: bool) -> Self {
        self.0.no_charge_on_failure = no_charge_on_failure;
        self
    }

    /// The same of an upstream that is called directly: its rate limits are those of the key's account, and no other provider's behind it.
    pub(crate) fn of_direct_upstream(mut self) -> Self {
        self.0.limits_key = self.kind() == FailureKind::RateLimited;
        self
    }

    /// The same, with other advice than its kind's.
    pub(crate) fn advised(mut self, advice: Advice) -> Self {
        self.0.marks.set_advice(advice);
        self
    }

    /// The same if no part was shown: an interrupted stream is then a call that was never answered.
    pub(crate) fn unseen(mut self) -> Self {
        match self.kind() {
            FailureKind::Truncated => self.0.kind = Some(FailureKind::Reset),
            FailureKind::Timeout(Phase::Idle | Phase::Throughput) => {
                self.0.kind = Some(FailureKind::Timeout(Phase::Response));
            }
            _ => {}
        }
        self
    }

    /// What went wrong, as far as policy cares.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.0.kind.unwrap_or(FailureKind::Internal)
    }

    /// The HTTP status, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The upstream's own code, a number or a word.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// OpenRouter's `error_type`, the stable name to switch on.
    #[must_use]
    pub fn error_type(&self) -> Option<&str> {
        self.0.error_type.as_deref()
    }

    /// What happened, in the upstream's words if it sent any.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The wait that the upstream asked for, clamped to a day.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The provider behind the router that failed.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    /// The generation, if one had begun: its bill can be looked up.
    #[must_use]
    pub fn generation_id(&self) -> Option<&str> {
        self.0.generation_id.as_deref()
    }

    /// The member of the request that the upstream names as the one at fault.
    pub(crate) fn param(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// The upstream's own name for the request that failed, which its support looks up.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// What was tried for this call.
    #[must_use]
    pub fn attempts(&self) -> Option<&AttemptLog> {
        self.0.marks.attempts()
    }

    /// What happened, what was tried, and what to do. Several lines.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        if let Some(log) = self.0.marks.attempts() {
            let lines = log.attempts();
            let sent = lines.iter().filter(|line| line.outcome != Outcome::Skipped).count();
            let mut candidates: Vec<_> = lines.iter().filter_map(|line| line.candidate.as_ref()).collect();
            candidates.dedup();
            let (attempts, several) = (plural(sent, "attempt"), plural(candidates.len(), "candidate"));
            text = format!("{text}: {attempts}, {several}");
            if !lines.is_empty() {
                text = format!("{text}\n{log}");
            }
        }
        format!("{text}\n  try: {}", self.advice())
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self.kind() {
            FailureKind::Connect => "check the base URL and the network, or add a candidate at another upstream",
            FailureKind::Timeout(Phase::Deadline) => "a longer deadline, or a faster candidate first",
            FailureKind::Timeout(_) => "a longer timeout for this phase, or another candidate",
            FailureKind::RateLimited => "wait as long as the retry hint says, or add a candidate at another upstream",
            FailureKind::CircuitOpen => {
                "wait for the next probe, or add a candidate: all that there are have failed too often"
            }
            FailureKind::ConcurrencyLimited => "send less at once, give it a longer deadline, or add a candidate",
            FailureKind::QuotaExhausted => {
                "wait for the quota's reset, raise it, or add a candidate paid from another pool"
            }
            FailureKind::NoEndpoint => {
                "check the model's name, the base URL and the provider preferences, or add another candidate"
            }
            FailureKind::ContextLengthExceeded => "a shorter prompt, or a candidate with a larger context",
            FailureKind::ContentFiltered => "change the prompt; the model's policy refused it",
            FailureKind::BudgetExceeded => "raise the budget, wait for its reset, or request fewer `max_tokens`",
            FailureKind::RejectedByProvider => "correct the request, or add a candidate of another provider",
            FailureKind::StoreUnavailable => "restore the store, or set `OnStoreFailure::FailOpen`",
            FailureKind::InsufficientFunds => "add credits, request fewer `max_tokens`, or add a cheaper candidate",
            FailureKind::Auth => "check the API key of this upstream",
            FailureKind::BadRequest => "correct the request",
            FailureKind::Nonconformant => {
                "a model that supports structured outputs, a simpler schema, or a clearer prompt; the answer's text is on this error"
            }
            FailureKind::Internal => "report this as a bug",
            FailureKind::Cancelled => "nothing: the caller left",
            _ => "another candidate, or the same again later",
        }
    }

    fn attempt_summary(&self) -> String {
        let what = match self.kind() {
            FailureKind::Timeout(_) | FailureKind::EmptyResponse => self.0.message.clone(),
            kind if self.0.message.is_empty() => Cow::Borrowed(kind.as_str()),
            kind => Cow::Owned(format!("{}: {}", kind.as_str(), first_line(&self.0.message))),
        };
        match &self.0.provider {
            Some(provider) => format!("{what} ({provider})"),
            None => what.into_owned(),
        }
    }
}

/// The start of a message that may be a whole page.
fn first_line(message: &str) -> String {
    const LONGEST: usize = 240;
    let line = message.lines().next().unwrap_or_default();
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}

fn plural(count: usize, thing: &str) -> String {
    if count == 1 {
        format!("1 {thing}")
    } else {
        format!("{count} {thing}s")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.message.is_empty() {
            write!(f, "{}", self.kind())?;
        } else {
            f.write_str(&self.0.message)?;
        }
        match (&self.0.provider, self.0.status) {
            (Some(provider), Some(status)) => write!(f, " ({provider}, {})", status.as_u16()),
            (Some(provider), None) => write!(f, " ({provider})"),
            (None, Some(status)) => write!(f, " ({})", status.as_u16()),
            (None, None) => Ok(()),
        }
    }
}

/// The [report](Error::report), because `main` prints the error it returns with `{:?}`; with `{:#?}` the fields.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return f.write_str(&self.report());
        }
        f.debug_struct("Error")
            .field("kind", &self.kind())
            .field("status", &self.0.status)
            .field("code", &self.0.code)
            .field("error_type", &self.0.error_type)
            .field("message", &self.0.message)
            .field("retry_after", &self.0.retry_after)
            .field("provider", &self.0.provider)
            .field("generation_id", &self.0.generation_id)
            .field("attempts", &self.0.marks.attempts())
            .field("partial_text", &self.0.partial_text)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<LayerError> for Error {
    fn from(error: LayerError) -> Self {
        let inner = Inner {
            message: error.to_string().into(),
            status: error.status().and_then(|status| StatusCode::from_u16(status).ok()),
            code: error.code().map(str::to_owned),
            retry_after: error.retry_after(),
            affordable_tokens: error.affordable_tokens(),
            personal: error.is_personal(),
            ..Inner::default()
        };
        let made = Self::with(error.kind(), inner).after_text(error.answer_text().unwrap_or_default());
        if matches!(error, LayerError::FinishReason { .. }) {
            // The upstream answered as requested, maybe for a caller's own limit of tokens.
            let mut advice = error.kind().advice();
            advice.health = Health::Neutral;
            return made.advised(advice);
        }
        made
    }
}

#[cfg(test)]
mod tests;
