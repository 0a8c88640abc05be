//! The cases of the JSON-Schema-Test-Suite: no value that fits is failed, and what is not checked or not found is a pinned list.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use super::schema::Schema;

/// A schema, and values with what the suite says of them.
#[derive(Deserialize)]
struct Group {
    description: String,
    schema: Value,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    description: String,
    data: Value,
    valid: bool,
}

/// What came of all cases of a draft.
#[derive(Default)]
struct Found {
    /// Cases whose schema is held to.
    checked: usize,
    /// Schemas that are not used, by the suite's file.
    unused: BTreeMap<String, usize>,
    /// Values that fit, and were failed all the same.
    false_alarms: Vec<String>,
    /// Values that do not fit, although their schema is held to.
    missed: Vec<String>,
}

fn suite(draft: &str) -> BTreeMap<String, Vec<Group>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/json-schema-suite/{draft}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn run(draft: &str, default_schema: Option<&str>) -> Found {
    let mut found = Found::default();
    for (file, groups) in suite(draft) {
        for mut group in groups {
            // The suite's older drafts do not say in each schema which they are.
            if let (Some(name), Some(schema)) = (default_schema, group.schema.as_object_mut()) {
                schema.entry("$schema").or_insert_with(|| json!(name));
            }
            let schema = Schema::compile("suite", &group.schema);
            let is_used = matches!(schema, Schema::Compiled(..));
            if !is_used {
                *found.unused.entry(file.clone()).or_default() += 1;
            }
            for case in group.tests {
                let problem = schema.problem(&case.data.to_string());
                let name = format!("{file}: {}: {}", group.description, case.description);
                found.checked += usize::from(is_used);
                match (case.valid, problem) {
                    (true, Some(problem)) => found.false_alarms.push(format!("{name}: {problem}")),
                    (false, None) if is_used => found.missed.push(name),
                    _ => {}
                }
            }
        }
    }
    found
}

#[track_caller]
fn holds(found: &Found, checked: usize, unused: &[(&str, usize)]) {
    assert_eq!(found.false_alarms, Vec::<String>::new(), "false alarms");
    assert_eq!(found.missed, Vec::<String>::new(), "not found");
    let counts: Vec<_> = found
        .unused
        .iter()
        .map(|(file, count)| (file.as_str(), *count))
        .collect();
    assert_eq!(counts, unused, "schemas that are not used, by file");
    assert_eq!(found.checked, checked, "cases that were checked");
}

/// Not used: references by an anchor, to another document or to a schema with an identity of its own, dynamic ones, and unknown meta-schemas.
#[test]
fn no_false_alarm_in_the_suite_of_draft_2020_12() {
    let unused = [
        ("anchor", 4),
        ("defs", 1),
        ("dynamicRef", 21),
        ("ref", 16),
        ("unevaluatedItems", 1),
        ("unevaluatedProperties", 1),
        ("vocabulary", 2),
    ];
    holds(&run("draft2020-12", None), 1171, &unused);
}

#[test]
fn no_false_alarm_in_the_suite_of_draft_7() {
    let draft = "http://json-schema.org/draft-07/schema#";
    holds(&run("draft7", Some(draft)), 868, &[("definitions", 1), ("ref", 16)]);
}
