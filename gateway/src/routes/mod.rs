//! The routes: the library's endpoints behind client keys, and the admin side.
//!
//! | path | who | answers |
//! | --- | --- | --- |
//! | `/v1/chat/completions`, `/v1/responses`, `/v1/messages`, `/v1/embeddings` | a client key | the APIs |
//! | `/v1/models`, `/v1/models/{id}` | a client key | the models that the key allows, and one of them |
//! | `/v1/key` | a client key | its own limits, budgets and what is spent, with OpenRouter's members beside them |
//! | `/healthz`, `/readyz` | everyone | whether the process lives; whether it takes calls |
//! | `/metrics` | admin | metrics for Prometheus |
//! | `/`, `/events`, `/api/calls`, `/api/spend`, `/api/health` | admin | [the page and its JSON](crate::page) |
//! | `POST /api/pauses/lift` | admin | ends the pauses that upstreams have requested |
//!
//! The client's routes are also under `/api/v1`, with OpenRouter's errors.

mod admin;
mod browser;
mod caught;
mod clients;
mod cut;
mod ending;
mod front;
mod health;
mod key;
mod models;
mod outer;
mod usage;

use axum::Router;

pub use admin::Admin;
pub(crate) use front::Front;
pub use outer::{Outer, OuterLayer};

use crate::{gateway::Gateway, settings::Config};

/// All routes of a gateway.
#[derive(Debug)]
pub struct Routes {
    /// Those of the clients' address.
    pub main: Router,
    /// Those of the admin's own address, if there is one.
    pub admin: Option<Router>,
}

impl Routes {
    /// Those of this gateway.
    ///
    /// # Errors
    ///
    /// If the admin's token cannot be read.
    pub fn new(gateway: &Gateway, config: &Config) -> Result<Self, crate::OpenError> {
        let admin = Admin::new(config)?;
        let pages = admin::router(gateway, admin).layer(OuterLayer);
        let health = health::router(gateway).layer(OuterLayer);
        let main = health.clone().merge(clients::router(gateway, config));
        Ok(match config.admin {
            Some(_) => Self {
                main,
                admin: Some(health.merge(pages)),
            },
            None => Self {
                main: main.merge(pages),
                admin: None,
            },
        })
    }
}
