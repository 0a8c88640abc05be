//! Plugins.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Something OpenRouter does to a request or its answer. Each plugin has settings of its own, which stand beside its id.
///
/// ```
/// use openrouter_wire::chat::Plugin;
///
/// let parser = Plugin::new("file-parser").option("pdf", serde_json::json!({"engine": "native"}));
/// assert_eq!(serde_json::to_string(&parser)?, r#"{"id":"file-parser","pdf":{"engine":"native"}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plugin {
    /// Such as `file-parser`, `response-healing`, `context-compression`, `auto-router`.
    pub id: String,
    /// Off, if the account has it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Its settings.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

impl Plugin {
    /// A plugin by its id.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            enabled: None,
            options: Map::new(),
        }
    }

    /// On or off.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = Some(enabled);
        self
    }

    /// A setting.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options.insert(name.into(), value.into());
        self
    }
}
