//! The log: lines for people, or JSON objects. Spans for a collector stand beside it, with a filter of their own.

use std::{
    io::{IsTerminal, stderr},
    os::fd::AsFd,
};

use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::{lines::Lines, print::Failed, telemetry::Telemetry};
use crate::settings::{GatewaySettings, LogFormat};

/// Begins to log to standard error, and to export spans if a collector is set. Without effect if something logs already.
pub(super) fn begin(settings: &GatewaySettings) -> Result<Telemetry, Failed> {
    let filter = EnvFilter::try_new(&settings.log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // Not by the standard library's handle, whose lock the threads of the runtime wait for.
    let lines_to = stderr()
        .as_fd()
        .try_clone_to_owned()
        .map(|file| Lines::new(file.into()));
    let lines_to = lines_to.map_err(|error| Failed::new(format!("standard error cannot be written: {error}")))?;
    let lines = match settings.log.format {
        LogFormat::Text => {
            let colours = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            fmt::layer().with_ansi(colours).with_writer(lines_to).boxed()
        }
        LogFormat::Json => fmt::layer().json().with_writer(lines_to).boxed(),
    };
    let telemetry = Telemetry::new(&settings.telemetry)?;
    let registry = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(telemetry.layer());
    drop(registry.try_init());
    Ok(telemetry)
}
