//! What an upstream said of its limits is remembered.

mod alone;
mod along_a_chain;
mod apart;
mod lifted;
mod slowing;

use http::Request;
use tower::Layer;
use tower_llm_layers::{
    FailureKind,
    fallback::{Fallback, FallbackLayer},
    pause::{Pause, PauseLayer},
};

use crate::support::{Leaf, Probe, TestError, TestRequest, ask, chain, fails, read, streamed};

/// A chain of candidates over pauses over an inner service.
struct Bench {
    layer: PauseLayer,
    service: Fallback<Pause<Leaf>>,
    probe: Probe,
}

impl Bench {
    fn new<const N: usize>(names: [&str; N], leaf: Leaf) -> Self {
        let (layer, probe) = (PauseLayer::new(), leaf.probe());
        let service = FallbackLayer::new(chain(names)).layer(layer.layer(leaf));
        Self { layer, service, probe }
    }

    async fn call(&self) -> Result<(), TestError> {
        self.send(streamed()).await
    }

    /// One call, read to its end.
    async fn send(&self, request: Request<TestRequest>) -> Result<(), TestError> {
        let body = ask(&self.service, request).await?.into_body();
        read(body).await.error.map_or(Ok(()), Err)
    }

    /// How often a model was called.
    fn calls_of(&self, model: &str) -> usize {
        self.probe.models().iter().filter(|called| *called == model).count()
    }
}

fn limited() -> TestError {
    fails(FailureKind::RateLimited).says(429, "slow down")
}
