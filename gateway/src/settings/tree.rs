//! The gateway's own settings, by their names in the file.

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use tower_openrouter::settings::{OrOff, Secret, Time};

use super::{Place, key::KeyEntry};

/// The settings of a gateway beside those of its stack.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GatewaySettings {
    /// The address that clients call.
    pub listen: String,
    /// Access to the page, the metrics and the JSON routes beside it.
    pub admin: AdminSettings,
    /// Client keys. Further ones stand in the storage's database.
    pub key: Vec<KeyEntry>,
    /// Where the ledger and the client keys are kept; `off` keeps nothing.
    pub storage: OrOff<StorageSettings>,
    /// Shares budgets, limits and idempotency keys with other gateways. Off by default.
    pub shared: Option<SharedSettings>,
    /// Limits and timeouts of connections.
    pub server: ServerSettings,
    /// What is logged, and how.
    pub log: LogSettings,
    /// Where spans go.
    pub telemetry: TelemetrySettings,
    /// A file to which the behaviour of the upstreams is recorded, without any content: `openrouter-gateway replay` reads it. Off by default.
    pub record: Option<PathBuf>,
    /// The most bytes of the recording, the file before it included.
    pub record_max_bytes: Option<u64>,
    /// Whether models and prices are read from OpenRouter every hour. Without effect if `catalogue` or `prices` is set.
    pub refresh_catalogue: bool,
}

/// Access to the page, the metrics and the JSON routes beside it. Open on a loopback address by default, off on any other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSettings {
    /// An address of their own; by default that of the clients.
    pub listen: Option<String>,
    /// A token that they need, as a bearer token or as the password of a browser's basic authentication.
    pub token: Option<Secret>,
}

/// Where the ledger and the client keys are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StorageSettings {
    /// An SQLite file, for one gateway.
    pub sqlite: Option<PathBuf>,
    /// The URL of a PostgreSQL database, for any number of gateways: `env:NAME` or `file:PATH`, or itself if it has no password.
    pub postgres: Option<Place>,
    /// The longest that the ledger and the shared store are written to at the end.
    pub close_timeout: Time,
    /// How long entries of the ledger are kept, 32 days at least: older ones are forgotten once a day, but for the sums of what they spent, by client key
    /// and the tags that the gateway's budgets count by at that time. A budget without a window by another tag that is added later does not count them. All
    /// by default.
    pub keep: Option<Time>,
}

/// The store of budgets, limits and idempotency keys that several gateways share.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SharedSettings {
    /// The URL of a Redis or Valkey server: `env:NAME` or `file:PATH`, or itself if it has no password.
    pub redis: Place,
    /// What all of its keys begin with.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// How long a reservation lives without its process.
    #[serde(default = "lease")]
    pub lease: Time,
    /// How long a decision may take.
    #[serde(default = "decision_timeout")]
    pub decision_timeout: Time,
}

fn prefix() -> String {
    "{llm}".to_owned()
}

fn lease() -> Time {
    Duration::from_secs(60).into()
}

fn decision_timeout() -> Time {
    Duration::from_millis(250).into()
}

/// Limits and timeouts of connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// Connections at once. More of them wait to be accepted.
    pub max_connections: u32,
    /// The largest request body, in bytes, also once it is decompressed.
    pub max_body_bytes: usize,
    /// The most bytes of all request bodies that are read or held at once, twice `max_body_bytes` at least. A client key has a quarter of them, or
    /// twice `max_body_bytes` if that is more.
    pub max_total_body_bytes: usize,
    /// The largest head of a request, in bytes.
    pub max_header_bytes: u32,
    /// The most headers of a request.
    pub max_headers: u16,
    /// Requests at once on one HTTP/2 connection.
    pub max_streams: u32,
    /// How long the head of a request may take to come.
    pub header_timeout: Time,
    /// How long nothing of a request's body may come. One that is slower than 4 KiB/s is refused after this time, too.
    pub body_timeout: Time,
    /// How long a connection may stay without a request.
    pub idle_timeout: Time,
    /// How long a client may take none of an answer that is ready.
    pub write_timeout: Time,
    /// The origins of pages that may call the client routes from a browser, such as `https://chat.example.org`. None by default.
    pub cors: Vec<String>,
    /// How long requests are still accepted at a shutdown, while `/readyz` says 503.
    pub leave_delay: Time,
    /// How long answers in progress may take to end at a shutdown. Then each ends with the error of its API.
    pub drain_timeout: Time,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// The form of a line.
    pub format: LogFormat,
    /// What is logged: a level, or targets with levels, such as `info,llm::cost=debug`.
    pub filter: String,
}

/// Where spans go. Nowhere by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// The base URL of a collector of OpenTelemetry, OTLP over HTTP, such as `http://127.0.0.1:4318`. It needs the feature `otlp` of the program.
    pub otlp: Option<String>,
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            admin: AdminSettings::default(),
            key: Vec::new(),
            storage: OrOff::default(),
            shared: None,
            server: ServerSettings::default(),
            log: LogSettings::default(),
            telemetry: TelemetrySettings::default(),
            record: None,
            record_max_bytes: None,
            refresh_catalogue: true,
        }
    }
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            sqlite: None,
            postgres: None,
            close_timeout: Duration::from_secs(8).into(),
            keep: None,
        }
    }
}

impl StorageSettings {
    /// The SQLite file that is used if nothing else is set.
    pub const DEFAULT_FILE: &'static str = "gateway.db";
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_body_bytes: 20 * 1024 * 1024,
            max_total_body_bytes: 512 * 1024 * 1024,
            max_header_bytes: 64 * 1024,
            max_headers: 100,
            max_streams: 200,
            header_timeout: Duration::from_secs(10).into(),
            body_timeout: Duration::from_secs(30).into(),
            idle_timeout: Duration::from_secs(75).into(),
            write_timeout: Duration::from_secs(60).into(),
            cors: Vec::new(),
            // Proxies such as Kubernetes' send connections for a moment after the signal.
            leave_delay: Duration::from_secs(2).into(),
            drain_timeout: Duration::from_secs(18).into(),
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: "info".to_owned(),
        }
    }
}
