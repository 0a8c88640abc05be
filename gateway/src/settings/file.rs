//! Reads a settings file, and checks what the gateway's own settings mean.

use std::{
    collections::HashSet,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use tower_openrouter::{
    layers::MAX_DURATION,
    recording::MIN_MAX_BYTES,
    settings::{
        IdempotencySettings, KeySettings, OrOff, Secret, Settings, SettingsError, SettingsProblem, UpstreamSettings,
    },
};

use super::{Address, GatewaySettings, ServerSettings, StorageSettings, origin, stamp::Stamp};

/// The settings of a gateway, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Those of its stack, without the budgets of client keys.
    pub stack: Settings,
    /// Its own.
    pub own: GatewaySettings,
    /// Where clients call it.
    pub listen: Address,
    /// Where its page and its metrics are, if not there.
    pub admin: Option<Address>,
    /// The file that they were read from.
    pub file: Option<PathBuf>,
    /// How that file, and those that it names, looked before they were read.
    pub(crate) stamp: Stamp,
}

/// Why there are no settings.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// Something is wrong with the file.
    Settings(SettingsError),
    /// There is no file, and no key in the environment.
    NoKey,
}

/// The variable that has the key of OpenRouter if there is no file.
pub(super) const KEY_VARIABLE: &str = "OPENROUTER_API_KEY";

impl Config {
    /// Reads a file. Waits for the disk.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        // Before it is read, so that no change after that is overlooked.
        let stamp = Stamp::of(path);
        let (stack, own) = Settings::from_file_with::<GatewaySettings>(path).map_err(ConfigError::Settings)?;
        let config = Self::checked(stack, own).map_err(ConfigError::Settings)?;
        Ok(Self {
            file: Some(path.to_owned()),
            stamp: stamp.with(&config.stack),
            ..config
        })
    }

    /// Reads TOML.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let (stack, own) = Settings::from_toml_with::<GatewaySettings>(text).map_err(ConfigError::Settings)?;
        Self::checked(stack, own).map_err(ConfigError::Settings)
    }

    /// Without a file: OpenRouter with the key in the environment. The model that a request names is the chain.
    ///
    /// # Errors
    ///
    /// If there is no key.
    pub fn from_environment() -> Result<Self, ConfigError> {
        let has_key = std::env::var_os(KEY_VARIABLE).is_some_and(|key| !key.is_empty());
        if !has_key {
            return Err(ConfigError::NoKey);
        }
        let mut upstream = UpstreamSettings::new("openrouter");
        upstream.key = Some(KeySettings::One(Secret::Env(KEY_VARIABLE.to_owned())));
        let mut stack = Settings::default();
        stack.upstream.push(upstream);
        Self::checked(stack, GatewaySettings::default()).map_err(ConfigError::Settings)
    }

    /// Without a file, for what needs the storage alone: the defaults, without an upstream.
    ///
    /// # Errors
    ///
    /// None: the defaults are right.
    pub fn of_storage() -> Result<Self, ConfigError> {
        Self::checked(Settings::default(), GatewaySettings::default()).map_err(ConfigError::Settings)
    }

    /// The same with another address to listen on.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn listening(mut self, address: &str) -> Result<Self, String> {
        self.listen = address.parse().map_err(|error| format!("--listen: {error}"))?;
        address.clone_into(&mut self.own.listen);
        Ok(self)
    }

    /// The file of the storage, if it is one.
    #[must_use]
    pub fn sqlite(&self) -> Option<PathBuf> {
        let storage = self.own.storage.on().filter(|storage| storage.postgres.is_none())?;
        let file = storage.sqlite.clone();
        Some(file.unwrap_or_else(|| StorageSettings::DEFAULT_FILE.into()))
    }

    fn checked(stack: Settings, own: GatewaySettings) -> Result<Self, SettingsError> {
        let mut wrong = Vec::new();
        let mut address = |key: &str, text: &str| {
            let address = text.parse::<Address>();
            address.map_err(|error| wrong.push(stack.problem(key, error))).ok()
        };
        let listen = address("listen", &own.listen);
        let admin = own.admin.listen.as_deref().map(|text| address("admin.listen", text));
        let problem = |key: &str, message: &str| stack.problem(key, message);
        let reaches_out = admin.flatten().is_some_and(|address| !address.is_loopback());
        if reaches_out && own.admin.token.is_none() {
            wrong.push(problem(
                "admin.listen",
                "other machines reach this address: set `admin.token`, too",
            ));
        }
        if let OrOff::On(storage) = &own.storage
            && storage.sqlite.is_some()
            && storage.postgres.is_some()
        {
            wrong.push(problem(
                "storage.postgres",
                "there is `storage.sqlite` already: keep one of them",
            ));
        }
        wrong.extend(paths(&stack, &own));
        wrong.extend(keep(&stack, &own));
        wrong.extend(keys(&stack, &own));
        wrong.extend(limits(&stack, &own));
        wrong.extend(telemetry(&stack, &own));
        wrong.extend(idempotency(&stack, &own));
        wrong.extend(recording(&stack, &own));
        SettingsError::unless_empty(wrong)?;
        let listen = listen.ok_or_else(|| SettingsError::from(stack.problem("listen", "not an address")))?;
        Ok(Self {
            stack,
            own,
            listen,
            admin: admin.flatten(),
            file: None,
            stamp: Stamp::default(),
        })
    }
}

/// A path without a name is no file: SQLite would keep a database in memory for it.
fn paths(stack: &Settings, own: &GatewaySettings) -> Vec<SettingsProblem> {
    let sqlite = own.storage.on().and_then(|storage| storage.sqlite.as_ref());
    let paths = [("storage.sqlite", sqlite), ("record", own.record.as_ref())];
    let empty = paths
        .into_iter()
        .filter(|(_, path)| path.is_some_and(|path| path.as_os_str().is_empty()));
    empty
        .map(|(key, _)| stack.problem(key, "names no file: write a path, or leave it out"))
        .collect()
}

/// What a budget counts must not be forgotten while its window lasts: keys with budgets by the month may come at any time.
fn keep(stack: &Settings, own: &GatewaySettings) -> Option<SettingsProblem> {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let keep = own.storage.on()?.keep?.0;
    let rolling = stack.budget.iter().filter_map(|budget| budget.rolling);
    let longest = rolling
        .map(|rolling| rolling.0.saturating_add(DAY))
        .fold(32 * DAY, Duration::max);
    let days = longest.as_secs().div_ceil(DAY.as_secs());
    let message = format!(
        "shorter than a window of budgets, which would forget what was spent in it: write \"{days}days\" or more"
    );
    (keep < longest).then(|| stack.problem("storage.keep", message))
}

fn keys(stack: &Settings, own: &GatewaySettings) -> Vec<SettingsProblem> {
    let mut wrong = Vec::new();
    let (mut names, mut hashes) = (HashSet::new(), HashSet::new());
    for (place, key) in own.key.iter().enumerate() {
        let path = |member: &str| {
            let dot = if member.is_empty() { "" } else { "." };
            format!("key[{place}]{dot}{member}")
        };
        wrong.extend(
            key.problems()
                .iter()
                .map(|(member, message)| stack.problem(&path(member), message.as_str())),
        );
        if !names.insert(&key.name) {
            wrong.push(stack.problem(&path("name"), "a second key of this name: give each a name of its own"));
        }
        if !hashes.insert(&key.hash) {
            wrong.push(stack.problem(&path("hash"), "a second key of this hash: each is of one key"));
        }
    }
    for (place, budget) in stack.budget.iter().enumerate() {
        if budget.name.starts_with("key/") {
            let message = "names that begin with `key/` are those of the budgets of client keys: choose another one";
            wrong.push(stack.problem(&format!("budget[{place}].name"), message));
        }
    }
    wrong
}

fn telemetry(stack: &Settings, own: &GatewaySettings) -> Option<SettingsProblem> {
    let url = own.telemetry.otlp.as_deref()?;
    let uri = url.parse::<http::Uri>().ok();
    let is_url = uri.is_some_and(|uri| {
        let has_host = uri
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'));
        matches!(uri.scheme_str(), Some("http" | "https")) && has_host && uri.query().is_none()
    });
    let message = match (cfg!(feature = "otlp"), is_url) {
        (false, _) => {
            "this program is built without the feature `otlp`: build it with `--features otlp`, or take this line out"
        }
        (true, false) => {
            "not the base URL of a collector: write one without user and query, e.g. \"http://127.0.0.1:4318\""
        }
        (true, true) => return None,
    };
    Some(stack.problem("telemetry.otlp", message))
}

fn limits(stack: &Settings, own: &GatewaySettings) -> Vec<SettingsProblem> {
    let server = &own.server;
    let mut wrong = Vec::new();
    for (key, is_wrong, message) in [
        (
            "max_connections",
            server.max_connections == 0,
            "no connection would be accepted: write 1 or more",
        ),
        (
            "max_body_bytes",
            server.max_body_bytes == 0,
            "no request would be taken: write 1 or more",
        ),
        (
            "max_total_body_bytes",
            server.max_total_body_bytes != ServerSettings::default().max_total_body_bytes
                && server.max_total_body_bytes < server.max_body_bytes.saturating_mul(2),
            "a compressed body would have no room with what it decompresses to: write at least twice `server.max_body_bytes`",
        ),
        ("max_header_bytes", server.max_header_bytes < 8192, "write 8192 or more"),
        (
            "max_headers",
            server.max_headers < 16,
            "clients send more headers than that: write 16 or more",
        ),
        (
            "max_streams",
            server.max_streams == 0,
            "no request would be taken: write 1 or more",
        ),
        (
            "header_timeout",
            server.header_timeout.0.is_zero(),
            "no request would come in time: give it some time",
        ),
        (
            "body_timeout",
            server.body_timeout.0.is_zero(),
            "no request would come in time: give it some time",
        ),
        (
            "idle_timeout",
            server.idle_timeout.0.is_zero(),
            "no connection would be kept: give it some time",
        ),
        (
            "write_timeout",
            server.write_timeout.0.is_zero(),
            "no answer would be taken in time: give it some time",
        ),
    ] {
        if is_wrong {
            wrong.push(stack.problem(&format!("server.{key}"), message));
        }
    }
    for (key, time) in [
        ("header_timeout", server.header_timeout),
        ("body_timeout", server.body_timeout),
        ("idle_timeout", server.idle_timeout),
        ("write_timeout", server.write_timeout),
        ("leave_delay", server.leave_delay),
        ("drain_timeout", server.drain_timeout),
    ] {
        if time.0 > MAX_DURATION {
            let message = "longer than any connection lives: write at most 30 years";
            wrong.push(stack.problem(&format!("server.{key}"), message));
        }
    }
    let shared = own.shared.iter();
    let times = shared.flat_map(|shared| [("lease", shared.lease), ("decision_timeout", shared.decision_timeout)]);
    for (key, _) in times.filter(|(_, time)| time.0 > MAX_DURATION) {
        let message = "longer than any process lives: write at most 30 years";
        wrong.push(stack.problem(&format!("shared.{key}"), message));
    }
    for (place, text) in server.cors.iter().enumerate() {
        if let Err(message) = origin(text) {
            wrong.push(stack.problem(&format!("server.cors[{place}]"), message));
        }
    }
    if own.log.filter.parse::<tracing_subscriber::EnvFilter>().is_err() {
        wrong.push(stack.problem(
            "log.filter",
            "not a filter: write a level, or targets with levels, e.g. `info,llm::cost=debug`",
        ));
    }
    wrong
}

/// An answer that is larger than all of the room is never kept. The shared store has bounds of its own.
fn idempotency(stack: &Settings, own: &GatewaySettings) -> Option<SettingsProblem> {
    let keys = stack.idempotency.as_ref()?;
    let usual = IdempotencySettings::new(keys.bytes, keys.tenant.clone());
    if own.shared.is_some() {
        let message =
            "without effect beside `shared`, whose store keeps as many keys as it has memory for: leave it out";
        return (keys.max_keys != usual.max_keys).then(|| stack.problem("idempotency.max_keys", message));
    }
    let is_above = keys.largest != usual.largest && u64::try_from(keys.largest).unwrap_or(u64::MAX) > keys.bytes;
    let message = "more than all of the room: write at most `idempotency.bytes`, or more there";
    is_above.then(|| stack.problem("idempotency.largest", message))
}

fn recording(stack: &Settings, own: &GatewaySettings) -> Option<SettingsProblem> {
    let bytes = own.record_max_bytes?;
    let message = if own.record.is_none() {
        "nothing is recorded: set `record` as well, or leave this out".to_owned()
    } else if bytes < MIN_MAX_BYTES {
        format!("too few for a recording: write {MIN_MAX_BYTES} or more")
    } else {
        return None;
    };
    Some(stack.problem("record_max_bytes", message))
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => error.fmt(f),
            Self::NoKey => write!(
                f,
                "there is no settings file, and `{KEY_VARIABLE}` is not set: set it to a key of OpenRouter, write `--config FILE`, or write `--demo` \
                 for a gateway without key and network"
            ),
        }
    }
}

impl std::error::Error for ConfigError {}
