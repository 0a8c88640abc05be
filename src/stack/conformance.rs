//! The slot of the check of answers.

use std::sync::Arc;

use bytes::Buf;
use tower_layer::Layer;
use tower_llm_layers::{
    Failure, Frame, LayerError, LlmRequest,
    conformance::{ConformanceCheck, ConformanceLayer},
};

use super::{ErasedService, StackBuilder, slots::Slot};

impl<R, F, E> StackBuilder<R, F, E>
where
    R: LlmRequest + Send + 'static,
    F: Frame + Buf + Send + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    /// Rejects whole answers that are not what their requests asked for: each is [`Nonconformant`](crate::FailureKind::Nonconformant), the same
    /// candidate is called once more, then the next one. See [`conformance`](tower_llm_layers::conformance). For the JSON schemas of chats,
    /// responses and messages give it a `JsonSchemaCheck` (feature `conformance`); for requests of your own, a check of your own. Off by default.
    #[must_use]
    pub fn conformance<C>(mut self, layer: ConformanceLayer<C>) -> Self
    where
        C: ConformanceCheck<R, F> + 'static,
    {
        self.slots.conformance = Some(Slot {
            description: layer.to_string(),
            details: layer.to_string(),
            wrap: Arc::new(move |inner: ErasedService<R, F, E>| ErasedService::new(layer.layer(inner))),
        });
        self
    }
}
