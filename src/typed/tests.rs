//! Schemas in strict mode, and texts as values.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{SchemaError, StrictSchema, read, response_format};

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
enum Sky {
    Clear,
    Cloudy,
}

/// A day.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Day {
    /// In degrees Celsius.
    high: f64,
    #[serde(default)]
    wind: u8,
    sky: Sky,
    rain: Option<i32>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Forecast {
    city: String,
    /// The next days.
    days: Vec<Day>,
    best: Option<Day>,
}

fn schema_of<T: JsonSchema>() -> Value {
    StrictSchema::of::<T>().unwrap().schema
}

/// Every object requires all of its properties and allows no others, and every keyword is one of strict mode's.
fn assert_strict(schema: &Value, path: &str) {
    const KNOWN: [&str; 19] = [
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
        "pattern",
        "format",
        "description",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
        "$ref",
    ];
    let object = schema.as_object().unwrap_or_else(|| panic!("{path}: {schema}"));
    for (keyword, value) in object {
        let place = format!("{path}/{keyword}");
        match keyword.as_str() {
            "properties" | "$defs" => {
                for (name, schema) in value.as_object().unwrap() {
                    assert_strict(schema, &format!("{place}/{name}"));
                }
            }
            "items" => assert_strict(value, &place),
            "anyOf" => value
                .as_array()
                .unwrap()
                .iter()
                .for_each(|schema| assert_strict(schema, &place)),
            word => assert!(KNOWN.contains(&word), "{place}"),
        }
    }
    if let Some(properties) = object.get("properties").and_then(Value::as_object) {
        let names: Vec<_> = properties.keys().collect();
        assert_eq!(object.get("required"), Some(&json!(names)), "{path}");
        assert_eq!(object.get("additionalProperties"), Some(&json!(false)), "{path}");
    }
    if object.contains_key("$ref") {
        assert_eq!(object.len(), 1, "{path}");
    }
}

#[test]
fn what_schemars_writes_becomes_strict() {
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema counts")]
    struct All {
        forecast: Forecast,
        /// A shape, with notes beside its reference.
        shape: Shape,
        #[schemars(range(min = 1, max = 5))]
        stars: u32,
        #[schemars(regex(pattern = "^[a-z]+$"), example = &"abc")]
        word: String,
        next: Option<Box<Self>>,
        #[schemars(extend("format" = "uri"))]
        link: String,
    }
    #[derive(JsonSchema)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "only its schema counts")]
    enum Shape {
        /// Round.
        Circle {
            radius: f32,
        },
        Square {
            side: f32,
        },
    }
    let schema = schema_of::<All>();
    assert_strict(&schema, "");
    let at = |pointer: &str| {
        schema
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{pointer} in {schema:#}"))
    };
    assert_eq!(at("/properties/stars/minimum"), &json!(1));
    assert_eq!(at("/properties/stars/maximum"), &json!(5));
    assert_eq!(at("/$defs/Day/properties/wind/maximum"), &json!(255));
    assert_eq!(at("/properties/word/pattern"), &json!("^[a-z]+$"));
    assert!(at("/properties/word/description").as_str().unwrap().contains("abc"));
    assert!(
        at("/properties/link/description")
            .as_str()
            .unwrap()
            .contains("Format: uri.")
    );
    assert!(
        at("/properties/shape/description")
            .as_str()
            .unwrap()
            .contains("notes beside")
    );
    assert_eq!(at("/properties/shape/anyOf/0/$ref"), &json!("#/$defs/Shape"));
    assert_eq!(at("/$defs/Shape/anyOf/0/properties/kind/enum"), &json!(["Circle"]));
    assert_eq!(at("/$defs/Day/properties/rain/type"), &json!(["integer", "null"]));
}

fn refused<T: JsonSchema>() -> SchemaError {
    response_format::<T>().expect_err("it is refused")
}

#[test]
#[expect(dead_code, reason = "only the schemas count")]
fn what_strict_mode_cannot_say_is_refused_with_its_place() {
    #[derive(JsonSchema)]
    struct Map {
        counts: HashMap<String, u32>,
    }
    #[derive(JsonSchema)]
    struct Any {
        list: Vec<Value>,
    }
    #[derive(JsonSchema)]
    struct Pair {
        pair: (u32, String),
    }
    #[derive(JsonSchema)]
    struct Short {
        #[schemars(length(max = 3))]
        name: String,
    }
    assert_eq!(refused::<Map>().path(), "/properties/counts/additionalProperties");
    assert_eq!(refused::<Any>().path(), "/properties/list/items");
    assert!(
        refused::<Pair>().path().starts_with("/properties/pair/"),
        "{}",
        refused::<Pair>()
    );
    let short = refused::<Short>();
    assert_eq!(short.path(), "/properties/name/maxLength");
    assert!(short.to_string().contains("`/properties/name/maxLength`"), "{short}");
}

#[test]
fn a_type_that_is_no_object_is_wrapped_and_taken_out_again() {
    let list = schema_of::<Vec<Sky>>();
    assert_strict(&list, "");
    assert_eq!(list.pointer("/properties/value/type"), Some(&json!("array")));
    assert_eq!(
        read::<Vec<Sky>>(r#"{"value":["clear","cloudy"]}"#).unwrap(),
        [Sky::Clear, Sky::Cloudy]
    );
    assert_eq!(read::<Sky>(r#"{"value":"clear"}"#).unwrap(), Sky::Clear);
    let wrong = read::<Vec<Sky>>(r#"{"value":["clear","rainy"]}"#).unwrap_err();
    assert_eq!(wrong.path(), "value.[1]");
    assert!(read::<Vec<Sky>>("[]").is_err());
}

#[test]
fn a_wrapped_type_that_holds_itself_refers_to_its_new_place() {
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema counts")]
    enum Tree {
        Leaf(u8), // words-ok: of a tree
        Two { left: Box<Self>, right: Box<Self> },
    }
    let schema = schema_of::<Tree>();
    assert_strict(&schema, "");
    let text = schema.to_string();
    let refers = text.contains("\"#/properties/value\"") || text.contains("#/$defs/Tree");
    assert!(refers && !text.contains("\"#\""), "{text}");
}

#[test]
fn a_text_is_read_with_what_models_put_around_it() {
    let day = r#"{"high":1.5,"wind":3,"sky":"clear","rain":null}"#;
    let expected = Day {
        high: 1.5,
        wind: 3,
        sky: Sky::Clear,
        rain: None,
    };
    for text in [
        day.to_owned(),
        format!(" \n{day}\n"),
        format!("\u{feff}{day}"),
        format!("```json\n{day}\n```"),
        format!("```\n{day}\n```\n"),
    ] {
        assert_eq!(read::<Day>(&text).unwrap(), expected, "{text}");
    }
}

#[test]
fn a_mismatch_says_where_and_prints_nothing_of_the_text() {
    let text = r#"{"city":"Oslo","best":null,
        "days":[{"high":"secret","wind":1,"sky":"clear","rain":1}]}"#;
    let wrong = read::<Forecast>(text).unwrap_err();
    assert_eq!((wrong.path(), wrong.line()), ("days[0].high", 2));
    assert!(wrong.cause().to_string().contains("secret"));
    assert!(!format!("{wrong} {wrong:?}").contains("secret"), "{wrong:?}");
    for (text, what) in [
        ("{\"city\":", "ends too early"),
        ("It is cold.", "is not JSON"),
        ("{} {}", "fit"),
    ] {
        let wrong = read::<Forecast>(text).unwrap_err();
        assert!(wrong.to_string().contains(what), "{text}: {wrong}");
    }
}
