//! What is kept of one call, and how much memory that takes.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer, ser::SerializeMap};
use tower_openrouter::{
    Attempt, Outcome, Tags, UsdAmount,
    layers::{UtcTime, ledger::CallId},
};

/// The longest text that is kept of a name, in characters.
const LONGEST_NAME: usize = 200;
/// The longest text that is kept of a reason.
const LONGEST_REASON: usize = 400;

/// How a call ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallOutcome {
    /// It is in progress.
    Running,
    /// The client got the whole answer.
    Answered,
    /// The client got an error, and an upstream or the gateway is the cause.
    Failed,
    /// The answer had begun and was interrupted; the client got an error event.
    Interrupted,
    /// The client got an error that its own request, key, limit or budget caused.
    Refused,
    /// The client closed the connection before the end.
    Left,
}

impl CallOutcome {
    /// The name in JSON and in filters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Refused => "refused",
            Self::Left => "left",
        }
    }
}

/// What a call took, by the upstream's own count if it reported one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tokens {
    /// Tokens of the prompts of all attempts.
    pub prompt: u64,
    /// Of these, read from the upstream's cache.
    pub cached: u64,
    /// Tokens of the answers, reasoning included.
    pub answer: u64,
}

/// One attempt of a call, or a candidate that was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptRecord {
    /// Which attempt, from 1; 0 for a candidate that was passed over.
    pub number: u32,
    /// The model.
    pub model: Box<str>,
    /// The upstream.
    pub upstream: Box<str>,
    /// The provider behind the upstream, if it is known.
    pub provider: Option<Box<str>>,
    /// `answered`, `dropped`, `skipped`, `waiting`, `answering`, or the name of the failure.
    pub outcome: &'static str,
    /// Whether it was passed on to the upstream. What a budget, a limit or a missing key refused was not.
    pub is_sent: bool,
    /// HTTP status of a failure.
    pub status: Option<u16>,
    /// What happened, in words.
    pub reason: Option<Box<str>>,
    /// After the start of the call, in milliseconds.
    pub started_ms: u64,
    /// From its start to the first token, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// From its start to its end, in milliseconds.
    pub duration_ms: Option<u64>,
    /// What it cost.
    #[serde(serialize_with = "dollars")]
    pub cost: Option<UsdAmount>,
    /// Whether the cost is an estimate.
    pub cost_is_estimate: bool,
}

impl AttemptRecord {
    pub(super) fn new(line: &Attempt) -> Self {
        let candidate = line.candidate.as_ref();
        let summary = line.summary.as_deref().unwrap_or_default();
        let reason = match line.note.as_deref() {
            Some(note) if summary.is_empty() => note.to_owned(),
            Some(note) => format!("{summary} ({note})"),
            None => summary.to_owned(),
        };
        Self {
            number: line.number,
            model: name(candidate.map_or("", |candidate| candidate.model())),
            upstream: name(candidate.map_or("", |candidate| candidate.upstream())),
            provider: line.provider.as_deref().map(name),
            outcome: outcome(line.outcome),
            is_sent: line.is_sent,
            status: line.status,
            reason: (!reason.is_empty()).then(|| text(&reason, LONGEST_REASON)),
            started_ms: millis(line.started),
            first_token_ms: line.first_token.map(millis),
            duration_ms: line.duration.map(millis),
            cost: line.cost,
            cost_is_estimate: line.cost_is_estimate,
        }
    }
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Waiting => "waiting",
        Outcome::Answering => "answering",
        Outcome::Answered => "answered",
        Outcome::Failed(kind) => kind.as_str(),
        Outcome::Skipped => "skipped",
        _ => "dropped",
    }
}

/// One call.
#[derive(Debug, Clone, Serialize)]
pub struct CallRecord {
    /// Its number, from 1, since the start of the process.
    pub id: u64,
    /// When it began.
    #[serde(serialize_with = "display")]
    pub at: UtcTime,
    /// The name of the client key: the value of the tag [`keys::TAG`](crate::keys::TAG).
    pub key: Option<Box<str>>,
    /// What it is accounted under.
    #[serde(serialize_with = "members")]
    pub tags: Tags,
    /// The API: `chat`, `responses`, `messages`, `embeddings`.
    pub api: &'static str,
    /// Whether the client asked for a stream.
    pub streamed: bool,
    /// The requested model.
    pub requested: Option<Box<str>>,
    /// The model that answered.
    pub model: Option<Box<str>>,
    /// The provider that answered.
    pub provider: Option<Box<str>>,
    /// How it ended.
    pub outcome: CallOutcome,
    /// The HTTP status that the client got; `None` before it was sent.
    pub status: Option<u16>,
    /// Why there is no whole answer.
    pub reason: Option<Box<str>>,
    /// Each attempt, in order.
    pub attempts: Box<[AttemptRecord]>,
    /// From the beginning of the call to the first token, in milliseconds; `None` for a plain response, which comes whole.
    pub first_token_ms: Option<u64>,
    /// From the beginning to the end, in milliseconds; of a call in progress, so far.
    pub duration_ms: u64,
    /// What it took; `None` if nothing was recorded.
    pub tokens: Option<Tokens>,
    /// What the price list says that it costs.
    #[serde(serialize_with = "dollars")]
    pub estimate: Option<UsdAmount>,
    /// What it cost: the bill, or an estimate.
    #[serde(serialize_with = "dollars")]
    pub cost: Option<UsdAmount>,
    /// Whether a part of the cost is an estimate.
    pub cost_is_estimate: bool,
    /// The source and the reason of a degraded answer.
    pub degraded: Option<Box<str>>,
    /// `hit; age=12`, or `shared`, if the answer was cached or coalesced.
    pub cached: Option<Box<str>>,
    /// Whether a candidate failed and a later one answered.
    pub rescued: bool,
    #[serde(skip)]
    pub(super) ledger_id: Option<CallId>,
    /// Of the ledger's entries, those whose cost is an estimate.
    #[serde(skip)]
    pub(super) estimates: u32,
}

impl CallRecord {
    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let length = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        let attempts = self.attempts.iter().map(|attempt| {
            let texts = attempt.model.len() + attempt.upstream.len() + length(&attempt.provider);
            size_of::<AttemptRecord>() + texts + length(&attempt.reason)
        });
        let tags = self.tags.iter().map(|(name, value)| 32 + name.len() + value.len());
        let texts = [
            &self.key,
            &self.requested,
            &self.model,
            &self.provider,
            &self.reason,
            &self.degraded,
            &self.cached,
        ];
        let texts: usize = texts.into_iter().map(length).sum();
        size_of::<Self>() + 64 + attempts.sum::<usize>() + tags.sum::<usize>() + texts
    }
}

/// A name as it is kept: cut, and without characters that change how the text around them is shown.
pub(crate) fn name(name: &str) -> Box<str> {
    text(name, LONGEST_NAME)
}

/// A reason as it is kept.
pub(super) fn reason(reason: &str) -> Box<str> {
    text(reason, LONGEST_REASON)
}

fn text(text: &str, longest: usize) -> Box<str> {
    // As most are.
    if text.len() <= longest && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.into();
    }
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let shown = |letter| if is_hidden(letter) { '\u{fffd}' } else { letter };
    let mut letters = text.chars();
    let mut kept: String = letters.by_ref().take(longest).map(shown).collect();
    if letters.next().is_some() {
        kept.push('…');
    }
    kept.into()
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn display<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// As a decimal number of dollars in a text, without the sign: JSON's own numbers are not exact.
#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
pub(crate) fn dollars<S: Serializer>(amount: &Option<UsdAmount>, serializer: S) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => serializer.serialize_some(&amount.decimal()),
        None => serializer.serialize_none(),
    }
}

fn members<S: Serializer>(tags: &Tags, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in tags.iter() {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

#[cfg(test)]
impl CallRecord {
    /// One that began then, and took no time and no attempt.
    pub(crate) fn at(at: UtcTime, outcome: CallOutcome) -> Self {
        Self {
            id: 1,
            at,
            key: None,
            tags: Tags::default(),
            api: "chat",
            streamed: false,
            requested: None,
            model: None,
            provider: None,
            outcome,
            status: None,
            reason: None,
            attempts: Box::default(),
            first_token_ms: None,
            duration_ms: 0,
            tokens: None,
            estimate: None,
            cost: None,
            cost_is_estimate: false,
            degraded: None,
            cached: None,
            rescued: false,
            ledger_id: None,
            estimates: 0,
        }
    }

    /// The same with one attempt that was sent.
    pub(crate) fn attempted(self, outcome: &'static str, reason: &str) -> Self {
        let attempt = AttemptRecord {
            number: 1,
            model: "a/b".into(),
            upstream: "openrouter".into(),
            provider: None,
            outcome,
            is_sent: true,
            status: None,
            reason: Some(reason.into()),
            started_ms: 0,
            first_token_ms: None,
            duration_ms: None,
            cost: None,
            cost_is_estimate: false,
        };
        Self {
            attempts: [attempt].into(),
            ..self
        }
    }
}
