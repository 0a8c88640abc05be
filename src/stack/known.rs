//! Which models a stack knows: for lists of what a client may request.

use std::{any::Any, sync::Arc};

use tower_llm_layers::{Candidate, fallback::RequestedModel};

#[cfg(feature = "settings")]
use super::reloadable::ReloadableStack;
use super::{Stack, settings::Settings};
use crate::Catalogue;

/// The candidates that a stack is built with, and its catalogue.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownModels {
    /// The chain, and what is cheaper.
    pub(crate) candidates: Vec<Candidate>,
    /// The catalogue, if a client may request any model, and if it is this crate's own.
    pub(crate) catalogue: Option<Catalogue>,
}

/// Whose models are known: those of a service when it is mounted, or always the present ones.
#[derive(Debug, Clone)]
pub(crate) enum ModelsOf {
    Fixed(Arc<KnownModels>),
    #[cfg(feature = "settings")]
    Reloadable(ReloadableStack),
}

impl ModelsOf {
    /// Of a stack, which is found by its type; of any other service none.
    pub(crate) fn service(service: &dyn Any) -> Self {
        #[cfg(feature = "settings")]
        if let Some(stack) = service.downcast_ref::<ReloadableStack>() {
            return Self::Reloadable(stack.clone());
        }
        let stack = service.downcast_ref::<Stack>();
        Self::Fixed(Arc::new(stack.map(|stack| stack.models().clone()).unwrap_or_default()))
    }

    /// Those that are known now.
    pub(crate) fn now(&self) -> KnownModels {
        match self {
            Self::Fixed(known) => KnownModels::clone(known),
            #[cfg(feature = "settings")]
            Self::Reloadable(stack) => stack.stack().models().clone(),
        }
    }
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
