//! An exporter of spans that reports in the log when its collector does not take them.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

/// Logs the first failure of another exporter, and its first success after that.
#[derive(Debug)]
pub(super) struct Reported<E> {
    inner: E,
    is_failing: AtomicBool,
}

impl<E> Reported<E> {
    pub(super) const fn new(inner: E) -> Self {
        Self {
            inner,
            is_failing: AtomicBool::new(false),
        }
    }
}

impl<E: SpanExporter> SpanExporter for Reported<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.inner.export(batch).await;
        let was_failing = self.is_failing.swap(exported.is_err(), Ordering::Relaxed);
        match &exported {
            Err(error) if !was_failing => {
                tracing::warn!(target: "gateway", spans, %error, "the collector does not take spans: they are dropped until it does");
            }
            Ok(()) if was_failing => tracing::info!(target: "gateway", "the collector takes spans again"),
            _ => {}
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
