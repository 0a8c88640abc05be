//! The JSON schema of the settings.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Settings;

impl Settings {
    /// The JSON schema of a settings file: for editors, and for checks of your own. The repository has it as `docs/settings.schema.json`.
    ///
    /// `x-kind` says of a text what it is: a `duration`, `usd`, a `secret`, a `candidate`, a `tenant`, a `proxy`, a `base-url` or a `hedge-delay`.
    #[must_use]
    pub fn schema() -> &'static Value {
        static SCHEMA: OnceLock<Value> = OnceLock::new();
        SCHEMA.get_or_init(|| {
            let mut settings = SchemaSettings::draft2020_12().for_deserialize();
            // One tree, so that each key has one path.
            settings.inline_subschemas = true;
            settings.into_generator().into_root_schema_for::<Self>().to_value()
        })
    }
}

/// The schemas that a value may have: those of each branch, without their alternatives.
pub(super) fn branches(schema: &Value) -> Vec<&Value> {
    let alternatives = ["anyOf", "oneOf"].iter().find_map(|name| schema.get(name)?.as_array());
    match alternatives {
        Some(alternatives) => alternatives.iter().flat_map(branches).collect(),
        None => vec![schema],
    }
}

/// Whether a schema allows values of this type.
pub(super) fn allows(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(only)) => only == name,
        Some(Value::Array(types)) => types.iter().any(|of| of == name),
        _ => false,
    }
}

/// The texts that a schema names one by one.
pub(super) fn words(schema: &Value) -> impl Iterator<Item = &str> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    listed.chain(schema.get("const")).filter_map(Value::as_str)
}
