//! How much work a schema can make, found before it is compiled.
//!
//! A validator follows references, and where a schema branches it looks at the same value again. So a short schema can ask for exponential work, in
//! time or in depth. Such a schema is not used.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// The deepest nesting of a schema, its references followed: each level is a frame on the validator's stack.
const DEEPEST: u32 = 128;

/// The most subschemas that one value may meet, its references followed.
const MOST: u64 = 20_000;

/// What a schema asks of its validator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    /// How many subschemas one value may meet.
    pub(super) schemas: u64,
    /// How deep they nest.
    pub(super) depth: u32,
    /// Whether a reference leads back: then what is found for a value is remembered, and the depth is that of one round.
    pub(super) is_recursive: bool,
}

/// Measures a schema.
///
/// # Errors
///
/// Why it is not used.
pub(super) fn measure(schema: &Value) -> Result<Work, &'static str> {
    let mut measuring = Measuring {
        root: schema,
        known: HashMap::new(),
        is_recursive: false,
    };
    let (schemas, depth) = measuring.visit(schema, 0)?;
    Ok(Work {
        schemas,
        depth,
        is_recursive: measuring.is_recursive,
    })
}

struct Measuring<'a> {
    root: &'a Value,
    /// By address: schemas and depth of each, or `None` while it is being visited.
    known: HashMap<*const Value, Option<(u64, u32)>>,
    is_recursive: bool,
}

impl<'a> Measuring<'a> {
    fn visit(&mut self, schema: &'a Value, above: u32) -> Result<(u64, u32), &'static str> {
        let Value::Object(object) = schema else {
            return Ok((1, 1));
        };
        match self.known.get(&std::ptr::from_ref(schema)) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => {
                self.is_recursive = true;
                return Ok((1, 1));
            }
            None => {}
        }
        if above >= DEEPEST {
            return Err("it nests too deeply, its references followed");
        }
        self.known.insert(std::ptr::from_ref(schema), None);
        let compared = object.get("enum").map_or(0, compared);
        let (mut schemas, mut depth) = (1_u64.saturating_add(compared), 0_u32);
        for part in self.parts(object)? {
            let (more, below) = self.visit(part, above + 1)?;
            schemas = schemas.saturating_add(more);
            depth = depth.max(below);
        }
        let depth = depth + 1;
        if schemas > MOST {
            return Err("it has too many subschemas, its references followed");
        }
        if depth > DEEPEST {
            return Err("it nests too deeply, its references followed");
        }
        self.known.insert(std::ptr::from_ref(schema), Some((schemas, depth)));
        Ok((schemas, depth))
    }

    /// The subschemas that apply where this one does, or to the members and items of the value.
    fn parts(&self, object: &'a Map<String, Value>) -> Result<Vec<&'a Value>, &'static str> {
        let mut parts = Vec::new();
        let is_root = std::ptr::eq(self.root.as_object().unwrap_or(object), object);
        for (keyword, value) in object {
            match keyword.as_str() {
                "$defs" | "definitions" | "enum" | "const" | "default" | "examples" => {}
                "properties" | "patternProperties" | "dependentSchemas" | "dependencies" => {
                    parts.extend(value.as_object().into_iter().flat_map(Map::values));
                }
                "$ref" => match value.as_str() {
                    Some("#") => parts.push(self.root),
                    // One that leads nowhere is an error of the validator's.
                    Some(pointer) if pointer.starts_with("#/") => {
                        parts.extend(self.root.pointer(pointer.trim_start_matches('#')));
                    }
                    _ => return Err("it has a reference that does not lead to a place in itself"),
                },
                "$dynamicRef" | "$recursiveRef" => return Err("it has a dynamic reference"),
                "$id" | "id" if !is_root && value.is_string() => {
                    return Err("it has another document inside, with an identity of its own");
                }
                _ => match value {
                    Value::Array(items) => parts.extend(items.iter().filter(|item| item.is_object())),
                    Value::Object(_) => parts.push(value),
                    _ => {}
                },
            }
        }
        Ok(parts)
    }
}

/// With how many values this `enum` compares a value, their parts included: each is as much work as a subschema. Among texts alone it is looked up, and a
/// few short values are no work.
fn compared(values: &Value) -> u64 {
    /// A validator compares so many texts one by one as well.
    const FEW: u64 = 10;
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    if values.iter().all(|value| value.is_string() || value.is_null()) {
        return 0;
    }
    let parts = values.iter().map(parts_of).fold(0, u64::saturating_add);
    if parts > FEW { parts } else { 0 }
}

/// How many values there are in a value, itself included.
fn parts_of(value: &Value) -> u64 {
    // The parser reads no more than 127 levels.
    let inside = match value {
        Value::Array(items) => items.iter().map(parts_of).fold(0, u64::saturating_add),
        Value::Object(members) => members.values().map(parts_of).fold(0, u64::saturating_add),
        _ => 0,
    };
    inside.saturating_add(1)
}

/// How deep a value nests.
pub(super) fn depth_of(value: &Value) -> u32 {
    // The parser reads no more than 127 levels.
    let inside: Option<u32> = match value {
        Value::Array(items) => items.iter().map(depth_of).max(),
        Value::Object(members) => members.values().map(depth_of).max(),
        _ => return 0,
    };
    1 + inside.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_schemas_are_counted() {
        let schema = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}, "b": {"type": "string"}},
            "$defs": {"a": {"items": {"type": "integer"}}, "unused": {"type": "null"}}});
        let work = measure(&schema).unwrap();
        assert_eq!((work.schemas, work.depth, work.is_recursive), (5, 4, false));
    }

    /// A value is compared with each value of an `enum`, unless all of them are texts.
    #[test]
    fn values_of_an_enum_count_unless_they_are_looked_up() {
        let numbers: Vec<u32> = (0..1_000).collect();
        let texts: Vec<String> = numbers.iter().map(u32::to_string).collect();
        let mixed: Vec<Value> = numbers.iter().map(|number| json!([number, "x"])).collect();
        for (values, schemas) in [
            (json!(texts), 2),
            (json!(["a", null]), 2),
            (json!([1, 2, true]), 2),
            (json!(numbers), 1_002),
            (json!(mixed), 3_002),
        ] {
            let work = measure(&json!({"items": {"enum": values}})).unwrap();
            assert_eq!(work.schemas, schemas);
        }
        let many: Vec<u32> = (0..30_000).collect();
        assert!(measure(&json!({"items": {"enum": many}})).is_err());
    }

    #[test]
    fn references_that_lead_back_are_known() {
        let list = json!({"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}});
        assert!(measure(&list).unwrap().is_recursive);
        let cycle = json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}});
        assert!(measure(&cycle).unwrap().is_recursive);
    }

    #[test]
    fn exponential_and_deep_schemas_are_refused() {
        let mut defs = Map::new();
        for level in 0..40 {
            let next = json!({"$ref": format!("#/$defs/{}", level + 1)});
            defs.insert(level.to_string(), json!({"anyOf": [next, next]}));
        }
        defs.insert("40".to_owned(), json!({"type": "string"}));
        assert!(measure(&json!({"$ref": "#/$defs/0", "$defs": defs})).is_err());

        let chain = (0..5_000).map(|at| (at.to_string(), json!({"$ref": format!("#/$defs/{}", at + 1)})));
        let chain: Map<String, Value> = chain.collect();
        assert!(measure(&json!({"$ref": "#/$defs/0", "$defs": chain})).is_err());
    }

    #[test]
    fn references_elsewhere_are_refused() {
        for schema in [
            json!({"$ref": "https://example.com/schema"}),
            json!({"properties": {"a": {"$ref": "other.json#/a"}}}),
            json!({"$ref": "#anchor"}),
            json!({"$dynamicRef": "#node"}),
        ] {
            assert!(measure(&schema).is_err(), "{schema}");
        }
    }
}
