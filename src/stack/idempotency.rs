//! The slot of idempotency keys.

use std::sync::Arc;

use tower_layer::Layer;
use tower_llm_layers::{CacheKey, Failure, Frame, LayerError, LlmRequest, cache::idempotency::IdempotencyLayer};

use super::{ErasedService, StackBuilder, TenantKey, slots::Slot};
use crate::{ChatFrame, Error};

/// Idempotency keys for [`StackBuilder::idempotency`]; of chats by default.
pub type ChatIdempotency<F = ChatFrame, E = Error> = IdempotencyLayer<F, E, TenantKey>;

impl<R, F, E> StackBuilder<R, F, E>
where
    R: LlmRequest + CacheKey + Send + 'static,
    F: Frame + bytes::Buf + Clone + Send + Sync + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    /// Makes calls with the same `Idempotency-Key` once, for a day: see [`idempotency`](tower_llm_layers::cache::idempotency). It stands directly
    /// outside the [cache](Self::cache), which it does not need. A replay costs nothing, and is recorded in the ledger of the stack with the tag
    /// `idempotent_replay`, unless the layer has a ledger of its own. None by default.
    ///
    /// ```
    /// use tower_openrouter::{
    ///     ApiKey, Stack,
    ///     layers::cache::idempotency::InMemoryIdempotency,
    ///     stack::{ChatIdempotency, TenantKey},
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = ChatIdempotency::new(InMemoryIdempotency::new(64 << 20), TenantKey::tag("tenant"));
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
    ///     .chain(["openai/gpt-5"])
    ///     .idempotency(keys)
    ///     .build()?;
    /// assert!(stack.describe().contains("idempotency keys for 86400s"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn idempotency(mut self, keys: ChatIdempotency<F, E>) -> Self {
        self.slots.idempotency = Some(Slot {
            description: keys.to_string(),
            details: format!("{keys:?}"),
            wrap: Arc::new(move |inner: ErasedService<R, F, E>, ledger| {
                let keys = keys.clone();
                let keys = match ledger {
                    Some(ledger) if !keys.has_ledger() => keys.ledger(ledger),
                    _ => keys,
                };
                ErasedService::new(keys.layer(inner))
            }),
        });
        self
    }
}
