//! The page itself.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use askama::Template;
use axum::{
    extract::{Query, State},
    response::{Html, IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    App,
    call_view::CallView,
    chart::Chart,
    overview::{HealthView, Span, Summary, overview},
    spend::{Range, group_by},
};
use crate::calls::Filter;

/// Calls on the page: few, so that they are found at a glance, or many.
const FEW_CALLS: usize = 20;
const MANY_CALLS: usize = 100;
/// How long the page waits for the ledger.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a reader chose.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    key: String,
    tag: String,
    model: String,
    outcome: String,
    /// The span of the headline.
    span: String,
    /// The groups and the span of the chart.
    by: String,
    range: String,
    /// How many calls are listed.
    rows: String,
}

impl Choice {
    pub(super) fn filter(&self) -> Filter {
        let filter = Filter {
            key: self.key.clone(),
            tag: self.tag.clone(),
            model: self.model.clone(),
            outcome: self.outcome.clone(),
            since: String::new(),
        };
        // An outcome that there is not: an old link still shows the page.
        filter.checked().unwrap_or_default()
    }

    pub(super) fn span(&self) -> Span {
        let named = Span::ALL.into_iter().find(|span| span.as_str() == self.span);
        named.unwrap_or(Span::Hour)
    }

    /// Calls in the list, at most.
    pub(super) fn most_calls(&self) -> usize {
        if self.rows == MANY_CALLS.to_string() {
            MANY_CALLS
        } else {
            FEW_CALLS
        }
    }

    fn range(&self) -> Range {
        let named = Range::ALL.into_iter().find(|range| range.as_str() == self.range);
        named.unwrap_or(Range::Day)
    }

    fn by(&self) -> &str {
        if group_by(&self.by).is_some() {
            &self.by
        } else {
            "model"
        }
    }

    /// The address of the page with one choice changed.
    fn with(&self, name: &str, value: &str) -> String {
        let values = [
            ("key", &self.key),
            ("tag", &self.tag),
            ("model", &self.model),
            ("outcome", &self.outcome),
            ("span", &self.span),
            ("by", &self.by),
            ("range", &self.range),
            ("rows", &self.rows),
        ];
        let pairs: Vec<_> = values
            .into_iter()
            .map(|(known, old)| (known, if known == name { value } else { old }))
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        format!("?{}", pairs.join("&"))
    }
}

/// A value in the query of a URL.
fn encoded(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte);
    let byte = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    value.bytes().map(byte).collect()
}

/// A choice as a link.
#[derive(Debug)]
struct Link {
    text: String,
    address: String,
    is_chosen: bool,
}

/// Spend over time.
#[derive(Debug, Template)]
#[template(path = "spend.html")]
pub(super) struct SpendView {
    chart: Option<Chart>,
    error: String,
    source: &'static str,
    by: String,
    groups: Vec<Link>,
    ranges: Vec<Link>,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    summary: Summary,
    health: HealthView,
    spend: SpendView,
    calls: Vec<CallView>,
    choice: Choice,
    is_filtered: bool,
    spans: Vec<Link>,
    outcomes: Vec<Link>,
    most_calls: usize,
    /// To the other length of the list.
    more: Link,
    /// Whether there may be more calls than the short list shows.
    has_more: bool,
    version: &'static str,
    run: String,
}

pub(super) async fn page(State(app): State<Arc<App>>, Query(choice): Query<Choice>) -> Response {
    let (summary, health) = overview(&app, choice.span()).await;
    let spend = spend(&app, &choice).await;
    let filter = choice.filter();
    let calls = calls(&app, &filter, choice.most_calls());
    let page = Page {
        summary,
        health,
        spend,
        has_more: calls.len() >= FEW_CALLS || choice.most_calls() > FEW_CALLS,
        calls,
        most_calls: choice.most_calls(),
        more: more(&choice),
        is_filtered: !filter.is_empty(),
        spans: links(
            &choice,
            "span",
            Span::ALL.map(|span| (span.as_str(), span.as_str())),
            choice.span().as_str(),
        ),
        outcomes: outcomes(&choice.outcome),
        run: app.view.calls.run().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        choice,
    };
    match page.render() {
        Ok(page) => Html(page).into_response(),
        Err(error) => {
            tracing::error!(%error, "the page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn outcomes(chosen: &str) -> Vec<Link> {
    let known = [
        ("", "all outcomes"),
        ("bad", "failed or interrupted"),
        ("rescued", "rescued"),
        ("degraded", "degraded"),
        ("ok", "answered"),
        ("failed", "failed"),
        ("interrupted", "interrupted"),
        ("refused", "refused"),
        ("left", "client left"),
        ("cached", "cached"),
        ("running", "in progress"),
    ];
    let option = |(value, text): (&str, &str)| Link {
        text: text.to_owned(),
        address: value.to_owned(),
        is_chosen: value == chosen,
    };
    known.into_iter().map(option).collect()
}

/// The link to the other length of the list.
fn more(choice: &Choice) -> Link {
    let (text, rows) = if choice.most_calls() == FEW_CALLS {
        (format!("Show {MANY_CALLS} calls"), MANY_CALLS.to_string())
    } else {
        (format!("Show {FEW_CALLS} calls"), String::new())
    };
    Link {
        text,
        address: choice.with("rows", &rows),
        is_chosen: false,
    }
}

/// The calls that began last, in progress or ended, the latest first.
pub(super) fn calls(app: &App, filter: &Filter, most: usize) -> Vec<CallView> {
    let running = app.view.calls.in_progress(filter, most);
    // They are kept in the order of their ends.
    let mut calls = app.view.calls.recent(filter, usize::MAX);
    calls.extend(running.into_iter().map(Arc::new));
    calls.sort_by_key(|call| Reverse(call.id));
    // One that ended meanwhile is in both, and stands there as ended first.
    calls.dedup_by_key(|call| call.id);
    calls.truncate(most);
    calls.iter().map(|call| CallView::new(call)).collect()
}

pub(super) async fn spend(app: &App, choice: &Choice) -> SpendView {
    let by = choice.by();
    let range = choice.range();
    let timeline = match group_by(by) {
        Some(group) => timeout(PATIENCE, app.spend.timeline(&app.view, &group, range))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}"))),
        None => Err("unknown group".to_owned()),
    };
    let (chart, error) = match timeline {
        Ok(timeline) => (Some(Chart::new(&timeline, range.is_hourly())), String::new()),
        Err(error) => (None, error),
    };
    let groups = [
        ("model", "model"),
        ("key", "key"),
        ("provider", "provider"),
        ("tag:team", "team"),
    ];
    SpendView {
        chart,
        error,
        source: match app.view.ledger {
            Some(_) => "from the ledger",
            None => "of the recent calls: no ledger is configured",
        },
        by: by.strip_prefix("tag:").unwrap_or(by).to_owned(),
        groups: links(choice, "by", groups, by),
        ranges: links(
            choice,
            "range",
            Range::ALL.map(|range| (range.as_str(), range.as_str())),
            range.as_str(),
        ),
    }
}

fn links<const N: usize>(choice: &Choice, name: &str, values: [(&str, &str); N], chosen: &str) -> Vec<Link> {
    let link = |(value, text): (&str, &str)| Link {
        text: text.to_owned(),
        address: choice.with(name, value),
        is_chosen: value == chosen,
    };
    values.into_iter().map(link).collect()
}
