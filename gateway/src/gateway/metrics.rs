//! The metrics of the process, as Prometheus reads them.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tower_openrouter::layers::observe::{self, METRICS};

/// The recorder of this process, installed with the first gateway. `None` if another one is installed.
pub(super) fn recorder() -> Option<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER.get_or_init(install).clone()
}

fn install() -> Option<PrometheusHandle> {
    let mut with_buckets = METRICS.iter().filter(|metric| !metric.buckets.is_empty());
    let builder = with_buckets.try_fold(PrometheusBuilder::new(), |builder, metric| {
        builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), metric.buckets)
    });
    let handle = builder.unwrap_or_default().install_recorder();
    match handle {
        Ok(handle) => {
            observe::describe();
            observe::keep_handles();
            Some(handle)
        }
        Err(error) => {
            tracing::warn!(target: "gateway", %error, "there are no metrics");
            None
        }
    }
}
