//! `examples/stack.toml` names every key, and its defaults are the real ones.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tower_openrouter::{Stack, settings::Settings};

use super::all_keys;

const REFERENCE: &str = include_str!("../../examples/stack.toml");

/// The reference with the lines that are commented out: a `#` without a space behind it.
pub(super) fn whole() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(code) if !code.starts_with([' ', '#']) && !code.is_empty() => format!("{code}\n"),
        _ => format!("{line}\n"),
    };
    REFERENCE.lines().map(line).collect()
}

/// The values by their paths, as the schema names them.
fn values(value: &Value, path: &str, found: &mut BTreeMap<String, Vec<Value>>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                found.entry(path.clone()).or_default().push(value.clone());
                values(value, &path, found);
            }
        }
        Value::Array(entries) => entries
            .iter()
            .for_each(|value| values(value, &format!("{path}[]"), found)),
        _ => {}
    }
}

#[test]
fn the_first_example_of_the_docs_can_be_built() {
    let page = include_str!("../../docs/settings.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let key = "env:OPENROUTER_API_KEY";
    assert!(example.contains(key) && example.contains("[[budget]]"), "{example}");
    // Cargo sets it for each test.
    let settings = Settings::from_toml(&example.replace(key, "env:CARGO_PKG_NAME")).unwrap();
    let stack = Stack::from_settings(&settings).unwrap_or_else(|error| panic!("{error}"));
    // All of its models have a price, so that the budget skips none.
    for candidate in &settings.chain {
        assert!(
            settings.prices.iter().any(|price| price.model == candidate.model),
            "{candidate}"
        );
        assert!(stack.describe().contains(&candidate.model), "{}", stack.describe());
    }
}

#[test]
fn as_it_stands_it_is_the_defaults() {
    let mut settings = Settings::from_toml(REFERENCE).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        !settings.upstream.is_empty() && !settings.chain.is_empty(),
        "it can be used as it is"
    );
    settings.upstream.clear();
    settings.chain.clear();
    assert_eq!(settings, Settings::default());
}

#[test]
fn it_names_every_key_and_each_default() {
    let text = whole();
    let settings = Settings::from_toml(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_ne!(settings, Settings::default());
    let mut found = BTreeMap::new();
    let tree: Value = toml::from_str(&text).unwrap();
    values(&tree, "", &mut found);
    let keys = all_keys();
    // A candidate as a table is the same in both lists: it is shown once.
    let shown = |path: &str| {
        found
            .get(path)
            .or_else(|| found.get(&path.replacen("chain[]", "cheaper[]", 1)))
    };
    let missing: BTreeSet<_> = keys
        .iter()
        .map(|key| &key.path)
        .filter(|path| shown(path).is_none())
        .collect();
    assert!(missing.is_empty(), "not in examples/stack.toml: {missing:?}");
    for key in keys.iter().filter(|key| key.is_value) {
        let own = ["chain", "cheaper", "upstream", "budget", "prices"];
        let (Some(default), false) = (&key.default, own.contains(&key.path.as_str())) else {
            continue;
        };
        if default.is_object() && !default.as_object().unwrap().is_empty() {
            continue; // its keys have their own
        }
        let values = shown(&key.path).unwrap();
        let is_same =
            |value: &Value| value == default || value.as_f64().is_some_and(|value| Some(value) == default.as_f64());
        assert!(
            values.iter().any(is_same),
            "`{}` is {values:?}, and by default {default}",
            key.path
        );
    }
}

#[test]
fn each_key_has_one_line_that_says_what_it_is() {
    for line in whole().lines().filter(|line| line.contains(" = ")) {
        let code = line.split("  # ").next().unwrap();
        assert!(
            line.trim_start().starts_with('#') || line.contains("  # "),
            "no comment: {line}"
        );
        assert!(code.len() < 100, "{line}");
    }
}
