//! Recordings of upstreams, and their replay against other settings.

mod bounds;
mod faults;
mod replay;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tower_openrouter::{
    ApiKey, ChatRequest, Stack, Tags,
    layers::LlmRequest,
    recording::{RecordedAttempt, RecordedCall, Recorder, Recording},
    stack::StackBuilder,
    transport::{Dialect, Upstream},
};

use crate::support::World;

/// Words that no recording holds by chance.
pub(crate) const PROMPT: &str = "PROMPTWORD why is the sky blue?";
pub(crate) const TAG: &str = "TAGVALUE-acme";
pub(crate) const KEY: &str = "sk-or-v1-0123456789KEYMATERIAL89abtest";

/// A file of its own, which goes with it.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("recording-{}-{number}.jsonl", std::process::id());
        let place = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        place.clear();
        place
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn before(&self) -> PathBuf {
        let mut name = self.0.clone().into_os_string();
        name.push(".1");
        name.into()
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }

    fn clear(&self) {
        drop(fs::remove_file(&self.0));
        drop(fs::remove_file(self.before()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What the recorder has written to the file.
pub(crate) async fn written(recorder: &Recorder, place: &Place) -> Recording {
    assert!(recorder.close(Duration::from_secs(20)).await, "{recorder:?}");
    Recording::from_file(place.path()).unwrap_or_else(|error| panic!("{error}\n{}", place.text()))
}

/// The stack of these tests over the simulator, and over a port at which nothing listens.
pub(crate) fn builder(world: &World) -> StackBuilder {
    let closed = Upstream::new("closed", "http://127.0.0.1:1/v1", Dialect::OpenAi).unwrap();
    let key = || ApiKey::new(KEY).unwrap();
    world
        .builder()
        .keys(
            tower_openrouter::Keys::new()
                .upstream("openrouter", key())
                .upstream("closed", key()),
        )
        .connections(|transport| transport.upstream(closed))
}

pub(crate) fn ask() -> ChatRequest {
    let mut request = ChatRequest::user(PROMPT);
    request.call_mut().set_tags(Tags::new([("team", TAG)]).unwrap());
    request
}

pub(crate) fn one(recording: &Recording) -> (&RecordedCall, &RecordedAttempt) {
    let [call] = &recording.calls[..] else {
        panic!("{recording:?}")
    };
    (call, call.attempts.last().unwrap())
}

pub(crate) fn recorded(stack: StackBuilder, recorder: &Recorder) -> Stack {
    recorder.attach(stack).build().unwrap()
}
