//! Notes of a schema that strict mode has no keyword for: they become words of its description, or bounds.

use serde_json::{Map, Value, json};

/// The formats of texts that strict mode knows.
const FORMATS: [&str; 9] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
];

/// What a description says.
pub(super) struct Notes<'a> {
    plain: &'a Map<String, Value>,
    description: Option<String>,
    more: Vec<String>,
}

impl<'a> Notes<'a> {
    pub(super) const fn new(plain: &'a Map<String, Value>) -> Self {
        Self {
            plain,
            description: None,
            more: Vec::new(),
        }
    }

    /// Takes one of `description`, `default`, `examples` and `format`.
    pub(super) fn take(&mut self, keyword: &str, value: &Value, strict: &mut Map<String, Value>) {
        match (keyword, value.as_str()) {
            ("description", Some(text)) => self.description = Some(text.to_owned()),
            ("format", Some(format)) if FORMATS.contains(&format) => {
                strict.insert("format".to_owned(), value.clone());
            }
            ("format", Some(format)) if self.is_number() => self.bounds(format, strict),
            ("format", Some(format)) => self.more.push(format!("Format: {format}.")),
            ("default", _) if !value.is_null() => self.more.push(format!("Default: {value}.")),
            ("examples", _) => self.more.push(format!("Examples: {value}.")),
            _ => {}
        }
    }

    fn is_number(&self) -> bool {
        let named = |kind: &Value| kind == "integer" || kind == "number";
        let kind = self.plain.get("type");
        kind.is_some_and(|kind| named(kind) || kind.as_array().is_some_and(|kinds| kinds.iter().any(named)))
    }

    /// The bounds of a number's format, unless the schema has closer ones. Those of 64 bits and more have no exact form as a JSON number that
    /// every parser reads: there the type decides.
    fn bounds(&self, format: &str, strict: &mut Map<String, Value>) {
        let (least, most) = match format {
            "int8" => (i64::from(i8::MIN), i64::from(i8::MAX)),
            "int16" => (i64::from(i16::MIN), i64::from(i16::MAX)),
            "int32" => (i64::from(i32::MIN), i64::from(i32::MAX)),
            "uint8" => (0, i64::from(u8::MAX)),
            "uint16" => (0, i64::from(u16::MAX)),
            "uint32" => (0, i64::from(u32::MAX)),
            _ => return,
        };
        for (keyword, exclusive, bound) in [
            ("minimum", "exclusiveMinimum", least),
            ("maximum", "exclusiveMaximum", most),
        ] {
            if !self.plain.contains_key(keyword) && !self.plain.contains_key(exclusive) {
                strict.insert(keyword.to_owned(), json!(bound));
            }
        }
    }

    /// Writes the description.
    pub(super) fn write(self, strict: &mut Map<String, Value>) {
        let all: Vec<String> = self.description.into_iter().chain(self.more).collect();
        if !all.is_empty() {
            strict.insert("description".to_owned(), all.join(" ").into());
        }
    }
}
