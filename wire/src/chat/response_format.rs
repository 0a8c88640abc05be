//! The form an answer must have.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The form an answer must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Any text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that keeps to a schema.
    JsonSchema {
        /// The schema.
        json_schema: JsonSchema,
    },
    /// Something this version does not know, such as a grammar.
    #[serde(untagged)]
    Other(Map<String, Value>),
}

impl ResponseFormat {
    /// Any JSON object.
    #[must_use]
    pub fn json() -> Self {
        Self::JsonObject
    }

    /// JSON that keeps strictly to a schema. The name has at most 64 letters, digits, dashes and underscores.
    #[must_use]
    pub fn json_schema(name: impl Into<String>, schema: Value) -> Self {
        Self::JsonSchema {
            json_schema: JsonSchema::new(name, schema),
        }
    }
}

/// A named JSON schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JsonSchema {
    /// At most 64 letters, digits, dashes and underscores.
    pub name: String,
    /// Whether the model is held to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// The schema itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// What it is for, to the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl JsonSchema {
    /// A schema that the model is held to, by its name.
    #[must_use]
    pub fn new(name: impl Into<String>, schema: Value) -> Self {
        Self {
            name: name.into(),
            strict: Some(true),
            schema: Some(schema),
            description: None,
            extra: Map::new(),
        }
    }
}
