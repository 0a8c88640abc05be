//! How values of other crates are written in a recording: by their names, and amounts as decimal text.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// An API by its name.
pub(super) mod api {
    use super::{Deserialize, Deserializer, Error, Serializer};
    use crate::Api;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(in super::super) fn serialize<S: Serializer>(api: &Api, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(api.name())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Api, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Api::ALL.into_iter().find(|api| api.name() == name);
        known.ok_or_else(|| D::Error::custom("unknown API"))
    }
}

/// A kind of failure by its name.
pub(super) mod kind {
    use tower_llm_layers::FailureKind;

    use super::{Deserialize, Deserializer, Error, Serializer};

    #[expect(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    pub(in super::super) fn serialize<S: Serializer>(
        kind: &Option<FailureKind>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match kind {
            Some(kind) => serializer.serialize_str(kind.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<FailureKind>, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        let kind = name.map(|name| name.parse()).transpose();
        kind.map_err(|_| D::Error::custom("unknown kind of failure"))
    }
}

/// US dollars as decimal text, without the sign.
pub(super) mod usd {
    use tower_llm_layers::UsdAmount;

    use super::{Deserialize, Deserializer, Error, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it with a reference")]
    pub(in super::super) fn serialize<S: Serializer>(
        amount: &Option<UsdAmount>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match amount {
            Some(amount) => serializer.serialize_str(&amount.decimal()),
            None => serializer.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<UsdAmount>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let amount = text.map(|text| text.parse()).transpose();
        amount.map_err(|_| D::Error::custom("not an amount of US dollars"))
    }
}
