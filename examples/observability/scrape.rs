//! The metrics, as Prometheus scrapes them.

use std::{error::Error, net::SocketAddr, sync::Arc};

use axum::{Router, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, task::JoinHandle};
use tower_openrouter::layers::observe::{self, METRICS};

use super::load::Service;

/// Installs the recorder: each histogram with the buckets that fit it, so that quantiles can be computed over several processes.
pub(crate) fn recorder() -> Result<PrometheusHandle, Box<dyn Error>> {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS.iter().filter(|metric| !metric.buckets.is_empty()) {
        let name = Matcher::Full(metric.name.to_owned());
        builder = builder.set_buckets_for_metric(name, metric.buckets)?;
    }
    let handle = builder.install_recorder()?;
    observe::describe();
    Ok(handle)
}

/// Serves them at `/metrics` of this address.
pub(crate) async fn serve(
    address: &str,
    handle: PrometheusHandle,
    service: Arc<Service>,
) -> Result<(SocketAddr, JoinHandle<()>), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let render = move || {
        service.record();
        handle.run_upkeep();
        std::future::ready(handle.render())
    };
    let router = Router::new().route("/metrics", get(render));
    let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
    Ok((address, task))
}
