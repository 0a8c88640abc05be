//! The lines of a recording. They have no member for content, keys or tags.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tower_llm_layers::{FailureKind, UsdAmount};

use super::names;
use crate::Api;

/// The version of the format that is written and read.
pub(super) const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RecordingLine {
    /// A recording begins.
    Recording(Header),
    /// A call has ended.
    Call(Box<RecordedCall>),
    /// So many calls before this line are missing.
    Lost(Lost),
}

/// What begins a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) version: u32,
    /// When it began, in milliseconds since 1970.
    pub(super) began_ms: u64,
}

/// Calls that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lost {
    pub(super) calls: u64,
}

/// One call, and how its attempts went. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedCall {
    /// When it came, after the recording's begin.
    pub at_ms: u64,
    /// The API that was called.
    #[serde(with = "names::api")]
    pub api: Api,
    /// The requested model, and the alternatives that the request lists after it.
    #[serde(default)]
    pub models: Vec<String>,
    /// Whether the caller asked for a stream.
    #[serde(default)]
    pub stream: bool,
    /// The size of the request's body, in bytes.
    pub prompt_bytes: u64,
    /// The requested limit of the answer, in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// The time that the caller itself allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// How it ended.
    pub outcome: RecordedOutcome,
    /// Why it failed, or was interrupted.
    #[serde(default, with = "names::kind", skip_serializing_if = "Option::is_none")]
    pub kind: Option<FailureKind>,
    /// From its beginning to the first content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u64>,
    /// From its beginning to its end.
    pub whole_ms: u64,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The attempts that reached the wire, in order.
    #[serde(default)]
    pub attempts: Vec<RecordedAttempt>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecordedOutcome {
    /// The whole answer came.
    Answered,
    /// There was no answer, or only a part of one.
    Failed,
    /// The caller left before the end.
    Left,
}

/// One attempt that reached the wire. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedAttempt {
    /// Which attempt of its call it is, from 1.
    pub number: u32,
    /// When it began, after the recording's begin.
    pub at_ms: u64,
    /// The upstream's name.
    pub upstream: String,
    /// The model.
    pub model: String,
    /// Whether a stream was requested of the upstream.
    #[serde(default)]
    pub stream: bool,
    /// The HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// From its beginning to the response's headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_ms: Option<u64>,
    /// The pieces of the answer, each with the time since what came before it: a piece, the headers, or the beginning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<Chunk>,
    /// How it ended.
    pub end: AttemptEnd,
    /// From its beginning to its end.
    pub end_ms: u64,
    /// Why it failed.
    #[serde(default, with = "names::kind", skip_serializing_if = "Option::is_none")]
    pub kind: Option<FailureKind>,
    /// The retry hints among the headers: `retry-after` and `x-ratelimit-*`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hints: BTreeMap<String, String>,
    /// The wait that the upstream asked for, wherever it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// How far the failure reached.
    #[serde(default, skip_serializing_if = "Reach::is_candidate")]
    pub reach: Reach,
    /// The longest answer that the account's balance could pay for, in tokens, if the upstream said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affordable_tokens: Option<u64>,
    /// How little was left of a limit, by the headers of a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitLeft>,
    /// What the upstream counted, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<RecordedTokens>,
    /// What the upstream charged, in US dollars, if it said so.
    #[serde(default, with = "names::usd", skip_serializing_if = "Option::is_none")]
    pub cost: Option<UsdAmount>,
    /// Why the answer ended: `stop`, `length`, `tool_calls`, `content_filter`, or `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
}

/// A piece of an answer: the time since what came before it in milliseconds, its size in bytes, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk(pub u64, pub u64, pub ChunkStage);

/// What a piece of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChunkStage {
    /// A sign of life.
    #[serde(rename = "k")]
    KeepAlive,
    /// A part of the envelope, with nothing to show.
    #[serde(rename = "p")]
    Preamble,
    /// Content.
    #[serde(rename = "c")]
    Content,
    /// The end of the answer.
    #[serde(rename = "f")]
    Finish,
    /// What follows the end: usage.
    #[serde(rename = "t")]
    Trailer,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttemptEnd {
    /// The whole answer came.
    Complete,
    /// The upstream answered with an error, by its status or in the body.
    Error,
    /// The answer was interrupted.
    Cut,
    /// A timeout ended it: nothing came for too long.
    Silent,
    /// There was no connection.
    Refused,
    /// The connection broke before an answer came.
    Reset,
    /// It was dropped on our side for another reason: another candidate was faster, or the caller left.
    Dropped,
}

/// How far a failure reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reach {
    /// This model at this upstream.
    #[default]
    Candidate,
    /// Everything paid from the same pool.
    Pool,
    /// Everything that uses this upstream's key.
    Upstream,
    /// A limit of the key's account on this model.
    Key,
}

impl Reach {
    /// Whether it is the nearest.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_candidate(&self) -> bool {
        *self == Self::Candidate
    }
}

/// How little is left of a limit of the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitLeft {
    /// Calls until the reset.
    pub remaining: u64,
    /// Calls between two resets, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The time to the reset, in milliseconds.
    pub reset_ms: u64,
}

/// What an upstream counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedTokens {
    /// Of the prompt.
    pub prompt: u64,
    /// Of the answer, reasoning included.
    pub answer: u64,
}
