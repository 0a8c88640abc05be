//! What a schema allows, in words: for messages about a value that it does not.

use serde_json::Value;

use super::{
    schema::{allows, branches, words},
    source::push,
    text,
};

/// Whether a schema says nothing of its values.
pub(super) fn is_open(members: &serde_json::Map<String, Value>) -> bool {
    ["anyOf", "oneOf", "enum", "const"]
        .iter()
        .all(|name| !members.contains_key(*name))
}

/// The kind of a text.
pub(super) fn kind(schema: &Value) -> Option<&str> {
    schema.get(text::KIND)?.as_str()
}

/// What the branches allow, in words.
pub(super) fn expected(branches: &[&Value]) -> String {
    let types = [
        ("boolean", "true or false"),
        ("integer", "a whole number"),
        ("number", "a number"),
        ("string", "a text"),
        ("array", "a list"),
        ("object", "a table"),
    ];
    let allowed = types.into_iter().filter(|(name, _)| {
        branches
            .iter()
            .any(|branch| allows(branch, name) && words(branch).next().is_none())
    });
    let mut all: Vec<String> = allowed.map(|(_, words)| words.to_owned()).collect();
    for branch in branches {
        if let Some(example) = branch
            .get("examples")
            .and_then(|examples| examples.get(0))
            .and_then(Value::as_str)
        {
            all.push(format!("such as \"{example}\""));
        }
        all.extend(words(branch).map(|word| format!("\"{word}\"")));
    }
    all.join(" or ").replace(" or such as", " such as")
}

/// The path of a key of this name in another table.
pub(super) fn elsewhere(schema: &Value, name: &str) -> Option<String> {
    fn find(schema: &Value, name: &str, path: &mut String) -> bool {
        branches(schema).into_iter().any(|branch| {
            let length = path.len();
            if let Some(items) = branch.get("items") {
                path.push_str("[]");
                if find(items, name, path) {
                    return true;
                }
                path.truncate(length);
            }
            let members = branch.get("properties").and_then(Value::as_object);
            members.into_iter().flatten().any(|(member, schema)| {
                push(path, member);
                if member == name || find(schema, name, path) {
                    return true;
                }
                path.truncate(length);
                false
            })
        })
    }
    let mut path = String::new();
    find(schema, name, &mut path).then_some(path)
}
