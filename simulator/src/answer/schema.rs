//! A value that satisfies a simple JSON schema.

use serde_json::{Map, Value, json};

/// How deep a schema is followed.
const DEPTH: usize = 16;

/// The value a `response_format` asks for; `None` if it asks for text.
pub(super) fn asked(format: &Value) -> Option<Value> {
    match format.get("type")?.as_str()? {
        "json_object" => Some(json!({"answer": "Air scatters blue light more than red.", "confidence": 0.9})),
        "json_schema" => Some(sample(format.get("json_schema")?.get("schema").unwrap_or(&Value::Null))),
        _ => None,
    }
}

/// A plausible value of a schema.
pub(super) fn sample(schema: &Value) -> Value {
    value(schema, schema, "value", DEPTH)
}

fn value(schema: &Value, root: &Value, name: &str, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    let depth = depth - 1;
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let found = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return value(found.unwrap_or(&Value::Null), root, name, depth);
    }
    let first = |key: &str| schema.get(key).and_then(Value::as_array).and_then(|all| all.first());
    if let Some(fixed) = schema
        .get("const")
        .or_else(|| schema.get("default"))
        .or_else(|| first("enum"))
    {
        return fixed.clone();
    }
    if let Some(one) = first("anyOf").or_else(|| first("oneOf")).or_else(|| first("allOf")) {
        return value(one, root, name, depth);
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        other => other.and_then(Value::as_str),
    };
    match kind {
        Some("string") => string(schema, name),
        Some("integer") => integer(schema),
        Some("number") => number(schema, 1.5),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some("array") => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(0, 64);
            let item = schema
                .get("items")
                .map_or(Value::Null, |items| value(items, root, name, depth));
            Value::Array((0..count).map(|_| item.clone()).collect())
        }
        _ => object(schema, root, depth),
    }
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let mut out = Map::new();
    match (properties, required) {
        (None, None) => {}
        (Some(all), None) => {
            for (name, part) in all {
                out.insert(name.clone(), value(part, root, name, depth));
            }
        }
        (all, Some(names)) => {
            for name in names.iter().filter_map(Value::as_str) {
                let part = all.and_then(|all| all.get(name)).unwrap_or(&Value::Null);
                let part = if part.is_null() {
                    json!(name)
                } else {
                    value(part, root, name, depth)
                };
                out.insert(name.to_owned(), part);
            }
        }
    }
    Value::Object(out)
}

fn string(schema: &Value, name: &str) -> Value {
    let text = match (schema.get("format").and_then(Value::as_str), name) {
        (Some("date"), _) => "2026-04-01",
        (Some("date-time"), _) => "2026-04-01T12:00:00Z",
        (Some("email"), _) => "ada@example.test",
        (Some("uri"), _) => "https://example.test",
        (_, "city" | "location" | "place") => "Oslo",
        (_, "country") => "Norway",
        (_, "unit" | "units") => "celsius",
        (_, "name") => "Ada",
        (_, other) => other,
    };
    let least = usize::try_from(schema.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(4096)).unwrap_or(0);
    let most = schema
        .get("maxLength")
        .and_then(Value::as_u64)
        .and_then(|n| usize::try_from(n).ok());
    let mut text = text.to_owned();
    while text.chars().count() < least {
        text.push('x');
    }
    json!(text.chars().take(most.unwrap_or(usize::MAX)).collect::<String>())
}

fn integer(schema: &Value) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    let low = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|n| n.saturating_add(1)));
    let high = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|n| n.saturating_sub(1)));
    json!(1.max(low.unwrap_or(1)).min(high.unwrap_or(i64::MAX)))
}

fn number(schema: &Value, usual: f64) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let low = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|n| n + 1.0));
    let high = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|n| n - 1.0));
    let at_least = low.map_or(usual, |low| usual.max(low));
    json!(high.map_or(at_least, |high| at_least.min(high)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_satisfied() {
        let schema = json!({"type": "object", "required": ["city", "degrees", "sky", "tags", "inner"], "properties": {
            "city": {"type": "string"}, "degrees": {"type": "integer", "minimum": 3, "maximum": 5},
            "sky": {"enum": ["grey", "blue"]}, "tags": {"type": "array", "minItems": 2, "items": {"type": "string"}},
            "inner": {"$ref": "#/$defs/inner"}, "unwanted": {"type": "string"}},
            "$defs": {"inner": {"type": "object", "properties": {"ok": {"type": "boolean"}}}}});
        assert_eq!(
            sample(&schema),
            json!({"city": "Oslo", "degrees": 3, "sky": "grey", "tags": ["tags", "tags"], "inner": {"ok": true}})
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(sample(&schema).is_object());
    }
}
