//! The page of the gateway and the JSON beside it: server-rendered, live by server-sent events, complete without JavaScript.
//!
//! | path | what it is |
//! | --- | --- |
//! | `/` | the page |
//! | `/api/calls` | the calls; `key`, `tag`, `model`, `outcome`, `since`, `limit` choose among them |
//! | `/api/spend` | the spend; `by` is `key`, `model`, `provider`, `upstream`, `day`, `hour` or `tag:NAME`, `since` when it begins |
//! | `/api/health` | circuits, pauses and budgets |
//! | `/events` | what the page shows, as it changes |
//!
//! The router authenticates no one: it belongs behind the admin side's token or address. Nothing on it is a key; names from requests are
//! escaped, and the content security policy allows no inline code.

mod api;
mod assets;
mod call_view;
mod chart;
mod condition;
mod forecast;
mod health;
mod known;
mod lately;
mod live;
mod overview;
mod problems;
mod render;
mod show;
mod spend;
mod verdict;

use std::sync::Arc;

use axum::{Router, routing::get};
use tokio::sync::Semaphore;
use tower_openrouter::{ledger::DatabaseLedger, settings::SettingsHandle};

pub use condition::{Condition, ConditionSource};

use crate::{accounts::Accounts, calls::Calls};

/// Viewers that may follow `/events` at once.
const MOST_VIEWERS: usize = 64;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct View {
    /// The recent calls.
    pub calls: Calls,
    /// What was spent, also before the process started. Without one, the recent calls say it.
    pub ledger: Option<DatabaseLedger>,
    /// The settings in force: their stack tells circuits and pauses, and their budgets are shown.
    pub settings: SettingsHandle,
    /// How the accounts of the budgets are read.
    pub accounts: Accounts,
    /// How the condition of the gateway is read.
    pub condition: ConditionSource,
}

/// What the handlers share.
struct App {
    view: View,
    paces: forecast::Paces,
    known: known::Cached,
    spend: spend::Cached,
    viewers: Arc<Semaphore>,
}

/// The page and the JSON routes.
pub fn router(view: View) -> Router {
    let app = Arc::new(App {
        view,
        paces: forecast::Paces::default(),
        known: known::Cached::default(),
        spend: spend::Cached::default(),
        viewers: Arc::new(Semaphore::new(MOST_VIEWERS)),
    });
    Router::new()
        .route("/", get(render::page))
        .route("/api/calls", get(api::calls))
        .route("/api/spend", get(api::spend))
        .route("/api/health", get(api::health))
        .route("/events", get(live::events))
        .with_state(app)
        .merge(assets::router())
        .layer(axum::middleware::map_response(assets::secure))
}
