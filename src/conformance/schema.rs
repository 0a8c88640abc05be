//! A schema that answers are held to, and what is found wrong with them.

use std::fmt::Write as _;

use jsonschema::{PatternOptions, ValidationError, Validator, paths::LocationSegment};
use openrouter_wire::json::Cursor;
use serde_json::Value;

use super::work::{Work, depth_of, measure};

/// The largest schema that is compiled, in bytes of JSON.
pub(super) const LARGEST_SCHEMA: usize = 128 * 1024;

/// The largest text that is held to a schema, in bytes.
const LARGEST_TEXT: usize = 1024 * 1024;

/// The most work for one text: its bytes times the subschemas.
const MOST_WORK: u64 = 200_000_000;

/// The most levels on the validator's stack: those of a round of a recursive schema times those of the value.
const DEEPEST: u32 = 1024;

/// Up to this many subschemas the validator says where a value does not fit: it looks at each branch again for that.
const EXPLAINED: u64 = 1_000;

/// The largest compiled pattern, in bytes.
const LARGEST_PATTERN: usize = 1024 * 1024;

/// A schema that was compiled, or cannot be used.
pub(super) enum Schema {
    /// It can be checked.
    Compiled(Box<Validator>, Work),
    /// It never fails JSON.
    Unusable,
}

impl Schema {
    /// Compiles a schema. One that cannot be used is logged here, which is once as long as it is kept.
    pub(super) fn compile(name: &str, schema: &Value) -> Self {
        let compiled = measure(schema).map_err(str::to_owned).and_then(|work| {
            let validator = jsonschema::options()
                .offline()
                .should_validate_formats(false)
                .with_pattern_options(PatternOptions::regex().size_limit(LARGEST_PATTERN))
                .build(schema)
                .map_err(|error| why(&error))?;
            Ok(Self::Compiled(Box::new(validator), work))
        });
        compiled.unwrap_or_else(|reason| {
            let name: String = name.chars().take(64).collect();
            tracing::warn!(
                schema = name,
                reason,
                "a schema cannot be used: answers are not held to it"
            );
            Self::Unusable
        })
    }

    /// What is wrong with this JSON text; `None` if it fits, or cannot be checked.
    pub(super) fn problem(&self, text: &str) -> Option<String> {
        let value = match parse(text) {
            Parsed::Value(value) => value,
            Parsed::Unreadable => return None,
            Parsed::Wrong(reason) => return Some(reason),
        };
        let Self::Compiled(validator, work) = self else {
            return None;
        };
        if !is_in_bounds(text.len(), &value, *work) {
            tracing::warn!(
                bytes = text.len(),
                "an answer is too large for its schema: it is not checked"
            );
            return None;
        }
        if validator.is_valid(&value) {
            return None;
        }
        let place = (!work.is_recursive && work.schemas <= EXPLAINED).then(|| validator.validate(&value).err());
        Some(
            place
                .flatten()
                .map_or_else(|| "it does not fit the schema".to_owned(), |error| place_of(&error)),
        )
    }
}

fn is_in_bounds(bytes: usize, value: &Value, work: Work) -> bool {
    let total = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(work.schemas);
    let deep = work.is_recursive && work.depth.saturating_mul(depth_of(value)) > DEEPEST;
    bytes <= LARGEST_TEXT && total <= MOST_WORK && !deep
}

/// A text that should be JSON.
pub(super) enum Parsed {
    Value(Value),
    /// It is JSON, with a number or a nesting that cannot be held here.
    Unreadable,
    /// It is none: where.
    Wrong(String),
}

/// Reads a text as JSON. White space around it and a byte order mark before it do not matter.
pub(super) fn parse(text: &str) -> Parsed {
    let text = text.trim_start_matches('\u{feff}').trim();
    let error = match serde_json::from_str(text) {
        Ok(value) => return Parsed::Value(value),
        Err(error) => error,
    };
    let mut cursor = Cursor::new(text.as_bytes());
    let is_json = cursor.skip().and_then(|()| cursor.end()).is_ok();
    if is_json || nests_deeply(text) {
        return Parsed::Unreadable;
    }
    Parsed::Wrong(format!(
        "it is not JSON: line {}, column {}",
        error.line(),
        error.column()
    ))
}

/// Whether more brackets stand open at once than the parser reads.
fn nests_deeply(text: &str) -> bool {
    let mut open = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'{' | b'[' => open += 1,
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
        open > 127
    })
}

/// What is wrong with a schema: the keyword, and its place; never its text.
fn why(error: &ValidationError<'_>) -> String {
    format!("`{}` at `{}`", error.kind().keyword(), error.instance_path().as_str())
}

/// The place at which a value does not fit: its own, and the keyword's in the schema. Names that the schema does not have are the model's own words, and stay
/// out of it.
fn place_of(error: &ValidationError<'_>) -> String {
    let schema = error.schema_path();
    let is_known = |name: &str| {
        schema
            .segments()
            .any(|known| matches!(known, LocationSegment::Property(known) if *known == *name))
    };
    let mut place = String::new();
    for segment in error.instance_path().segments() {
        place.push('/');
        match segment {
            LocationSegment::Property(name) if is_known(&name) => place.push_str(&name),
            LocationSegment::Property(_) => place.push('*'),
            LocationSegment::Index(index) => {
                // Writing to a string does not fail.
                let _written = write!(place, "{index}");
            }
        }
    }
    format!("`{place}` does not fit `{}`", schema.as_str())
}
