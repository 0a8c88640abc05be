//! The report of the simulator: one record for each request.

use std::time::Duration;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::money::Cost;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It has not ended yet.
    Running,
    /// The whole answer, or error, was handed to the connection.
    Answered,
    /// The simulator ended the connection because of a fault.
    Interrupted,
    /// The client went away before the end.
    ClosedByClient,
}

/// One request, and what became of it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Attempt {
    /// Its place among all requests, from 0.
    pub index: u64,
    /// When it came, since the start of the simulator, by tokio's clock.
    #[serde(rename = "at_ms", serialize_with = "millis")]
    pub at: Duration,
    /// The HTTP method.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The requested model; empty if it named none.
    pub model: String,
    /// The model that answered; empty if the answer was an error.
    pub served: String,
    /// The provider that answered; empty if the answer was an error.
    pub provider: String,
    /// Whether it requested a stream.
    pub stream: bool,
    /// Its headers, in order. Of a key only the last four characters are kept.
    pub headers: Vec<(String, String)>,
    /// Its body, byte for byte.
    #[serde(serialize_with = "text")]
    pub body: Bytes,
    /// The step of the plan that it met, as text; `ok` if there was none.
    pub fault: String,
    /// The status it was answered with; none if nothing was sent.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// How many pieces (tokens) of the answer were sent.
    pub pieces: u64,
    /// How many bytes of the answer's body were sent.
    pub bytes: u64,
    /// When it ended, since the start of the simulator.
    #[serde(rename = "ended_at_ms", serialize_with = "maybe_millis")]
    pub ended_at: Option<Duration>,
    /// What it cost, to the pico-dollar.
    pub billed: Cost,
    /// The id of its answer; none for errors before generation.
    pub generation_id: Option<String>,
}

impl Attempt {
    /// The value of a request header, by lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether it has ended.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.outcome != Outcome::Running
    }
}

/// All requests so far.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The requests, oldest first.
    pub attempts: Vec<Attempt>,
    /// The sum of what all requests cost.
    pub billed: Cost,
    /// How many requests the client left before their end.
    pub closed_by_client: u64,
    /// How many connections have been accepted.
    pub connections_accepted: u64,
    /// How many connections are open.
    pub open_connections: u64,
}

impl Report {
    /// The requests for this model.
    pub fn of<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a Attempt> {
        self.attempts.iter().filter(move |attempt| attempt.model == model)
    }

    /// The requests to `/chat/completions`.
    pub fn chats(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts
            .iter()
            .filter(|attempt| attempt.path.ends_with("/chat/completions"))
    }

    /// Whether every request has ended.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.attempts.iter().all(Attempt::ended)
    }
}

fn millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64() * 1000.0)
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn maybe_millis<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => millis(span, serializer),
        None => serializer.serialize_none(),
    }
}

fn text<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(body))
}
