//! One line of a call's log: an attempt, or a candidate that was passed over.

use std::{fmt, time::Duration};

use tokio::time::Instant;

use super::{Candidate, RouterAttempt, handle::Preparing};
use crate::{FailureKind, UsdAmount, util::Seconds};

/// How one attempt ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing has come yet.
    Waiting,
    /// The answer has begun, and continues.
    Answering,
    /// The whole answer came.
    Answered,
    /// It failed.
    Failed(FailureKind),
    /// The caller left, or its deadline passed, or another candidate was faster.
    Dropped,
    /// It was never sent: the candidate cannot take this request.
    Skipped,
}

/// How far a request has come, if the service that sends it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// The service says nothing: it may have been sent when the service was called.
    Untold,
    /// It waits for a connection: no byte of its body was written.
    Connecting,
    /// It may have been sent.
    Begun,
    /// The attempt ended while it waited for a connection: it must not be sent any more.
    Withdrawn,
}

/// One line of the log: an attempt, or a candidate that was passed over.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// Which attempt of the call, from 1; 0 for a candidate that was passed over.
    pub number: u32,
    /// The turn it belongs to: the layer above that gave it finds the line by this number. 0 without one.
    pub(super) turn: u32,
    /// The model and its upstream.
    pub candidate: Option<Candidate>,
    /// The provider behind the upstream that served it or failed, if the upstream is a router and names it.
    pub provider: Option<Box<str>>,
    /// What the router tried by itself for it, if the router says so: these are not attempts of ours, and count nowhere.
    pub router_attempts: Box<[RouterAttempt]>,
    /// When it started, after the start of the call.
    pub started: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it was passed on to the upstream. What a budget, a price list or a missing key refused was not, nor an attempt that ended while
    /// it waited for a connection.
    pub is_sent: bool,
    /// HTTP status of a failure, if there was one.
    pub status: Option<u16>,
    /// What happened, in a few words: without key, prompt or answer.
    pub summary: Option<Box<str>>,
    /// From its start to the first token.
    pub first_token: Option<Duration>,
    /// From its start to its end.
    pub duration: Option<Duration>,
    /// What it cost: the billed cost, or an estimate of it. `None` while it runs, and without a cost layer. A bill that comes later corrects the ledger and
    /// the budgets, not this log.
    pub cost: Option<UsdAmount>,
    /// Whether the cost is an estimate.
    pub cost_is_estimate: bool,
    /// The wait that the upstream asked for.
    pub retry_after: Option<Duration>,
    /// How long the call waited after it.
    pub waited: Option<Duration>,
    /// Why the call stopped trying this candidate, if the reason is not the failure itself.
    pub note: Option<Box<str>>,
    /// Exchanges that a cost layer began over this line.
    pub(super) exchanges: u32,
    /// How often its request was given a key.
    pub(super) sendings: u32,
    /// The line that this exchange repeats, if a service below the attempt sent the request again.
    pub(super) repeats: Option<usize>,
    /// How long it waited for something of ours, such as a budget: no time limit of the upstream counts that.
    pub(super) local_wait: Duration,
    /// What it waits for before it is sent, since when, and `local_wait` at that time.
    pub(super) preparing: Option<(Preparing, Instant, Duration)>,
    /// How far its request has come.
    pub(super) sending: Sending,
    /// When the last bytes of a plain answer came, if the service below reports it.
    pub(super) received: Option<Instant>,
}

impl Attempt {
    pub(super) fn new(number: u32, candidate: Option<Candidate>, started: Duration) -> Self {
        Self {
            number,
            turn: 0,
            candidate,
            provider: None,
            router_attempts: Box::default(),
            started,
            outcome: Outcome::Waiting,
            is_sent: number > 0,
            status: None,
            summary: None,
            first_token: None,
            duration: None,
            cost: None,
            cost_is_estimate: false,
            retry_after: None,
            waited: None,
            note: None,
            exchanges: 0,
            sendings: 0,
            repeats: None,
            local_wait: Duration::ZERO,
            preparing: None,
            sending: Sending::Untold,
            received: None,
        }
    }

    /// The exchange ends. If it still waits for a connection, nothing was sent, and nothing will be.
    pub(super) fn withdraw(&mut self) {
        if self.sending == Sending::Connecting {
            self.sending = Sending::Withdrawn;
            self.is_sent = false;
        }
    }

    /// Whether this attempt, and not an earlier one, gave the answer.
    #[must_use]
    pub const fn has_answered(&self) -> bool {
        matches!(self.outcome, Outcome::Answering | Outcome::Answered)
    }

    /// What happened, the most important facts first.
    fn summary(&self) -> String {
        let mut text = match (self.outcome, self.status, &self.summary) {
            (Outcome::Waiting, ..) => "waiting".to_owned(),
            (Outcome::Answering, ..) => "answering".to_owned(),
            (Outcome::Answered, ..) => "answered".to_owned(),
            (Outcome::Dropped, ..) => "dropped".to_owned(),
            (Outcome::Skipped, _, Some(reason)) => format!("passed over: {reason}"),
            (Outcome::Skipped, _, None) => "passed over".to_owned(),
            (Outcome::Failed(_), Some(status), Some(summary)) => format!("{status} {summary}"),
            (Outcome::Failed(kind), Some(status), None) => format!("{status} {kind}"),
            (Outcome::Failed(_), None, Some(summary)) => summary.to_string(),
            (Outcome::Failed(kind), None, None) => kind.to_string(),
        };
        if let Some(first) = self.first_token {
            text.push_str(&format!(", first token in {}", Seconds(first)));
        }
        if let Some(cost) = self.cost.filter(|cost| *cost != UsdAmount::ZERO) {
            let about = if self.cost_is_estimate { "about " } else { "" };
            text.push_str(&format!(", {about}{cost}"));
        }
        if let Some(hint) = self.retry_after {
            text.push_str(&format!(", retry after {}", Seconds(hint)));
        }
        if let Some(note) = &self.note {
            text.push_str(&format!(" ({note})"));
        }
        text
    }

    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let text = self.summary();
        if self.outcome == Outcome::Skipped {
            return write!(f, "  -  {name:<28}  {text}");
        }
        write!(f, "{:>3}  {name:<28}  ", self.number)?;
        match self.duration {
            None => f.write_str(&text)?,
            Some(duration) => write!(f, "{text:<36}  after {:>6}", Seconds(duration))?,
        }
        if let Some(waited) = self.waited.filter(|_| self.duration.is_some()) {
            write!(f, ", waited {}", Seconds(waited))?;
        }
        for (place, routed) in self.router_attempts.iter().enumerate() {
            let before = if place == 0 { "\n     by the router: " } else { ", " };
            write!(f, "{before}{routed}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let candidate = self.candidate.as_ref();
        self.write(f, candidate.map_or("(no model named)", Candidate::model))
    }
}
