//! What a client gave its caller, in words that all clients share.

use serde::Serialize;
use serde_json::{Value, json};

#[derive(Debug, Default, Serialize)]
pub(crate) struct Answer {
    pub(crate) text: String,
    tool: String,
    arguments: String,
    pub(crate) finish: Option<Value>,
    usage: Option<[u64; 2]>,
    /// The model that answered.
    model: Option<String>,
    pub(crate) vectors: Option<Vec<usize>>,
    pub(crate) models: Option<Vec<String>>,
    pub(crate) error: Option<Failure>,
}

/// An error of the client, as far as its caller can read it.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    /// The variant.
    pub(crate) class: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(class: &'static str, message: impl Into<String>) -> Self {
        Self {
            class,
            status: None,
            message: message.into(),
        }
    }

    pub(crate) const fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

impl Answer {
    pub(crate) fn say(&mut self, text: Option<&str>) {
        self.text.push_str(text.unwrap_or_default());
    }

    pub(crate) fn call(&mut self, name: Option<&str>, arguments: Option<&str>) {
        self.tool.push_str(name.unwrap_or_default());
        self.arguments.push_str(arguments.unwrap_or_default());
    }

    pub(crate) fn count(&mut self, tokens_in: impl Into<u64>, tokens_out: impl Into<u64>) {
        self.usage = Some([tokens_in.into(), tokens_out.into()]);
    }

    pub(crate) fn by(&mut self, model: Option<&str>) {
        if let Some(model) = model.filter(|model| !model.is_empty()) {
            self.model = Some(model.to_owned());
        }
    }

    /// The same from JSON, with whatever names its API has for them.
    pub(crate) fn count_json(&mut self, usage: &Value) {
        let count = |names: [&str; 2]| names.into_iter().find_map(|name| usage.get(name)?.as_u64());
        let tokens = (
            count(["input_tokens", "prompt_tokens"]),
            count(["output_tokens", "completion_tokens"]),
        );
        if let (Some(tokens_in), Some(tokens_out)) = tokens {
            self.count(tokens_in, tokens_out);
        }
    }
}

/// The one tool of the cases.
pub(crate) const TOOL: &str = "get_weather";

/// The one schema of the cases.
pub(crate) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "city": { "type": "string" } },
        "required": ["city"],
        "additionalProperties": false,
    })
}
