//! The slots of what a router says of its providers.

use std::sync::Arc;

use tower_layer::Layer;
use tower_llm_layers::{
    Failure, Frame, LayerError, LlmRequest, ProviderRouting,
    provider_health::{ProviderHealth, ProviderHealthLayer},
};

use super::{ErasedService, StackBuilder};

impl<R, F, E> StackBuilder<R, F, E>
where
    R: LlmRequest + ProviderRouting + Send + 'static,
    F: Frame + bytes::Buf + Send + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    /// Leaves providers behind a router out of requests while they fail, and probes them: see
    /// [`provider_health`](tower_llm_layers::provider_health). A request's own `provider` object is never changed. With
    /// [`router_metadata`](Self::router_metadata) it counts as well what the router has tried by itself. Stacks may share one. None by default.
    ///
    /// ```
    /// use tower_openrouter::{ApiKey, Stack, layers::provider_health::{ProviderHealth, ProviderPolicy}};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let providers = ProviderHealth::new(ProviderPolicy::new())?;
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
    ///     .chain(["openai/gpt-5"])
    ///     .provider_health(providers.clone())
    ///     .build()?;
    /// assert!(providers.report().is_empty(), "nothing is known yet");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn provider_health(mut self, health: ProviderHealth) -> Self {
        self.slots.provider_health = Some((
            health.clone(),
            Arc::new(move |inner: ErasedService<R, F, E>| {
                ErasedService::new(ProviderHealthLayer::new(health.clone()).layer(inner))
            }),
        ));
        self
    }
}

impl<R, F, E> StackBuilder<R, F, E> {
    /// Asks OpenRouter what it has tried by itself for each attempt (`X-OpenRouter-Metadata: enabled`): it stands under the attempt in the
    /// log ([`Attempt::router_attempts`](tower_llm_layers::Attempt::router_attempts)), and counts nowhere as an attempt. Off by default.
    #[must_use]
    pub fn router_metadata(mut self, on: bool) -> Self {
        self.settings.router_metadata = on;
        self.transport = self.transport.router_metadata(on);
        self
    }
}
