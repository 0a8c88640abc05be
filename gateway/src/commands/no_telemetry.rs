//! Without the feature `otlp` no spans are exported; a setting that asks for it is refused.

use std::time::Duration;

use tracing_subscriber::layer::Identity;

use super::print::Failed;
use crate::settings::TelemetrySettings;

/// No exporter, and no layer.
#[derive(Debug)]
pub(super) struct Telemetry(Option<Identity>);

impl Telemetry {
    /// The settings were checked: none asks for an exporter.
    pub(super) const fn new(_: &TelemetrySettings) -> Result<Self, Failed> {
        Ok(Self(None))
    }

    /// No layer.
    pub(super) fn layer(&self) -> Option<Identity> {
        self.0.clone()
    }

    /// There is nothing to send.
    pub(super) fn end(self, _: Duration) -> std::future::Ready<()> {
        let Self(_layer) = self;
        std::future::ready(())
    }
}
