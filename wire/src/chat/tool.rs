//! Tools a model may call, and its calls.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A tool: a function of the caller's, or one that OpenRouter runs itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tool {
    /// `function`, or the name of a server tool such as `openrouter:web_search`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The function, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionTool>,
    /// Everything else, such as the settings of a server tool.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Tool {
    /// A function: its name (at most 64 characters), what it is for, and its parameters as JSON schema.
    #[must_use]
    pub fn function(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        let function = FunctionTool::new(name, description, parameters);
        Self {
            kind: "function".to_owned(),
            function: Some(function),
            extra: Map::new(),
        }
    }

    /// A tool that OpenRouter runs, such as `openrouter:web_search`.
    #[must_use]
    pub fn server(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            function: None,
            extra: Map::new(),
        }
    }

    /// Holds the model to the schema of the parameters.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        if let Some(function) = &mut self.function {
            function.strict = Some(strict);
        }
        self
    }

    /// Any other field of the tool.
    #[must_use]
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }
}

/// A function a model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FunctionTool {
    /// At most 64 characters.
    pub name: String,
    /// What it is for, to the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// Whether the model is held to the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl FunctionTool {
    /// A function: its name (at most 64 characters), what it is for, and its parameters as JSON schema.
    #[must_use]
    pub fn new(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        Self {
            name: name.into(),
            description: Some(description.into()),
            parameters: Some(parameters),
            strict: None,
            extra: Map::new(),
        }
    }
}

/// A call the model made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolCall {
    /// What the tool's answer must quote.
    #[serde(default)]
    pub id: String,
    /// `function`.
    #[serde(rename = "type", default = "function_kind")]
    pub kind: String,
    /// Which, and with what.
    #[serde(default)]
    pub function: FunctionCall,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ToolCall {
    /// A call of a function; the arguments are JSON text.
    #[must_use]
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind: function_kind(),
            function: FunctionCall::new(name, arguments),
            extra: Map::new(),
        }
    }

    /// The arguments, read as what the caller expects them to be.
    ///
    /// # Errors
    ///
    /// If the model wrote something else, which it may: the arguments are text that it generated.
    pub fn arguments<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.function.arguments)
    }
}

/// Which function is called, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FunctionCall {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// JSON text, made up by the model: it need not be valid.
    #[serde(default)]
    pub arguments: String,
}

impl FunctionCall {
    /// The function's name, and its arguments as JSON text.
    #[must_use]
    pub fn new(name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            arguments: arguments.into(),
        }
    }
}

fn function_kind() -> String {
    "function".to_owned()
}
