//! What each keyword means, by the rules of JSON Schema, for the keywords that providers accept and those that people use beside them: no answer that
//! fits is failed, and one that does not fit is found.

use serde_json::{Value, json};

use super::schema::Schema;

/// A schema, values that fit, and values that do not.
type Row = (Value, Vec<Value>, Vec<Value>);

#[track_caller]
fn holds(rows: Vec<Row>) {
    for (schema, good, bad) in rows {
        let compiled = Schema::compile("test", &schema);
        assert!(matches!(compiled, Schema::Compiled(..)), "{schema}");
        for value in good {
            let problem = compiled.problem(&value.to_string());
            assert_eq!(problem, None, "{value} by {schema}");
        }
        for value in bad {
            assert!(compiled.problem(&value.to_string()).is_some(), "{value} by {schema}");
        }
    }
}

#[test]
fn types() {
    holds(vec![
        // A number without a fraction is an integer, however it is written.
        (
            json!({"type": "integer"}),
            vec![json!(1), json!(1.0), json!(-0.0), json!(1e3)],
            vec![json!(1.1), json!("1"), json!(true), json!(null)],
        ),
        (
            json!({"type": "number"}),
            vec![json!(1), json!(1.5), json!(-1e300)],
            vec![json!("1"), json!([])],
        ),
        (
            json!({"type": "string"}),
            vec![json!(""), json!("ä𝄞")],
            vec![json!(1), json!(null)],
        ),
        (
            json!({"type": "boolean"}),
            vec![json!(true), json!(false)],
            vec![json!(0), json!("false")],
        ),
        (
            json!({"type": "null"}),
            vec![json!(null)],
            vec![json!(""), json!(0), json!(false)],
        ),
        (json!({"type": "array"}), vec![json!([]), json!([1])], vec![json!({})]),
        (
            json!({"type": "object"}),
            vec![json!({}), json!({"a": 1})],
            vec![json!([]), json!("{}")],
        ),
        (
            json!({"type": ["string", "null"]}),
            vec![json!("a"), json!(null)],
            vec![json!(1)],
        ),
        (json!(true), vec![json!(1), json!({"a": []})], vec![]),
        (json!({}), vec![json!(1), json!(null)], vec![]),
        (json!(false), vec![], vec![json!(1)]),
    ]);
}

#[test]
fn values() {
    holds(vec![
        (
            json!({"enum": [1, "a", null, {"b": 2}, [true]]}),
            vec![json!(1.0), json!("a"), json!(null), json!({"b": 2.0}), json!([true])],
            vec![json!(2), json!("A"), json!({}), json!([1])],
        ),
        // False is not 0, and true is not 1.
        (
            json!({"enum": [false, 1]}),
            vec![json!(false), json!(1)],
            vec![json!(0), json!(true)],
        ),
        (
            json!({"const": {"a": 1, "b": 2}}),
            vec![json!({"b": 2, "a": 1})],
            vec![json!({"a": 1}), json!(5)],
        ),
        (
            json!({"const": "hello\u{0}there"}),
            vec![json!("hello\u{0}there")],
            vec![json!("hellothere")],
        ),
    ]);
}

#[test]
fn numbers() {
    holds(vec![
        (
            json!({"minimum": 1.1}),
            vec![json!(2.6), json!(1.1), json!("a text is no number")],
            vec![json!(0.6)],
        ),
        (
            json!({"maximum": 300}),
            vec![json!(300), json!(300.0), json!(299.97)],
            vec![json!(300.5)],
        ),
        (
            json!({"exclusiveMinimum": 1}),
            vec![json!(1.000_001)],
            vec![json!(1), json!(1.0), json!(0)],
        ),
        (
            json!({"exclusiveMaximum": 3}),
            vec![json!(2.2)],
            vec![json!(3), json!(3.5)],
        ),
        (
            json!({"multipleOf": 0.0001}),
            vec![json!(0.0075), json!(4.5), json!(0)],
            vec![json!(0.00751)],
        ),
        (
            json!({"multipleOf": 0.01}),
            vec![json!(0.07), json!(19.99), json!(1.1)],
            vec![json!(0.001)],
        ),
        (
            json!({"minimum": -2}),
            vec![json!(-1), json!(-2.0), json!(9_007_199_254_740_993_i64)],
            vec![json!(-2.000_1), json!(-3)],
        ),
        (
            json!({"type": "integer", "maximum": 18_446_744_073_709_551_615_u64}),
            vec![json!(18_446_744_073_709_551_615_u64)],
            vec![],
        ),
    ]);
}

#[test]
fn texts() {
    holds(vec![
        (
            json!({"pattern": "^a*$"}),
            vec![json!("aaa"), json!(""), json!(7)],
            vec![json!("abc")],
        ),
        // A pattern is not anchored by itself.
        (json!({"pattern": "a+"}), vec![json!("xxaayy")], vec![json!("b")]),
        (
            json!({"pattern": "^\\d{4}-\\d\\d$"}),
            vec![json!("2026-11")],
            vec![json!("26-11")],
        ),
        (
            json!({"pattern": "^\\p{L}+$"}),
            vec![json!("Ærøskøbing")],
            vec![json!("4")],
        ),
        // Length is counted in characters, not in bytes.
        (
            json!({"minLength": 2}),
            vec![json!("💩💩"), json!(1)],
            vec![json!("💩")],
        ),
        (
            json!({"maxLength": 2.0}),
            vec![json!("f"), json!("💩💩")],
            vec![json!("foo")],
        ),
        // A format is a note.
        (
            json!({"type": "string", "format": "date-time"}),
            vec![json!("tomorrow"), json!("2026-11-29T16:00:00Z")],
            vec![json!(1)],
        ),
        (json!({"format": "email"}), vec![json!("no address")], vec![]),
        (json!({"format": "made-up"}), vec![json!("x")], vec![]),
    ]);
}

#[test]
fn arrays() {
    holds(vec![
        (
            json!({"items": {"type": "integer"}}),
            vec![json!([]), json!([1, 2]), json!({"not": "an array"})],
            vec![json!([1, "x"])],
        ),
        (
            json!({"items": {"items": {"type": "string"}}}),
            vec![json!([["a"], []])],
            vec![json!([["a"], [1]])],
        ),
        (
            json!({"minItems": 1, "maxItems": 2}),
            vec![json!([1]), json!([1, 2]), json!("")],
            vec![json!([]), json!([1, 2, 3])],
        ),
        (
            json!({"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}),
            vec![json!([]), json!([1]), json!([1, "a"])],
            vec![json!(["a"]), json!([1, 2])],
        ),
        (
            json!({"uniqueItems": true}),
            vec![json!([1, true]), json!([0, false]), json!([{"a": 1}, {"a": 2}])],
            vec![json!([1, 1.0]), json!([{"a": 1, "b": 2}, {"b": 2, "a": 1}])],
        ),
        (
            json!({"contains": {"minimum": 5}}),
            vec![json!([3, 5]), json!("none")],
            vec![json!([1, 2]), json!([])],
        ),
    ]);
}

#[test]
fn objects() {
    holds(vec![
        (
            json!({"properties": {"a": {"type": "integer"}, "b": {}}}),
            vec![json!({}), json!({"a": 1, "c": []}), json!([])],
            vec![json!({"a": "x"})],
        ),
        (
            json!({"required": ["a", "b\nc", "d\"e"]}),
            vec![json!({"a": null, "b\nc": 1, "d\"e": 2}), json!(1)],
            vec![json!({"a": 1})],
        ),
        (
            json!({"properties": {"a": {}}, "additionalProperties": false}),
            vec![json!({"a": 1}), json!({})],
            vec![json!({"b": 1})],
        ),
        (
            json!({"properties": {"a": {}}, "additionalProperties": {"type": "boolean"}}),
            vec![json!({"a": 1, "b": true})],
            vec![json!({"b": 1})],
        ),
        (
            json!({"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": false}),
            vec![json!({"x-a": 1})],
            vec![json!({"x-a": "1"}), json!({"y": 1})],
        ),
        (
            json!({"propertyNames": {"maxLength": 3}}),
            vec![json!({"abc": 1})],
            vec![json!({"abcd": 1})],
        ),
        (
            json!({"minProperties": 1, "maxProperties": 1}),
            vec![json!({"a": 1})],
            vec![json!({}), json!({"a": 1, "b": 2})],
        ),
        (
            json!({"dependentRequired": {"a": ["b"]}}),
            vec![json!({}), json!({"b": 1}), json!({"a": 1, "b": 2})],
            vec![json!({"a": 1})],
        ),
        // Names that mean something elsewhere.
        (
            json!({"properties": {"__proto__": {"type": "number"}, "$ref": {"type": "string"}, "enum": {"type": "null"}}}),
            vec![json!({"__proto__": 1, "$ref": "#/x", "enum": null})],
            vec![json!({"__proto__": "x"}), json!({"$ref": 1})],
        ),
    ]);
}

#[test]
fn branches() {
    let open = json!({"anyOf": [{"type": "integer"}, {"minimum": 2}]});
    let one = json!({"oneOf": [{"type": "integer"}, {"minimum": 2}]});
    holds(vec![
        (open, vec![json!(1), json!(2.5), json!(3), json!("a")], vec![json!(1.5)]),
        (one, vec![json!(1), json!(2.5)], vec![json!(3), json!(1.5)]),
        (
            json!({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            vec![json!({"a": 1, "b": 2})],
            vec![json!({"a": 1})],
        ),
        (json!({"not": {"type": "integer"}}), vec![json!("a")], vec![json!(1)]),
        (
            json!({"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}),
            vec![json!({"a": 1, "b": 1}), json!({"c": 1})],
            vec![json!({"a": 1}), json!({})],
        ),
    ]);
}

#[test]
fn references() {
    let tree = json!({"type": "object", "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#"}}}, "required": ["value"], "additionalProperties": false});
    let list = json!({
        "type": "object",
        "properties": {"list": {"$ref": "#/$defs/node"}},
        "$defs": {"node": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["next"]}},
    });
    let escaped = json!({"$ref": "#/$defs/a~1b~0c", "$defs": {"a/b~c": {"type": "integer"}}});
    holds(vec![
        (
            tree,
            vec![json!({"value": 1, "children": [{"value": 2}, {"value": 3, "children": []}]})],
            vec![
                json!({"value": 1, "children": [{"value": "x"}]}),
                json!({"value": 1, "children": [{"value": 2, "x": 1}]}),
            ],
        ),
        (
            list,
            vec![json!({"list": {"next": {"next": null}}}), json!({})],
            vec![json!({"list": {"next": {"next": 1}}}), json!({"list": {}})],
        ),
        (escaped, vec![json!(1)], vec![json!("x")]),
        // Beside a reference other keywords count, since draft 2019-09.
        (
            json!({"$ref": "#/$defs/a", "maxItems": 2, "$defs": {"a": {"type": "array"}}}),
            vec![json!([1])],
            vec![json!([1, 2, 3]), json!("x")],
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {"type": "integer"}}, "properties": {"x": {"$ref": "#/definitions/a"}}}),
            vec![json!({"x": 1})],
            vec![json!({"x": "1"})],
        ),
    ]);
}

#[test]
fn notes_change_nothing() {
    holds(vec![
        (
            json!({"title": "T", "description": "D", "default": 1, "examples": [2], "deprecated": true, "$comment": "c", "x-own": {"type": "string"}, "type": "integer"}),
            vec![json!(7)],
            vec![json!("7")],
        ),
        (
            json!({"properties": {"a": {"type": "integer", "default": "not an integer"}}}),
            vec![json!({"a": 1}), json!({})],
            vec![],
        ),
        (
            json!({"nullable": true, "type": "string"}),
            vec![json!("a")],
            vec![json!(null)],
        ),
    ]);
}
