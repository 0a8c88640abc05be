//! Settings from a file: each key has an effect, everything that is wrong is reported with its place, and nothing is lost when they are replaced.

mod accounts;
mod attempts;
mod elsewhere;
mod keys;
mod late_bills;
mod limits;
mod money;
mod out_of_range;
mod play;
mod reading;
mod reference;
mod reload;
mod scene;
mod schema;
mod sent;
mod setters;
mod time;

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use serde_json::Value;
use tower_openrouter::settings::Settings;

/// A file of this test's own, with this text.
pub(crate) fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("settings-{}-{name}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

/// The place of a key that the simulator takes, as settings write it. Written once: other tests may be reading it.
pub(crate) fn key() -> String {
    static PLACE: OnceLock<String> = OnceLock::new();
    let write = || file("a.key", "sk-or-v1-0123456789abcdef0123456789abtest\n");
    PLACE.get_or_init(|| format!("file:{}", write().display())).clone()
}

/// A key of the schema, by its path: `[]` stands for each entry of a list.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) path: String,
    pub(crate) about: String,
    pub(crate) default: Option<Value>,
    pub(crate) takes: Vec<String>,
    /// Whether it has a value of its own, and not only keys below it.
    pub(crate) is_value: bool,
}

/// Every key of the schema, those of tables before those in them.
pub(crate) fn all_keys() -> Vec<Key> {
    let mut keys = Vec::new();
    note(Settings::schema(), "", &mut keys);
    keys
}

fn branches(schema: &Value) -> Vec<&Value> {
    match schema.get("anyOf").or(schema.get("oneOf")).and_then(Value::as_array) {
        Some(all) => all.iter().flat_map(branches).collect(),
        None => vec![schema],
    }
}

fn note(schema: &Value, path: &str, keys: &mut Vec<Key>) {
    for branch in branches(schema) {
        if let Some(items) = branch.get("items") {
            note(items, &format!("{path}[]"), keys);
        }
        for (name, member) in branch
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let text = |name: &str| {
                member
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .replace('\n', " ")
            };
            keys.push(Key {
                path: path.clone(),
                about: text("description"),
                default: member.get("default").cloned(),
                takes: takes(member),
                is_value: branches(member).into_iter().any(has_value),
            });
            note(member, &path, keys);
        }
    }
}

/// Whether a branch is more than a table of known keys, or a list of such.
fn has_value(branch: &Value) -> bool {
    if branch.get("type").is_some_and(|of| *of == "null") {
        return false;
    }
    match branch.get("items") {
        Some(items) => branches(items).into_iter().any(has_value),
        None => branch.get("properties").is_none(),
    }
}

/// What it takes, in words.
fn takes(schema: &Value) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for branch in branches(schema) {
        let words = branch
            .get("enum")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .chain(branch.get("const"));
        let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
        let types = match branch.get("type") {
            _ if !words.is_empty() => words,
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => vec!["anything".to_owned()],
        };
        for of in types.into_iter().filter(|of| of != "null") {
            let of = match (&*of, branch.get("x-kind").and_then(Value::as_str), branch.get("items")) {
                ("string", Some(kind), _) => kind.to_owned(),
                ("string", None, _) => "text".to_owned(),
                ("object", ..) => "table".to_owned(),
                ("array", _, Some(items)) => format!("list of {}", takes(items).join(" or ")),
                ("boolean", ..) => "`true`, `false`".to_owned(),
                ("integer", ..) => "whole number".to_owned(),
                _ => of,
            };
            if !all.contains(&of) {
                all.push(of);
            }
        }
    }
    all
}
