//! The script file: plans by model, and a few settings, in JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::fault::span;
use crate::money::Cost;
use crate::plan::Plan;

/// What a script file, or the body of `POST /__sim/script`, says.
///
/// ```
/// let script: openrouter_simulator::Script = serde_json::from_str(
///     r#"{"seed": 1, "models": {"openai/gpt-5": ["503", "503", "ok"], "demo/model": "20%reset"}, "all": "delay=20ms"}"#,
/// )?;
/// assert_eq!(script.models.len(), 2);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Script {
    /// Plans by model (or by path, such as `/models`).
    pub models: BTreeMap<String, Plan>,
    /// The plan of every model that has none of its own.
    pub all: Option<Plan>,
    /// The seed of every choice.
    pub seed: Option<u64>,
    /// The balance of the account, a decimal string in USD.
    pub credits: Option<Cost>,
    /// Keys, with their limits in USD (a decimal string) or null. Once there is one, all others are unknown.
    pub keys: BTreeMap<String, Option<Cost>>,
    /// Time before each piece, such as `"20ms"`.
    #[serde(deserialize_with = "duration")]
    pub piece_delay: Option<Duration>,
    /// How long `/generation` knows nothing of an answer, such as `"2s"`.
    #[serde(deserialize_with = "duration")]
    pub generation_lag: Option<Duration>,
}

fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    match span::parse(&text) {
        Some(length) => Ok(Some(length)),
        None => Err(serde::de::Error::custom(format_args!(
            "`{text}` is no duration, such as `20ms`"
        ))),
    }
}

/// Without the keys.
impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script")
            .field("models", &self.models)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
