//! The schema and the table in the docs are those of the code.

use std::{fs, path::Path};

use tower_openrouter::settings::Settings;

use super::all_keys;

const BEGIN: &str =
    "<!-- The table is generated: UPDATE_SETTINGS=1 cargo nextest run --all-features settings::schema -->\n";

/// A file of the repository that must be as given. With `UPDATE_SETTINGS` in the environment it is written.
fn is_current(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_SETTINGS").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} is stale: run this test with UPDATE_SETTINGS=1",
        path.display()
    );
}

#[test]
fn the_schema_in_the_docs_is_current() {
    let schema = serde_json::to_string_pretty(&sorted(Settings::schema())).unwrap();
    is_current("docs/settings.schema.json", &format!("{schema}\n"));
}

/// The same with its keys in order, whatever the features of the JSON library.
fn sorted(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            members
                .into_iter()
                .map(|(name, value)| (name.clone(), sorted(value)))
                .collect()
        }
        serde_json::Value::Array(values) => values.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[test]
fn the_table_in_the_docs_is_current() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md")).unwrap();
    let (before, _) = page.split_once(BEGIN).expect("the page has the mark before its table");
    is_current("docs/settings.md", &format!("{before}{BEGIN}\n{}", table()));
}

fn table() -> String {
    let mut keys = all_keys();
    keys.sort_by(|one, other| one.path.cmp(&other.path));
    let mut table = "| key | takes | default | what |\n| --- | --- | --- | --- |\n".to_owned();
    // A candidate is the same in both lists.
    for key in keys.iter().filter(|key| !key.path.starts_with("cheaper[]")) {
        assert!(!key.about.is_empty(), "`{}` has no description", key.path);
        let default = match &key.default {
            Some(serde_json::Value::Object(_)) | None => String::new(),
            Some(value) => format!("`{value}`"),
        };
        let takes = key.takes.join(" or ");
        table.push_str(&format!(
            "| `{}` | {takes} | {default} | {} |\n",
            key.path,
            key.about.replace('|', "\\|")
        ));
    }
    table
}
