//! Whether a model can be had.

use serde_json::Value;

use super::fields::{number, text, texts};

/// Why a model cannot be had, and what could be done. Decide by [`retryable`](Self::retryable), not by the code.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Availability {
    /// Such as `capacity_exhausted`, `model_not_found`, `constraint_filtered`.
    pub code: Option<String>,
    /// Whether the same request may work later.
    pub retryable: Option<bool>,
    /// When, in seconds.
    pub retry_after: Option<f64>,
    /// The models asked for.
    pub requested_models: Vec<String>,
    /// The providers that could not.
    pub affected_providers: Vec<String>,
    /// The constraints that left none, such as `max_price`, `data_policy:zdr`.
    pub excluded_by: Vec<String>,
    /// Models that might do: hints, not promises.
    pub fallback_models: Vec<String>,
    /// The field of the request that was too strict.
    pub constraint_field: Option<String>,
    /// How it was too strict.
    pub constraint_detail: Option<String>,
    /// Where to read about it.
    pub docs_url: Option<String>,
}

impl Availability {
    pub(super) fn read(value: &Value) -> Option<Self> {
        value.is_object().then(|| {
            let constraint = value.get("constraint");
            Self {
                code: text(value.get("code")),
                retryable: value.get("retryable").and_then(Value::as_bool),
                retry_after: number(value.get("retry_after")),
                requested_models: texts(value.get("requested_models")),
                affected_providers: texts(value.get("affected_providers")),
                excluded_by: texts(value.get("excluded_by")),
                fallback_models: texts(value.get("fallback_models")),
                constraint_field: text(constraint.and_then(|constraint| constraint.get("field"))),
                constraint_detail: text(constraint.and_then(|constraint| constraint.get("detail"))),
                docs_url: text(value.get("docs_url")),
            }
        })
    }
}
