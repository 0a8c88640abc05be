//! A candidate: its name alone, or a table with what it has of its own.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;
use tower_llm_layers::{Candidate, CandidateError, TimeoutOverrides};

use super::{
    Time,
    text::{InvalidValue, KIND},
};
use crate::{sealed::Sealed, stack::IntoCandidate, transport::OPENROUTER};

/// One place in a chain. Written as a text, `"openai/gpt-5"` or `"openai:gpt-5"`, or as a table.
///
/// In a text, what stands before the first colon is the upstream, unless it has a slash: `"openai/gpt-5:free"` is a model at OpenRouter. A
/// model with a colon and without a slash is written with its upstream before it: `"local:llama3:8b"`.
///
/// ```
/// use tower_openrouter::settings::CandidateSettings;
///
/// let candidate: CandidateSettings = "openrouter:openai/gpt-5".parse()?;
/// assert_eq!((&*candidate.upstream, &*candidate.model), ("openrouter", "openai/gpt-5"));
/// # Ok::<(), tower_openrouter::settings::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CandidateSettings {
    /// The upstream's name.
    pub upstream: String,
    /// The model's name there.
    pub model: String,
    /// What it is paid from; by default its upstream.
    pub pool: Option<String>,
    /// Members of the request's document that its requests have, with their values.
    pub parameters: BTreeMap<String, Value>,
    /// Members that its requests leave out.
    pub without_parameters: Vec<String>,
    /// Its own timeouts.
    pub timeouts: CandidateTimeouts,
}

/// Timeouts of one candidate; what is not set leaves the stack's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CandidateTimeouts {
    /// From the start of a streamed attempt to its first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token: Option<Time>,
    /// From the start of a plain attempt to its whole answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Time>,
    /// The longest silence once the answer has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Time>,
}

/// A candidate as a table.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CandidateTable {
    /// The upstream's name.
    #[serde(default = "openrouter")]
    upstream: String,
    /// The model's name there.
    model: String,
    /// What it is paid from: a quota that is exhausted is exhausted for the whole pool. By default its upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool: Option<String>,
    /// Members of the request's document that its requests have, with their values. They override the caller's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    parameters: BTreeMap<String, Value>,
    /// Members of the request's document that its requests leave out, since its upstream does not take them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    without_parameters: Vec<String>,
    /// Its own timeouts; what is not set leaves the stack's.
    #[serde(default)]
    timeouts: CandidateTimeouts,
}

pub(super) fn openrouter() -> String {
    OPENROUTER.to_owned()
}

impl CandidateSettings {
    /// A model at an upstream.
    pub fn new(upstream: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            upstream: upstream.into(),
            model: model.into(),
            pool: None,
            parameters: BTreeMap::new(),
            without_parameters: Vec::new(),
            timeouts: CandidateTimeouts::default(),
        }
    }
}

impl Sealed for &CandidateSettings {}

impl IntoCandidate for &CandidateSettings {
    fn into_candidate(self) -> Result<Candidate, CandidateError> {
        let mut candidate = Candidate::new(&self.upstream, &self.model)?;
        if let Some(pool) = &self.pool {
            candidate = candidate.with_pool(pool);
        }
        for (name, value) in &self.parameters {
            candidate = candidate.with_parameter(name, &value.to_string());
        }
        for name in &self.without_parameters {
            candidate = candidate.without_parameter(name);
        }
        let own = &self.timeouts;
        let mut timeouts = TimeoutOverrides::new();
        if let Some(limit) = own.first_token {
            timeouts = timeouts.first_token(limit.0);
        }
        if let Some(limit) = own.response {
            timeouts = timeouts.response(limit.0);
        }
        if let Some(limit) = own.idle {
            timeouts = timeouts.idle(limit.0);
        }
        Ok(candidate.with_timeouts(timeouts))
    }
}

impl FromStr for CandidateSettings {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let (upstream, model) = match text.split_once(':') {
            Some((upstream, model)) if !upstream.contains('/') => (upstream, model),
            _ => (OPENROUTER, text),
        };
        let (upstream, model) = (upstream.trim(), model.trim());
        if upstream.is_empty() || model.is_empty() {
            return Err(InvalidValue::new(
                "a name of the candidate is blank: write a model, e.g. \"openai/gpt-5\", or an upstream and a model, e.g. \"openai:gpt-5\"",
            ));
        }
        Ok(Self::new(upstream, model))
    }
}

impl fmt::Display for CandidateSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.upstream, self.model)
    }
}

impl Serialize for CandidateSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::new(&*self.upstream, &*self.model) {
            return serializer.collect_str(self);
        }
        let own = self.clone();
        let table = CandidateTable {
            upstream: own.upstream,
            model: own.model,
            pool: own.pool,
            parameters: own.parameters,
            without_parameters: own.without_parameters,
            timeouts: own.timeouts,
        };
        table.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CandidateSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if let Value::String(text) = value {
            return text.parse().map_err(D::Error::custom);
        }
        let table = CandidateTable::deserialize(value).map_err(D::Error::custom)?;
        Ok(Self {
            upstream: table.upstream,
            model: table.model,
            pool: table.pool,
            parameters: table.parameters,
            without_parameters: table.without_parameters,
            timeouts: table.timeouts,
        })
    }
}

impl JsonSchema for CandidateSettings {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Candidate".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = json_schema!({"type": "string", KIND: "candidate", "examples": ["openai/gpt-5", "openai:gpt-5"]});
        json_schema!({"anyOf": [text, generator.subschema_for::<CandidateTable>()]})
    }
}
