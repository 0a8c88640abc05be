//! The models that a request names beside its own: those of tools and plugins that the upstream runs.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::ClientKey;

/// Tools of the client: the upstream does not run them, and a schema may well have a member `model`.
const OF_CLIENT: [&str; 2] = ["function", "custom"];

/// A group of tools, as Codex sends those of its subagents.
const NAMESPACE: &str = "namespace";

/// Tools and plugins of the upstream that call no model. Any other one must name its models: one that is not known here may choose them.
const CALL_NO_MODEL: [&str; 17] = [
    "openrouter:apply_patch",
    "openrouter:bash",
    "openrouter:datetime",
    "openrouter:experimental__search_models",
    "openrouter:shell",
    "openrouter:text_editor",
    "openrouter:tool_search",
    "openrouter:web_fetch",
    "openrouter:web_search",
    "armor",
    "context-compression",
    "file-parser",
    "moderation",
    "pdf-inputs",
    "response-healing",
    "web",
    "web-fetch",
];

/// Members that name the models of a fusion: without one of them the upstream chooses.
const OF_FUSION: [&str; 2] = ["analysis_models", "model"];

/// Whether this model is one of a stored preset, whose content is not known here.
pub(super) fn is_preset(model: &str) -> bool {
    model.to_ascii_lowercase().contains("@preset")
}

/// Whether the key allows this model, which is no preset.
pub(super) fn allows(key: &ClientKey, model: &str) -> bool {
    !is_preset(model) && key.allows(model)
}

/// What is not allowed in `tools` or `plugins`: a model, or what chooses one.
pub(super) fn forbidden(key: &ClientKey, member: &str, raw: &[u8]) -> Option<String> {
    match serde_json::from_slice(raw) {
        Ok(Value::Array(items)) => items.iter().find_map(|item| of_item(key, member, item)),
        Ok(Value::Null) => None,
        // No list, or nested deeper than is read here.
        Ok(item) => of_item(key, member, &item),
        Err(_) => Some(format!("of `{member}`")),
    }
}

fn of_item(key: &ClientKey, member: &str, item: &Value) -> Option<String> {
    let Value::Object(item) = item else { return None };
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let (name, is_of_upstream) = if member == "plugins" {
        (text("id").unwrap_or("?"), true)
    } else {
        let kind = text("type").unwrap_or_default();
        if OF_CLIENT.contains(&kind) {
            return None;
        }
        if kind == NAMESPACE {
            let tools = item.get("tools").and_then(Value::as_array)?;
            return tools.iter().find_map(|tool| of_item(key, member, tool));
        }
        (kind, kind.starts_with("openrouter:"))
    };
    if member == "plugins" && item.get("enabled") == Some(&Value::Bool(false)) {
        return None;
    }
    let mut named = Named::default();
    named.read(item);
    if let Some(model) = named.models.iter().find(|model| !allows(key, model)) {
        return Some((*model).to_owned());
    }
    let is_fixed = if name.rsplit(':').next() == Some("fusion") {
        OF_FUSION.iter().all(|name| named.members.contains(*name))
    } else {
        !named.models.is_empty() || !is_of_upstream || CALL_NO_MODEL.contains(&name)
    };
    (named.has_preset || !is_fixed).then(|| format!("that `{name}` chooses"))
}

/// The texts under members whose names end in `model` or `models`.
#[derive(Default)]
struct Named<'a> {
    models: Vec<&'a str>,
    /// The names of those members.
    members: BTreeSet<&'a str>,
    /// Whether a preset of the upstream chooses.
    has_preset: bool,
}

impl<'a> Named<'a> {
    fn read(&mut self, object: &'a Map<String, Value>) {
        for (name, value) in object {
            let lower = name.to_ascii_lowercase();
            self.has_preset |= lower == "preset" && !value.is_null();
            // The schema of a tool of the client, as Anthropic writes it.
            if lower == "input_schema" {
                continue;
            }
            if lower.ends_with("model") || lower.ends_with("models") {
                let before = self.models.len();
                self.texts(value);
                if self.models.len() > before {
                    self.members.insert(name);
                }
            } else {
                self.deeper(value);
            }
        }
    }

    fn deeper(&mut self, value: &'a Value) {
        match value {
            Value::Object(object) => self.read(object),
            Value::Array(items) => items.iter().for_each(|item| self.deeper(item)),
            _ => {}
        }
    }

    fn texts(&mut self, value: &'a Value) {
        match value {
            Value::String(text) => self.models.push(text),
            Value::Array(items) => items.iter().for_each(|item| self.texts(item)),
            Value::Object(object) => object.values().for_each(|value| self.texts(value)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::{KeyHash, KeyOnRing, KeyRing, Presented},
        settings::KeyRules,
    };

    fn key() -> std::sync::Arc<ClientKey> {
        let ring = KeyRing::new(true, None);
        ring.replace([KeyOnRing {
            name: "acme".to_owned(),
            hash: KeyHash::of(b"k"),
            rules: KeyRules {
                models: vec!["openai/*".to_owned()],
                ..KeyRules::default()
            },
            is_revoked: false,
        }]);
        match ring.find(b"k") {
            Presented::InForce(key) => key,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_upstream_runs_names_allowed_models_or_calls_none() {
        let key = key();
        for (member, item, refused) in [
            (
                "tools",
                r#"{"type":"openrouter:advisor","parameters":{"model":"openai/o3"}}"#,
                None,
            ),
            (
                "tools",
                r#"{"type":"openrouter:advisor","parameters":{"model":"x/y"}}"#,
                Some("x/y"),
            ),
            (
                "tools",
                r#"{"type":"openrouter:advisor"}"#,
                Some("that `openrouter:advisor` chooses"),
            ),
            (
                "tools",
                r#"{"type":"openrouter:subagent","parameters":{}}"#,
                Some("that `openrouter:subagent` chooses"),
            ),
            (
                "tools",
                r#"{"type":"openrouter:new"}"#,
                Some("that `openrouter:new` chooses"),
            ),
            (
                "tools",
                r#"{"type":"openrouter:web_search","parameters":{"max_results":3}}"#,
                None,
            ),
            (
                "tools",
                r#"{"type":"advisor_20260301","name":"advisor","model":"x/y"}"#,
                Some("x/y"),
            ),
            (
                "tools",
                r#"{"type":"openrouter:fusion","parameters":{"model":"openai/o3"}}"#,
                Some("that `openrouter:fusion` chooses"),
            ),
            (
                "tools",
                r#"{"type":"openrouter:fusion","parameters":{"model":"openai/o3","analysis_models":["openai/a","x/y"]}}"#,
                Some("x/y"),
            ),
            (
                "tools",
                r#"{"type":"openrouter:fusion","parameters":{"model":"openai/o3","analysis_models":["openai/a"]}}"#,
                None,
            ),
            // Tools of the client: a schema is no choice.
            (
                "tools",
                r#"{"type":"function","function":{"name":"f","parameters":{"properties":{"model":{"type":"string"}}}}}"#,
                None,
            ),
            (
                "tools",
                r#"{"name":"f","input_schema":{"properties":{"model":{"type":"string"}}}}"#,
                None,
            ),
            ("plugins", r#"{"id":"auto-router"}"#, Some("that `auto-router` chooses")),
            ("plugins", r#"{"id":"auto-router","enabled":false}"#, None),
            ("plugins", r#"{"id":"auto-router","allowed_models":["openai/*"]}"#, None),
            ("plugins", r#"{"id":"auto-router","allowed_models":["*"]}"#, Some("*")),
            (
                "plugins",
                r#"{"id":"fusion","model":"openai/o3","analysis_models":["x/y"]}"#,
                Some("x/y"),
            ),
            (
                "plugins",
                r#"{"id":"fusion","preset":"budget","model":"openai/o3","analysis_models":["openai/a"]}"#,
                Some("that `fusion` chooses"),
            ),
            ("plugins", r#"{"id":"web"}"#, None),
            (
                "plugins",
                r#"{"id":"x","model":"openai/o3@preset/mine"}"#,
                Some("openai/o3@preset/mine"),
            ),
        ] {
            let found = forbidden(&key, member, format!("[{item}]").as_bytes());
            assert_eq!(found.as_deref(), refused, "{member} {item}");
        }
        assert_eq!(forbidden(&key, "tools", b"null"), None);
        let deep = "[".repeat(200);
        assert!(forbidden(&key, "tools", deep.as_bytes()).is_some());
    }
}
