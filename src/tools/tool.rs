//! One tool: its definition for the model, and the function.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::ToolOutcome;
use crate::{
    request,
    typed::{StrictSchema, parse, plain_schema},
};

/// A call of a tool that runs: its result as text, or what went wrong.
pub(super) type Running = Pin<Box<dyn Future<Output = Result<String, Failed>> + Send>>;

/// What went wrong in a tool, with the words for the model.
pub(super) struct Failed {
    pub(super) outcome: ToolOutcome,
    pub(super) message: String,
}

/// A tool that the model may call, and the function that runs then. Clones share the function.
#[derive(Clone)]
pub struct Tool {
    definition: request::Tool,
    call: Arc<dyn Fn(&str) -> Running + Send + Sync>,
}

impl Tool {
    /// A tool from a function: its name (at most 64 letters, digits, dashes and underscores), what it is for, and what it does.
    ///
    /// The parameters are the JSON schema of `A`, in the form of strict mode if that can express it. The result is the JSON of `T`; a text goes as it
    /// is. The `Display` of an `E` is what the model gets as the reason.
    pub fn from_fn<A, F, U, T, E>(name: impl Into<String>, description: impl Into<String>, run: F) -> Self
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(A) -> U + Send + Sync + 'static,
        U: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: fmt::Display,
    {
        let Parameters {
            schema,
            is_wrapped,
            is_strict,
        } = Parameters::of::<A>();
        let mut definition = request::Tool::function(name, description, schema);
        if is_strict {
            definition = definition.strict(true);
        }
        let run = Arc::new(run);
        let call = move |arguments: &str| -> Running {
            let parsed = arguments_of::<A>(arguments, is_wrapped);
            let run = Arc::clone(&run);
            Box::pin(async move {
                // Within the future, so that a panic of the function itself is caught as well.
                let result = run(parsed?).await;
                match result {
                    Ok(value) => text_of(&value),
                    Err(error) => Err(Failed {
                        outcome: ToolOutcome::Failed,
                        message: error.to_string(),
                    }),
                }
            })
        };
        Self {
            definition,
            call: Arc::new(call),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.definition.function.as_ref().map_or("", |function| &function.name)
    }

    /// The definition that goes to the model.
    #[must_use]
    pub const fn definition(&self) -> &request::Tool {
        &self.definition
    }

    pub(super) fn call(&self, arguments: &str) -> Running {
        (self.call)(arguments)
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// The schema of a tool's arguments.
struct Parameters {
    schema: Value,
    is_wrapped: bool,
    is_strict: bool,
}

impl Parameters {
    fn of<A: JsonSchema>() -> Self {
        if let Ok(strict) = StrictSchema::of::<A>() {
            return Self {
                schema: strict.schema,
                is_wrapped: strict.is_wrapped,
                is_strict: true,
            };
        }
        // What strict mode cannot express goes whole, and the model is not held to it.
        let mut schema = plain_schema::<A>();
        let is_wrapped = schema.get("type").is_none_or(|kind| kind != "object");
        if is_wrapped {
            let defs = schema.as_object_mut().and_then(|schema| schema.remove("$defs"));
            schema = json!({"type": "object", "properties": {"value": schema}, "required": ["value"], "$defs": defs.unwrap_or_else(|| json!({}))});
        }
        Self {
            schema,
            is_wrapped,
            is_strict: false,
        }
    }
}

/// The arguments as the function takes them; none at all are an empty object.
fn arguments_of<A: DeserializeOwned>(arguments: &str, is_wrapped: bool) -> Result<A, Failed> {
    #[derive(serde::Deserialize)]
    struct Wrapped<A> {
        value: A,
    }

    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    let parsed = if is_wrapped {
        parse::<Wrapped<A>>(arguments).map(|wrapped| wrapped.value)
    } else {
        parse(arguments)
    };
    // The model wrote them, so it may read them again.
    parsed.map_err(|mismatch| Failed {
        outcome: ToolOutcome::InvalidArguments,
        message: format!("invalid arguments at `{}`: {}", mismatch.path(), mismatch.cause()),
    })
}

fn text_of<T: Serialize>(value: &T) -> Result<String, Failed> {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => Ok(text),
        Ok(value) => Ok(value.to_string()),
        Err(error) => Err(Failed {
            outcome: ToolOutcome::Failed,
            message: format!("the result has no JSON form: {error}"),
        }),
    }
}
