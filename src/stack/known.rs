//! Which models a stack knows: for lists of what a client may request.

use std::any::Any;

use tower_llm_layers::{Candidate, fallback::RequestedModel};

use super::settings::Settings;
use crate::Catalogue;

/// The candidates that a stack is built with, and its catalogue.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownModels {
    /// The chain, and what is cheaper.
    pub(crate) candidates: Vec<Candidate>,
    /// The catalogue, if a client may request any model, and if it is this crate's own.
    pub(crate) catalogue: Option<Catalogue>,
}

impl KnownModels {
    pub(super) fn of(settings: &Settings) -> Self {
        let takes_any = settings.chain.is_none() || settings.requested_model == RequestedModel::First;
        let capabilities = settings.capabilities.as_deref().filter(|_| takes_any);
        Self {
            candidates: settings
                .chain
                .iter()
                .flatten()
                .chain(&settings.cheaper)
                .cloned()
                .collect(),
            catalogue: capabilities.and_then(|capabilities| {
                let catalogue: &dyn Any = capabilities;
                catalogue.downcast_ref::<Catalogue>().cloned()
            }),
        }
    }
}
