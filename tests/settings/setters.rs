//! No setter of the builder is forgotten: each has a key, or is named here as one for code alone.

use std::{collections::BTreeSet, fs, path::Path};

use super::all_keys;

/// Setters that take what no file can hold.
const CODE_ONLY: [&str; 19] = [
    "around_attempt",
    "around_call",
    "budget_store",
    "budgets",  // accounts: see `SettingsHandleBuilder::budgets`
    "circuits", // shared: see `circuit_breaker`
    "classify",
    "connections", // a closure; its setters are checked below
    "events",
    "keys", // of an inner service; `upstream[].key` otherwise
    "ledger",
    "pauses", // shared
    "reconciler",
    "tags",
    "tenant_limit_store",
    "upstream_limit_store",
    "candidate", // one entry of `chain`
    "build",
    "build_over",
    "from_settings",
];

/// The names of the functions with `self` by value in these files.
fn setters(folder: &str, of: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut names = BTreeSet::new();
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.is_file()) {
        let text = fs::read_to_string(path).unwrap();
        let impls = text.split("\nimpl").skip(1).filter(|part| {
            let head = part.split('{').next().unwrap_or_default();
            head.contains(of) && !head.contains(" for ")
        });
        for part in impls {
            let body = part.split("\n}").next().unwrap_or_default();
            for line in body.split("pub ").skip(1) {
                let line = line.trim_start_matches("const ");
                let Some((name, rest)) = line.strip_prefix("fn ").and_then(|line| line.split_once(['<', '('])) else {
                    continue;
                };
                let arguments = rest.split("->").next().unwrap_or_default();
                if arguments.contains("self,") || arguments.contains("self)") {
                    names.insert(name.to_owned());
                }
            }
        }
    }
    names
}

#[test]
fn each_setter_of_the_builder_has_a_key() {
    let keys: BTreeSet<String> = all_keys().into_iter().map(|key| key.path).collect();
    let setters = setters("src/stack", "StackBuilder<");
    assert!(setters.len() > 50, "{setters:?}");
    let missing: Vec<_> = setters
        .iter()
        .filter(|name| !keys.contains(*name) && !CODE_ONLY.contains(&name.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "no key of the settings, and not in CODE_ONLY: {missing:?}"
    );
}

#[test]
fn each_setter_of_the_connections_has_a_key() {
    let keys: BTreeSet<String> = all_keys().into_iter().map(|key| key.path).collect();
    let elsewhere = [
        "upstream",
        "attribution",
        "max_event_bytes",
        "trailer_timeout",
        "proxy_from_environment",
        "build",
        "observer",
    ];
    let setters = setters("src/transport", "TransportBuilder ");
    assert!(setters.len() > 10, "{setters:?}");
    let has_key = |name: &String| elsewhere.contains(&name.as_str()) || keys.contains(&format!("connections.{name}"));
    let missing: Vec<_> = setters.iter().filter(|name| !has_key(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
