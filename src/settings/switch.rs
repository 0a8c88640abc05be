//! A setting that can be switched off.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;

/// The word for a setting that is switched off.
const OFF: &str = "off";

/// A setting that is on by default and can be switched off with the word `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrOff<T> {
    /// On, and set to this.
    On(T),
    /// Off.
    Off,
}

impl<T> OrOff<T> {
    /// What it is set to; `None` if it is off.
    pub const fn on(&self) -> Option<&T> {
        match self {
            Self::On(value) => Some(value),
            Self::Off => None,
        }
    }
}

impl<T, U: Into<T>> From<Option<U>> for OrOff<T> {
    fn from(value: Option<U>) -> Self {
        value.map_or(Self::Off, |value| Self::On(value.into()))
    }
}

impl<T: Default> Default for OrOff<T> {
    fn default() -> Self {
        Self::On(T::default())
    }
}

impl<T: Serialize> Serialize for OrOff<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::On(value) => value.serialize(serializer),
            Self::Off => serializer.serialize_str(OFF),
        }
    }
}

impl<'de, T: for<'any> Deserialize<'any>> Deserialize<'de> for OrOff<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(word) if word == OFF => Ok(Self::Off),
            value => T::deserialize(value).map(Self::On).map_err(D::Error::custom),
        }
    }
}

impl<T: JsonSchema> JsonSchema for OrOff<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}OrOff", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<T>(), {"const": OFF}]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_switches_it_off() {
        let read = |json: &str| serde_json::from_str::<OrOff<u32>>(json);
        assert_eq!(read("5").unwrap(), OrOff::On(5));
        assert_eq!(read("\"off\"").unwrap(), OrOff::Off);
        assert!(read("\"of\"").is_err());
        assert_eq!(serde_json::to_string(&OrOff::<u32>::Off).unwrap(), "\"off\"");
        assert_eq!(OrOff::<u32>::from(Some(5_u32)).on(), Some(&5));
        assert_eq!(OrOff::<u32>::from(None::<u32>), OrOff::Off);
    }
}
