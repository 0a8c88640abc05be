//! The settings file: what is wrong with one, and the reference.

use std::time::Duration;

use openrouter_gateway::settings::{Config, GatewaySettings, ServerSettings, StorageSettings};
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The members of a table, by its schema; none of any other value.
fn members(schema: &Value) -> Vec<(&String, &Value)> {
    let branches = schema["anyOf"].as_array().into_iter().flatten();
    let mut branches = std::iter::once(schema).chain(branches);
    let table = branches.find_map(|branch| branch["properties"].as_object());
    table.into_iter().flatten().collect()
}

/// The gateway's own keys as a file writes them, by the schema that files are checked by: `listen`, `server.cors`, and those of a `[[key]]` by their
/// names alone.
pub(crate) fn own_keys() -> Vec<String> {
    let mut settings = SchemaSettings::draft2020_12().for_deserialize();
    settings.inline_subschemas = true;
    let schema = settings.into_generator().into_root_schema_for::<GatewaySettings>();
    let (schema, mut keys) = (schema.to_value(), Vec::new());
    for (name, schema) in members(&schema) {
        let (table, list) = (members(schema), members(&schema["items"]));
        if table.is_empty() && list.is_empty() {
            keys.push(name.clone());
        }
        keys.extend(table.iter().map(|(member, _)| format!("{name}.{member}")));
        keys.extend(list.iter().map(|(member, _)| (*member).clone()));
    }
    keys
}

#[test]
fn the_own_keys_are_those_of_tables_and_lists_too() {
    let keys = own_keys();
    for key in [
        "listen",
        "storage.keep",
        "shared.prefix",
        "server.cors",
        "telemetry.otlp",
        "expires",
    ] {
        assert!(keys.iter().any(|known| known == key), "{key}: {keys:?}");
    }
    for table in ["storage", "shared", "server", "key"] {
        assert!(keys.iter().all(|known| known != table), "{table}: {keys:?}");
    }
}

fn wrong(text: &str) -> String {
    Config::from_toml(text).unwrap_err().to_string()
}

#[test]
fn everything_that_is_wrong_has_line_and_column_and_the_nearest_key() {
    let told = wrong(
        "lisen = \"a\"\nfirst_token_timout = \"1s\"\n[server]\nmax_conections = 1\n[[key]]\nname = \"a\"\nhash = 1\n",
    );
    for part in [
        "line 1, column 1: unknown key `lisen`; did you mean `listen`?",
        "line 2, column 1: unknown key `first_token_timout`; did you mean `first_token_timeout`?",
        "line 4, column 1: unknown key `server.max_conections`; did you mean `server.max_connections`?",
        "line 7, column 8: `key[0].hash`: expected a text",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused_with_its_place() {
    let hash = format!("sha256:{}", "0".repeat(64));
    for (text, part) in [
        ("listen = \"here\"", "line 1, column 10: `listen`: not an address"),
        (
            "admin.listen = \"0.0.0.0:1\"",
            "`admin.listen`: other machines reach this address",
        ),
        (
            "storage = { sqlite = \"a\", postgres = \"env:URL\" }",
            "`storage.postgres`: there is `storage.sqlite` already",
        ),
        (
            "storage.keep = \"7days\"",
            "`storage.keep`: shorter than a window of budgets, which would forget what was spent in it: write \"32days\" or more",
        ),
        (
            "storage.keep = \"90days\"\nbudget = [{ name = \"a\", usd = \"1\", rolling = \"100days\" }]",
            "write \"101days\" or more",
        ),
        ("storage.sqlite = \"\"", "`storage.sqlite`: names no file"),
        ("record = \"\"", "`record`: names no file"),
        (
            "server.max_total_body_bytes = 20971520",
            "`server.max_total_body_bytes`: a compressed body would have no room",
        ),
        (
            "idempotency = { bytes = 1000, tenant = \"global\", max_keys = 5 }\nshared.redis = \"redis://127.0.0.1:1\"",
            "`idempotency.max_keys`: without effect beside `shared`",
        ),
        ("[server]\nmax_headers = 1", "line 2, column 15: `server.max_headers`"),
        (
            "server.cors = [\"https://a.example\", \"https://a.example/\"]",
            "`server.cors[1]`: not an origin",
        ),
        (
            "server.header_timeout = \"400000000000years\"",
            "`server.header_timeout`: longer than any connection lives",
        ),
        (
            "server.body_timeout = \"31years\"",
            "`server.body_timeout`: longer than any connection lives",
        ),
        (
            "server.idle_timeout = \"31years\"",
            "`server.idle_timeout`: longer than any connection lives",
        ),
        (
            "server.write_timeout = \"31years\"",
            "`server.write_timeout`: longer than any connection lives",
        ),
        (
            "server.leave_delay = \"31years\"",
            "`server.leave_delay`: longer than any connection lives",
        ),
        (
            "server.drain_timeout = \"31years\"",
            "`server.drain_timeout`: longer than any connection lives",
        ),
        (
            "shared = { redis = \"redis://127.0.0.1:1\", lease = \"31years\" }",
            "`shared.lease`: longer than any process lives",
        ),
        (
            "shared = { redis = \"redis://127.0.0.1:1\", decision_timeout = \"31years\" }",
            "`shared.decision_timeout`: longer than any process lives",
        ),
        (
            "storage.keep = \"90days\"\nbudget = [{ name = \"a\", usd = \"1\", rolling = \"18446744073709551615s\" }]",
            "`storage.keep`: shorter than a window of budgets",
        ),
        (
            "idempotency = { bytes = 1000, tenant = \"global\", largest = 2000 }",
            "line 1, column 60: `idempotency.largest`: more than all of the room",
        ),
        ("log.filter = \"llm=loud\"", "`log.filter`: not a filter"),
        (
            "key = [{ name = \"a b\", hash = \"HASH\" }]",
            "`key[0].name`: use 1 to 48 letters",
        ),
        (
            "key = [{ name = \"a\", hash = \"sk-gw-s3cr3t\" }]",
            "`key[0].hash`: not a hash",
        ),
        (
            "key = [{ name = \"a\", hash = \"HASH\" }, { name = \"a\", hash = \"HASH\" }]",
            "`key[1].name`: a second key of this name",
        ),
        (
            "key = [{ name = \"a\", hash = \"HASH\", expires = \"soon\" }]",
            "`key[0].expires`: not a date",
        ),
        (
            "key = [{ name = \"a\", hash = \"HASH\", models = [\"a*b\"] }]",
            "`key[0].models[0]`: write a model",
        ),
        (
            "key = [{ name = \"a\", hash = \"HASH\", concurrency = 0 }]",
            "`key[0]`:",
        ),
        (
            "key = [{ name = \"a\", hash = \"HASH\", budget = [{ usd = 5 }] }]",
            "`key[0].budget[0].usd`: expected a text",
        ),
        (
            "key = [{ name = \"a\", hash = \"HASH\", budget = [{ usd = \"1\" }, { usd = \"2\" }] }]",
            "`key[0].budget[1].per`: a second budget for the same window",
        ),
        ("record_max_bytes = 70000", "`record_max_bytes`: nothing is recorded"),
        (
            "record = \"a\"\nrecord_max_bytes = 1",
            "line 2, column 20: `record_max_bytes`: too few",
        ),
        (
            "budget = [{ name = \"key/a\", usd = \"1\" }]",
            "`budget[0].name`: names that begin with `key/`",
        ),
    ] {
        let told = wrong(&text.replace("HASH", &hash));
        assert!(told.contains(part), "{text}: {told}");
        assert!(!told.contains("s3cr3t"), "{told}");
    }
}

#[test]
fn the_longest_times_and_answers_larger_than_the_room_of_a_process_beside_a_shared_store_are_taken() {
    let upstream = "[[upstream]]\nname = \"openrouter\"\nkey = \"env:OPENROUTER_API_KEY\"\n";
    for text in [
        "server.header_timeout = \"30years\"\nserver.write_timeout = \"30years\"\n",
        "server.max_body_bytes = 1073741824\n",
        "idempotency = { bytes = 1000, tenant = \"global\" }\n",
        "idempotency = { bytes = 2000, tenant = \"global\", largest = 2000 }\n",
        "idempotency = { bytes = 1000, tenant = \"global\", largest = 2000 }\nshared.redis = \"redis://127.0.0.1:1\"\n",
    ] {
        assert!(Config::from_toml(&format!("{text}{upstream}")).is_ok(), "{text}");
    }
}

#[test]
fn a_collector_needs_the_feature_and_a_base_url() {
    let (good, bad) = (
        "http://127.0.0.1:4318",
        ["", "127.0.0.1:4318", "ftp://a", "http://u:s3cr3t@a"],
    );
    let upstream = "[[upstream]]\nname = \"openrouter\"\nkey = \"env:OPENROUTER_API_KEY\"\n";
    let read = |url: &str| Config::from_toml(&format!("telemetry.otlp = \"{url}\"\n{upstream}"));
    if cfg!(feature = "otlp") {
        read(good).unwrap();
    } else {
        assert!(
            read(good)
                .unwrap_err()
                .to_string()
                .contains("without the feature `otlp`")
        );
    }
    for url in bad {
        let told = read(url).unwrap_err().to_string();
        assert!(
            told.contains("`telemetry.otlp`:") && !told.contains("s3cr3t"),
            "{url}: {told}"
        );
    }
}

#[test]
fn by_default_a_shutdown_is_seen_before_the_listener_closes_and_ends_within_30_s() {
    let (server, storage) = (ServerSettings::default(), StorageSettings::default());
    let leave = server.leave_delay.0;
    assert!(leave >= Duration::from_secs(2), "{leave:?}");
    let cut = Duration::from_secs(1);
    let all = leave + server.drain_timeout.0 + cut + storage.close_timeout.0;
    assert!(all < Duration::from_secs(30), "{all:?}");
}

#[test]
fn the_reference_names_every_key_with_its_default() {
    let reference = include_str!("../gateway.toml");
    let config = Config::from_toml(reference).unwrap();
    let default = Config::from_toml("[[upstream]]\nname = \"openrouter\"\nkey = \"env:OPENROUTER_API_KEY\"").unwrap();
    assert_eq!(config.own, default.own, "what is not commented out is the default");
    // A `#` without a space behind it stands before a key that is off by default.
    let all: String = reference
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with(' '))
                .unwrap_or(line)
                .to_owned()
                + "\n"
        })
        .collect();
    let mut all = all.replace("storage.postgres", "# storage.postgres");
    if !cfg!(feature = "otlp") {
        all = all.replace("telemetry.otlp", "# telemetry.otlp");
    }
    Config::from_toml(&all).unwrap_or_else(|error| panic!("{error}\n{all}"));
    for key in own_keys() {
        let stands = reference
            .lines()
            .any(|line| line.trim_start_matches('#').starts_with(&format!("{key} = ")));
        assert!(stands, "{key}");
    }
}
