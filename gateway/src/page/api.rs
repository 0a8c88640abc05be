//! The JSON routes.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower_openrouter::{
    UsdAmount,
    layers::{UtcTime, ledger::Spend},
};

use super::{
    App,
    health::Health,
    spend::{group_by, rows, sum},
};
use crate::calls::{CallRecord, Filter, since};

/// Calls in one answer, at most.
const MOST: usize = 1_000;

#[derive(Debug, Deserialize)]
pub(super) struct CallsQuery {
    #[serde(default)]
    key: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    since: String,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct CallsAnswer {
    calls: Vec<Arc<CallRecord>>,
}

/// Those in progress first, then the ended ones, the latest first.
pub(super) async fn calls(State(app): State<Arc<App>>, query: Result<Query<CallsQuery>, QueryRejection>) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(error) => return wrong(&error.body_text()),
    };
    let limit = query.limit.unwrap_or(100).min(MOST);
    let filter = Filter {
        key: query.key,
        tag: query.tag,
        model: query.model,
        outcome: query.outcome,
        since: query.since,
    };
    let filter = match filter.checked() {
        Ok(filter) => filter,
        Err(error) => return wrong(&error.to_string()),
    };
    let running = app.view.calls.in_progress(&filter, limit);
    let mut calls: Vec<_> = running.into_iter().map(Arc::new).collect();
    calls.extend(app.view.calls.recent(&filter, limit.saturating_sub(calls.len())));
    Json(CallsAnswer { calls }).into_response()
}

#[derive(Debug, Deserialize)]
pub(super) struct SpendQuery {
    #[serde(default)]
    by: String,
    #[serde(default)]
    since: String,
}

#[derive(Debug, Serialize)]
struct SpendRow {
    group: String,
    attempts: u64,
    #[serde(serialize_with = "crate::calls::dollars")]
    cost: Option<UsdAmount>,
    /// Of the cost, what is an estimate.
    #[serde(serialize_with = "crate::calls::dollars")]
    estimated: Option<UsdAmount>,
    /// Of the cost, for attempts that gave no whole answer.
    #[serde(serialize_with = "crate::calls::dollars")]
    lost: Option<UsdAmount>,
    /// The sum of the differences between estimates and bills.
    #[serde(serialize_with = "crate::calls::dollars")]
    off_by: Option<UsdAmount>,
    prompt_tokens: u64,
    cached_tokens: u64,
    answer_tokens: u64,
}

impl SpendRow {
    const fn new(group: String, spend: &Spend) -> Self {
        Self {
            group,
            attempts: spend.attempts,
            cost: Some(spend.cost),
            estimated: Some(spend.estimated),
            lost: Some(spend.lost),
            off_by: Some(spend.estimate_error),
            prompt_tokens: spend.prompt_tokens,
            cached_tokens: spend.cached_tokens,
            answer_tokens: spend.answer_tokens,
        }
    }
}

#[derive(Debug, Serialize)]
struct SpendAnswer {
    by: String,
    since: String,
    /// `ledger`, or `recent_calls` without one.
    source: &'static str,
    rows: Vec<SpendRow>,
    total: SpendRow,
}

/// The spend of the last day by model, unless the query says otherwise.
pub(super) async fn spend(State(app): State<Arc<App>>, query: Result<Query<SpendQuery>, QueryRejection>) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(error) => return wrong(&error.body_text()),
    };
    let by = if query.by.is_empty() { "model" } else { &query.by };
    let Some(group) = group_by(by) else {
        return wrong("unknown `by`: use `key`, `model`, `provider`, `upstream`, `day`, `hour` or `tag:NAME`");
    };
    let text = if query.since.is_empty() { "24h" } else { &query.since };
    let from = match since(text) {
        Ok(from) => from.unwrap_or_else(UtcTime::now),
        Err(error) => return wrong(&error.to_string()),
    };
    match rows(&app.view, &group, from, None).await {
        Ok(rows) => {
            let total = sum(rows.iter().map(|(_, spend)| spend));
            let answer = SpendAnswer {
                by: by.to_owned(),
                since: from.to_string(),
                source: if app.view.ledger.is_some() {
                    "ledger"
                } else {
                    "recent_calls"
                },
                rows: rows
                    .into_iter()
                    .map(|(group, spend)| SpendRow::new(group, &spend))
                    .collect(),
                total: SpendRow::new("(total)".to_owned(), &total),
            };
            Json(answer).into_response()
        }
        Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error),
    }
}

pub(super) async fn health(State(app): State<Arc<App>>) -> Json<Health> {
    Json(Health::read(&app, UtcTime::now()).await)
}

fn wrong(message: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, message)
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": { "message": message } }))).into_response()
}
