//! The circuit breaker.

mod along_a_chain;
mod busy;
mod opening;
mod recovery;
mod stale;

use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    FailureKind, LayerError,
    attempt::{AttemptLayer, AttemptService},
    circuit_breaker::{CircuitBreaker, CircuitBreakerLayer, CircuitPolicy, CircuitReport, CircuitState},
};

use crate::support::{Leaf, Probe, TestError, ask, candidate, streamed};

/// The breaker over attempts at one inner service, whose requests name the model `m`.
struct Bench {
    layer: CircuitBreakerLayer,
    service: CircuitBreaker<AttemptService<Leaf>>,
    probe: Probe,
}

impl Bench {
    fn new(policy: CircuitPolicy, leaf: Leaf) -> Self {
        let layer = CircuitBreakerLayer::new(policy).unwrap();
        let probe = leaf.probe();
        let service = layer.layer(AttemptLayer::new().layer(leaf));
        Self { layer, service, probe }
    }

    /// One call, read to its end.
    async fn call(&self) -> Result<(), TestError> {
        let mut request = streamed();
        request.body_mut().model = Some("m".into());
        let body = ask(&self.service, request).await?.into_body();
        crate::support::read(body).await.error.map_or(Ok(()), Err)
    }

    async fn calls(&self, count: usize) {
        for _ in 0..count {
            let _ended = self.call().await;
        }
    }

    /// A call that is polled once and stays in flight.
    async fn begin(&self) -> std::pin::Pin<Box<impl Future<Output = Result<(), TestError>>>> {
        let mut request = streamed();
        request.body_mut().model = Some("m".into());
        let mut service = self.service.clone();
        let future = service.ready().await.unwrap().call(request);
        let mut future = Box::pin(async move { future.await.map(drop) });
        assert!(crate::support::poll_once(future.as_mut()).is_pending());
        future
    }

    fn report(&self) -> CircuitReport {
        let circuits = self.layer.circuits();
        let report = circuits.reports().remove(0);
        assert_eq!(circuits.report(&report.candidate).as_ref(), Some(&report));
        assert_eq!(circuits.report(&candidate("another")), None);
        report
    }

    fn is_open(&self) -> bool {
        matches!(self.report().state, CircuitState::Open { .. })
    }
}

fn refused(result: &Result<(), TestError>) -> bool {
    matches!(
        result.as_ref().map_err(|error| &error.layer),
        Err(Some(LayerError::CircuitOpen { .. }))
    )
}

fn down() -> TestError {
    crate::support::fails(FailureKind::Overloaded)
}
