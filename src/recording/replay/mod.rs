//! The calls of a recording again, in front of another stack.

mod answer;
mod index;
mod request;
mod upstream;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::Request;
use http_body_util::BodyExt as _;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tower::ServiceExt as _;
use tower_llm_layers::{AttemptLog, FailureKind, UsdAmount};

pub(super) use self::upstream::RecordedUpstream;
use self::upstream::ReplaySlot;
use super::{
    call::millis,
    read::Recording,
    record::{RecordedCall, RecordedOutcome},
};
use crate::{
    ApiRequest, Stack,
    stack::{BuildError, StackBuilder},
};

/// Jitter is drawn from this.
const SEED: u64 = 20_261_129;

/// The calls of a [`Recording`] in front of a stack, over upstreams that behave as recorded.
///
/// It waits by tokio's clock: run it on a current-thread runtime with the clock paused, and waiting takes no time and gives the same result each
/// time.
///
/// # What is assumed
///
/// * A call's own attempts come first: its first attempt on a model goes as its first recorded attempt on that model went, the second as the
///   second.
/// * An attempt that was not made then goes as the attempt nearest in time on the same model of the same upstream, of another call if there is
///   one. Attempts that were dropped on our side (a faster hedge, a caller who left) are taken last: how they would have ended is not known.
/// * A model without any recorded attempt is [named](ReplayReport::unknown), and every attempt on it fails as
///   [`NoEndpoint`](FailureKind::NoEndpoint).
/// * A recorded silence lasts: an attempt that waits as long as the recorded one, or longer, hears nothing more. Such attempts are
///   [counted](ReplayReport::outlasted_silences).
/// * Load changes nothing: a model that gets more calls than were recorded answers all of them as it did then. [`ModelLoad`] says how many
///   attempts each recorded one stands for.
/// * An answer costs what the recorded one did, also if it stands for that of another call.
/// * Callers that left leave again after the same time, unless they have their answer by then.
/// * Contents, keys and tags are not in a recording: requests and answers are filler of the recorded size. Prompts that are too large for that are
///   [counted](ReplayReport::shortened_prompts).
pub struct Replay {
    recording: Arc<Recording>,
    stack: Stack,
    upstream: RecordedUpstream,
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ReplayReport {
    /// What became of each call, in the order of the recording.
    pub calls: Vec<ReplayedCall>,
    /// The models (`upstream/model`) that have no recorded attempt, and how many attempts were made on each.
    pub unknown: BTreeMap<String, u64>,
    /// How much each model was called.
    pub load: BTreeMap<String, ModelLoad>,
    /// Attempts that waited as long as the recorded silence, or longer.
    pub outlasted_silences: u64,
    /// Attempts that went as one of another call, or as one that was used before.
    pub estimated: u64,
    /// Calls with a shorter prompt than the recorded one: one prompt has 4 MiB at most, and those of the calls in progress 512 MiB. What is decided
    /// by the length of a prompt may differ.
    pub shortened_prompts: u64,
}

/// How much a model was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ModelLoad {
    /// Attempts in the recording.
    pub recorded: u64,
    /// Attempts in the replay.
    pub replayed: u64,
}

/// What became of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayedCall {
    /// How it ended.
    pub outcome: RecordedOutcome,
    /// Why it failed, or was interrupted.
    pub kind: Option<FailureKind>,
    /// From its beginning to the first content, in milliseconds.
    pub first_ms: Option<u64>,
    /// From its beginning to its end, in milliseconds.
    pub whole_ms: u64,
    /// The model that answered.
    pub model: Option<String>,
    /// Attempts that were sent.
    pub attempts: u64,
    /// What the attempts cost whose answers came to their usage.
    pub cost: Option<UsdAmount>,
}

impl Replay {
    /// Builds the stack of this builder over the recorded upstreams, in the place of its transport.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names every setting that is wrong.
    pub fn new(recording: Recording, builder: StackBuilder) -> Result<Self, BuildError> {
        let recording = Arc::new(recording);
        let upstream = RecordedUpstream::new(Arc::clone(&recording));
        let stack = builder.build_recorded(upstream.clone())?;
        Ok(Self {
            recording,
            stack,
            upstream,
        })
    }

    /// The recording.
    #[must_use]
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Makes the calls at their times, and waits for the last.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends all calls.
    pub async fn run(self) -> ReplayReport {
        fastrand::seed(SEED);
        let start = Instant::now();
        self.upstream.start(start);
        let mut running = JoinSet::new();
        let mut calls = vec![None; self.recording.calls.len()];
        for (place, call) in self.recording.calls.iter().enumerate() {
            sleep_until(start + Duration::from_millis(call.at_ms)).await;
            let (stack, recording) = (self.stack.clone(), Arc::clone(&self.recording));
            let upstream = self.upstream.clone();
            let slot = ReplaySlot::of(place);
            running.spawn(async move {
                let done = match recording.calls.get(place) {
                    Some(call) => make(stack, &upstream, call, slot).await,
                    None => failed(FailureKind::Internal),
                };
                (place, done)
            });
            while let Some(Ok((place, done))) = running.try_join_next() {
                put(&mut calls, place, done);
            }
        }
        while let Some(joined) = running.join_next().await {
            if let Ok((place, done)) = joined {
                put(&mut calls, place, done);
            }
        }
        let calls = calls.into_iter();
        let calls = calls.map(|call| call.unwrap_or_else(|| failed(FailureKind::Internal)));
        self.upstream.replayed(calls.collect())
    }
}

fn put(calls: &mut [Option<ReplayedCall>], place: usize, done: ReplayedCall) {
    if let Some(call) = calls.get_mut(place) {
        *call = Some(done);
    }
}

/// A call that has not been made.
const fn failed(kind: FailureKind) -> ReplayedCall {
    ReplayedCall {
        outcome: RecordedOutcome::Failed,
        kind: Some(kind),
        first_ms: None,
        whole_ms: 0,
        model: None,
        attempts: 0,
        cost: None,
    }
}

/// Makes one call, and reads its answer to the end.
async fn make(stack: Stack, upstream: &RecordedUpstream, call: &RecordedCall, slot: ReplaySlot) -> ReplayedCall {
    let Ok((mut request, is_shortened)) = request::of(call) else {
        return failed(FailureKind::BadRequest);
    };
    if is_shortened {
        upstream.shortens();
    }
    request.extensions_mut().insert(slot.clone());
    let mut made = failed(FailureKind::Internal);
    let began = Instant::now();
    let mut log = None;
    let reading = read(stack, request, began, &mut made, &mut log);
    let has_ended = if call.outcome == RecordedOutcome::Left {
        // One that leaves at an instant has left by then, and does not see what comes at it.
        timeout(Duration::from_millis(call.whole_ms), reading).await.is_ok()
    } else {
        reading.await;
        true
    };
    if !has_ended {
        (made.outcome, made.kind) = (RecordedOutcome::Left, None);
    }
    made.whole_ms = millis(began.elapsed());
    (made.attempts, made.cost) = slot.sums();
    if let Some(log) = log.filter(|_| made.outcome != RecordedOutcome::Failed) {
        made.model = log.answered_by().map(|candidate| candidate.model().to_owned());
    }
    made
}

async fn read(
    stack: Stack,
    request: Request<ApiRequest>,
    began: Instant,
    made: &mut ReplayedCall,
    log: &mut Option<AttemptLog>,
) {
    let response = match stack.oneshot(request).await {
        Ok(response) => response,
        Err(error) => {
            made.kind = Some(error.kind());
            return;
        }
    };
    made.first_ms = Some(millis(began.elapsed()));
    let (head, mut body) = response.into_parts();
    *log = head.extensions.get().cloned();
    while let Some(frame) = body.frame().await {
        if let Err(error) = frame {
            made.kind = Some(error.kind());
            return;
        }
    }
    (made.outcome, made.kind) = (RecordedOutcome::Answered, None);
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay")
            .field("calls", &self.recording.calls.len())
            .field("stack", &self.stack)
            .finish_non_exhaustive()
    }
}
