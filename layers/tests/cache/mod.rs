//! Kept and shared answers, in virtual time.

mod dropping;
mod failing;
mod forgetting;
mod given;
mod headers;
mod idempotency;
mod keeping;
mod last_frame;
mod leaving;
mod memory;
mod options;
mod personal;
mod random;
mod room;
mod sharing;
mod store_waits;
mod tenants;
mod threads;
mod waking;

use std::sync::{Arc, LazyLock};

use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tower::Layer;
use tower_llm_layers::{
    Coalesced, GlobalKey, Stage,
    cache::{Cache, CacheLayer, CacheService, CacheStatus},
};

use crate::support::{Beat, Leaf, Step, TestError, TestFrame, TestRequest, millis, streamed};

type TestLayer = CacheLayer<TestFrame, TestError, GlobalKey>;
type TestService = CacheService<Leaf, TestFrame, TestError, GlobalKey>;

const MIB: u64 = 1024 * 1024;

/// Caches and coalesces, for all callers.
fn layer() -> TestLayer {
    CacheLayer::new(Cache::new(MIB), GlobalKey)
}

fn over(leaf: Leaf) -> TestService {
    layer().layer(leaf)
}

/// All the frames that a body gives, and its error.
async fn frames<B>(mut body: B) -> (Vec<TestFrame>, Option<TestError>)
where
    B: Body<Data = TestFrame, Error = TestError> + Unpin,
{
    let mut frames = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => frames.extend(frame.into_data().ok()),
            Err(error) => return (frames, Some(error)),
        }
    }
    assert!(body.is_end_stream());
    (frames, None)
}

/// The places of frames in the stream.
fn places(frames: &[TestFrame]) -> Vec<usize> {
    frames.iter().map(|frame| frame.index).collect()
}

fn status<B>(response: &Response<B>) -> Option<CacheStatus> {
    response.extensions().get().copied()
}

fn is_hit<B>(response: &Response<B>) -> bool {
    status(response).is_some_and(|status| status.hit)
}

fn is_shared<B>(response: &Response<B>) -> bool {
    response.extensions().get::<Coalesced>().is_some()
}

/// A request for another answer than the rest.
fn about(prompt: &'static str) -> Request<TestRequest> {
    let mut request = streamed();
    request.body_mut().prompt = prompt;
    request
}

/// One of four thousand.
fn numbered(number: usize) -> Request<TestRequest> {
    static NUMBERS: LazyLock<Vec<String>> = LazyLock::new(|| (0..4000).map(|number| number.to_string()).collect());
    about(NUMBERS.get(number).unwrap())
}

/// A frame of content every ten milliseconds, a finish, and usage.
fn slow(contents: usize) -> Step {
    let content = [Beat::Frame(Stage::Content), Beat::Pause(millis(10))];
    let beats = content.into_iter().cycle().take(2 * contents);
    let end = [Beat::Frame(Stage::Finish), Beat::Used(7)];
    Step::Answer(millis(10), beats.chain(end).collect())
}

/// Whose a request is, by its header.
fn tenant(request: &Request<TestRequest>) -> Option<Arc<str>> {
    let tenant = request.headers().get("tenant")?;
    tenant.to_str().ok().map(Arc::from)
}
