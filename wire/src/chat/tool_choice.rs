//! Whether and which tool a model must call.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// Whether the model may, must or must not call a tool.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ToolChoice {
    /// It must not.
    None,
    /// It decides.
    Auto,
    /// It must call one.
    Required,
    /// It must call this function.
    Function(String),
    /// Something this version does not know, or a server tool.
    Other(Value),
}

impl ToolChoice {
    /// It must call this function.
    #[must_use]
    pub fn function(name: impl Into<String>) -> Self {
        Self::Function(name.into())
    }

    /// Whether it must call a tool, whichever.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        match self {
            Self::None | Self::Auto => false,
            Self::Required | Self::Function(_) => true,
            Self::Other(value) => value.is_object(),
        }
    }
}

impl Serialize for ToolChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_str("none"),
            Self::Auto => serializer.serialize_str("auto"),
            Self::Required => serializer.serialize_str("required"),
            Self::Function(name) => json!({"type": "function", "function": {"name": name}}).serialize(serializer),
            Self::Other(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ToolChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let name = value.pointer("/function/name").and_then(Value::as_str);
        Ok(match (value.as_str(), name) {
            (Some("none"), _) => Self::None,
            (Some("auto"), _) => Self::Auto,
            (Some("required"), _) => Self::Required,
            (_, Some(name)) => Self::Function(name.to_owned()),
            _ => Self::Other(value),
        })
    }
}
