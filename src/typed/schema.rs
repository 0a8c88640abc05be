//! The schema of a type, as a request holds it.

use std::fmt;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::strict::{ROOT, rewrite};
use crate::request::ResponseFormat;

/// The longest name of a schema or a tool.
const LONGEST_NAME: usize = 64;

/// The member that holds a type which is no object.
pub(super) const WRAPPED: &str = "value";

/// The `response_format` for answers of this type, in the form of strict mode: for a stream, or to be sent along with other settings.
///
/// ```
/// use schemars::JsonSchema;
/// use tower_openrouter::{ChatRequest, typed::{SchemaError, response_format}};
///
/// #[derive(JsonSchema)]
/// struct City { name: String }
///
/// # fn main() -> Result<(), SchemaError> {
/// let request = ChatRequest::user("Which city?").response_format(response_format::<City>()?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If strict mode cannot express the schema: the place in it, and what stands there.
pub fn response_format<T: JsonSchema>() -> Result<ResponseFormat, SchemaError> {
    let strict = StrictSchema::of::<T>()?;
    Ok(ResponseFormat::json_schema(strict.name, strict.schema))
}

/// A schema in the form of strict mode.
pub(crate) struct StrictSchema {
    pub(crate) name: String,
    pub(crate) schema: Value,
    /// Whether the type is a member of the object that the schema describes.
    pub(crate) is_wrapped: bool,
}

impl StrictSchema {
    pub(crate) fn of<T: JsonSchema>() -> Result<Self, SchemaError> {
        let plain = plain_schema::<T>();
        let is_object = plain.get("type").is_some_and(|kind| kind == "object");
        let is_wrapped = !is_object
            || ["anyOf", "oneOf", "allOf", "$ref"]
                .iter()
                .any(|word| plain.get(word).is_some());
        let root = if is_wrapped { "#/properties/value" } else { ROOT };
        let mut schema = rewrite(&plain, root)?;
        if is_wrapped {
            let defs = schema.as_object_mut().and_then(|schema| schema.remove("$defs"));
            schema = json!({
                "type": "object",
                "properties": { WRAPPED: schema },
                "required": [WRAPPED],
                "additionalProperties": false,
            });
            if let (Some(defs), Some(schema)) = (defs, schema.as_object_mut()) {
                schema.insert("$defs".to_owned(), defs);
            }
        }
        Ok(Self {
            name: name_of::<T>(),
            schema,
            is_wrapped,
        })
    }
}

/// The schema as schemars writes it.
pub(crate) fn plain_schema<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

/// The type's name in letters, digits, dashes and underscores.
fn name_of<T: JsonSchema>() -> String {
    let name = T::schema_name();
    let known = |letter: char| {
        if letter.is_ascii_alphanumeric() || letter == '-' {
            letter
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(known).take(LONGEST_NAME).collect();
    if name.is_empty() { "answer".to_owned() } else { name }
}

/// Why a schema cannot be expressed under strict mode: an error of the program, found at its first call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    path: String,
    reason: String,
}

impl SchemaError {
    pub(super) fn new(path: &str, reason: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// The place in the schema, as a JSON pointer.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What stands there, and what to do.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the schema cannot be expressed in strict mode: `{}`: {}",
            self.path, self.reason
        )
    }
}

impl std::error::Error for SchemaError {}
