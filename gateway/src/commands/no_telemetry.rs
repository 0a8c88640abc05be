//! Without the feature `otlp` no spans are exported; a setting that asks for it is refused.

use std::time::Duration;

use tracing_subscriber::layer::Identity;

use super::print::Failed;
use crate::settings::TelemetrySettings;

/// No exporter.
#[derive(Debug)]
pub(super) struct Telemetry;

impl Telemetry {
    /// The settings were checked: none asks for an exporter.
    #[expect(clippy::unnecessary_wraps, reason = "with the feature it fails")]
    pub(super) const fn new(_: &TelemetrySettings) -> Result<Self, Failed> {
        Ok(Self)
    }

    /// No layer.
    pub(super) const fn layer(&self) -> Option<Identity> {
        None
    }

    /// There is nothing to send.
    pub(super) fn end(self, _: Duration) -> std::future::Ready<()> {
        std::future::ready(())
    }
}
