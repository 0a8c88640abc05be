//! Values that a file writes as text: their form, and what is wrong with one that is not of it.

use std::{borrow::Cow, fmt, str::FromStr};

use super::{
    CandidateSettings, HedgeDelay, ProxySettings, Secret, TenantSettings, Time, Usd, upstream::check_base_url,
};

/// Why a text is not a value of its kind. Never repeats the text: it may be a secret that was put in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue(Cow<'static, str>);

impl InvalidValue {
    pub(super) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidValue {}

/// The member of a schema that names the kind of a text.
pub(super) const KIND: &str = "x-kind";

/// Checks a text of this kind, as the schema names it.
pub(super) fn check(kind: &str, text: &str) -> Result<(), InvalidValue> {
    fn read<T: FromStr<Err = InvalidValue>>(text: &str) -> Result<(), InvalidValue> {
        text.parse::<T>().map(drop)
    }
    match kind {
        "duration" => read::<Time>(text),
        "hedge-delay" => read::<HedgeDelay>(text),
        "usd" => read::<Usd>(text),
        "secret" => read::<Secret>(text),
        "proxy" => read::<ProxySettings>(text),
        "base-url" => check_base_url(text),
        "tenant" => read::<TenantSettings>(text),
        "candidate" => read::<CandidateSettings>(text),
        _ => Ok(()),
    }
}

/// A type that is written as its text, with a schema that names its kind.
macro_rules! written_as_text {
    ($type:ident, $kind:literal, [$($example:literal),+]) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "x-kind": $kind, "examples": [$($example),+]})
            }
        }
    };
}

pub(super) use written_as_text;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_text_never_repeats_it() {
        for kind in [
            "duration",
            "hedge-delay",
            "usd",
            "secret",
            "proxy",
            "base-url",
            "tenant",
            "candidate",
        ] {
            for text in [
                "sk-or-v1-s3cr3t",
                "s3cr3t:s3cr3t@s3cr3t",
                "http://u:s3cr3t@host.example",
                "http://u:s3cr3t@",
                "env:sk-s3cr3t",
                "file:sk-s3cr3t",
                ":s3cr3t",
            ] {
                if let Err(error) = check(kind, text) {
                    assert!(!error.to_string().contains("s3cr3t"), "{kind}: {error}");
                }
            }
            assert!(check(kind, "").is_err() || kind == "base-url", "{kind}");
        }
    }
}
