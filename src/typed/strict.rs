//! A schema rewritten in the words that strict mode accepts, or refused with the place of one that it does not.

use serde_json::{Map, Value, json};

use super::{SchemaError, notes::Notes};

/// The pointer to a whole document.
pub(super) const ROOT: &str = "#";

/// Keywords that stay as they are.
const KEPT: [&str; 10] = [
    "type",
    "enum",
    "title",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
];

/// Keywords that say nothing of the value.
const SILENT: [&str; 5] = ["$schema", "$comment", "deprecated", "readOnly", "writeOnly"];

/// Rewrites a schema. References to its root lead to `root` afterwards.
pub(super) fn rewrite(schema: &Value, root: &str) -> Result<Value, SchemaError> {
    Rewriting { root }.schema(schema, "")
}

struct Rewriting<'a> {
    root: &'a str,
}

impl Rewriting<'_> {
    fn schema(&self, schema: &Value, path: &str) -> Result<Value, SchemaError> {
        let Value::Object(plain) = schema else {
            return Err(SchemaError::new(
                path,
                "a value of any type, or of none: give it a type",
            ));
        };
        let mut strict = Map::new();
        let mut notes = Notes::new(plain);
        for (keyword, value) in plain {
            let place = format!("{path}/{}", escaped(keyword));
            match keyword.as_str() {
                word if KEPT.contains(&word) => {
                    strict.insert(word.to_owned(), value.clone());
                }
                "pattern" => {
                    strict.insert("pattern".to_owned(), value.clone());
                }
                word if SILENT.contains(&word) => {}
                // Written below, of all properties.
                "required" | "properties" | "additionalProperties" => {}
                "description" | "default" | "examples" | "format" => notes.take(keyword, value, &mut strict),
                "const" => {
                    strict.insert("enum".to_owned(), json!([value]));
                }
                "items" => {
                    strict.insert("items".to_owned(), self.schema(value, &place)?);
                }
                "$defs" | "definitions" => {
                    strict.insert(keyword.clone(), self.members(value, &place)?);
                }
                "anyOf" | "oneOf" => self.branches(value, &place, &mut strict)?,
                "allOf" => self.only(value, &place, &mut strict)?,
                "$ref" => {
                    let target = if value == ROOT { json!(self.root) } else { value.clone() };
                    strict.insert("$ref".to_owned(), target);
                }
                word => return Err(SchemaError::new(&place, refusal(word))),
            }
        }
        notes.write(&mut strict);
        self.object(plain, path, &mut strict)?;
        if !["type", "enum", "anyOf", "$ref"]
            .iter()
            .any(|word| strict.contains_key(*word))
        {
            return Err(SchemaError::new(path, "a value of any type: give it a type"));
        }
        Ok(alone(strict))
    }

    /// The properties of an object: all required, and no others.
    fn object(
        &self,
        plain: &Map<String, Value>,
        path: &str,
        strict: &mut Map<String, Value>,
    ) -> Result<(), SchemaError> {
        let others = plain.get("additionalProperties");
        if others.is_some_and(|others| *others != json!(false)) {
            let place = format!("{path}/additionalProperties");
            let reason =
                "an object of any properties, such as a map: use a list of objects with a name and a value each";
            return Err(SchemaError::new(&place, reason));
        }
        let is_object = plain.get("type").is_some_and(names_object);
        let Some(properties) = plain.get("properties").or_else(|| is_object.then_some(&Value::Null)) else {
            return Ok(());
        };
        let properties = self.members(properties, &format!("{path}/properties"))?;
        let names: Vec<_> = properties
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .cloned()
            .collect();
        strict.insert("properties".to_owned(), properties);
        strict.insert("required".to_owned(), names.into());
        strict.insert("additionalProperties".to_owned(), false.into());
        Ok(())
    }

    fn members(&self, value: &Value, path: &str) -> Result<Value, SchemaError> {
        let members = value.as_object().into_iter().flatten();
        let members = members.map(|(name, schema)| {
            let strict = self.schema(schema, &format!("{path}/{}", escaped(name)))?;
            Ok((name.clone(), strict))
        });
        Ok(Value::Object(members.collect::<Result<_, SchemaError>>()?))
    }

    fn branches(&self, value: &Value, path: &str, strict: &mut Map<String, Value>) -> Result<(), SchemaError> {
        let branches = value.as_array().into_iter().flatten().enumerate();
        let branches = branches.map(|(at, schema)| self.schema(schema, &format!("{path}/{at}")));
        let branches: Vec<_> = branches.collect::<Result<_, _>>()?;
        match strict.insert("anyOf".to_owned(), branches.into()) {
            Some(_) => Err(SchemaError::new(
                path,
                "`anyOf` and `oneOf` at once: only one of them can stand there",
            )),
            None => Ok(()),
        }
    }

    /// One schema that all of the value must fit is that schema.
    fn only(&self, value: &Value, path: &str, strict: &mut Map<String, Value>) -> Result<(), SchemaError> {
        let Some([schema]) = value.as_array().map(Vec::as_slice) else {
            return Err(SchemaError::new(
                path,
                "several schemas at once, such as those of flattened fields: write the fields out",
            ));
        };
        let Value::Object(inner) = self.schema(schema, &format!("{path}/0"))? else {
            return Ok(());
        };
        for (keyword, value) in inner {
            if strict.insert(keyword, value).is_some() {
                return Err(SchemaError::new(
                    path,
                    "it says the same keyword as the schema around it: merge the two",
                ));
            }
        }
        Ok(())
    }
}

/// A reference stands alone: with notes beside it, it becomes the only branch.
fn alone(mut strict: Map<String, Value>) -> Value {
    if strict.len() > 1
        && let Some(target) = strict.remove("$ref")
    {
        strict.insert("anyOf".to_owned(), json!([{ "$ref": target }]));
    }
    Value::Object(strict)
}

fn names_object(kind: &Value) -> bool {
    kind == "object"
        || kind
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind == "object"))
}

fn refusal(keyword: &str) -> String {
    match keyword {
        "minLength" | "maxLength" | "uniqueItems" | "minProperties" | "maxProperties" => {
            format!("`{keyword}` is not checked there: leave it out, and check the value in `Deserialize`")
        }
        "prefixItems" => "a tuple: use a struct".to_owned(),
        _ => format!("`{keyword}` is not accepted there: leave it out of the schema"),
    }
}

/// A name as a segment of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
