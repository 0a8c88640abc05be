//! The slots of rate limits and concurrency limits.

use std::{sync::Arc, time::Duration};

use tower_llm_layers::{
    adaptive_concurrency::ConcurrencyLimits,
    rate_limit::{LimitStore, Limits, PerCandidate, RateLimitLayer},
};

use super::{StackBuilder, TenantKey};

/// Layers that count together with those of another stack.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedLimits {
    pub(super) tenant_limits: Option<RateLimitLayer<TenantKey>>,
    pub(super) upstream: Option<RateLimitLayer<PerCandidate>>,
}

impl<R, F, E> StackBuilder<R, F, E> {
    /// Limits of each tenant, once a call: requests, tokens, calls at once. A call waits up to `max_wait` for its turn, and is
    /// refused with the exact time otherwise. None by default.
    #[must_use]
    pub fn tenant_limits(mut self, limits: Limits, tenant: TenantKey, max_wait: Duration) -> Self {
        self.settings.tenant_limits = Some((limits, max_wait));
        self.settings.shared_limits.tenant_limits = None;
        self.settings.tenant = tenant;
        self
    }

    /// Limits of each candidate, once an attempt. An attempt waits up to `max_wait` for its turn, and moves on otherwise. None by default.
    /// What an upstream says of its own limits is always kept: see [`pause`](tower_llm_layers::pause).
    #[must_use]
    pub fn upstream_limits(mut self, limits: Limits, max_wait: Duration) -> Self {
        self.settings.upstream_limits = Some((limits, max_wait));
        self.settings.shared_limits.upstream = None;
        self
    }

    /// Counts the limits of [tenants](Self::tenant_limits) in a store that several processes share, e.g. on Redis. In this process by default.
    #[must_use]
    pub fn tenant_limit_store(mut self, store: Arc<dyn LimitStore>) -> Self {
        self.settings.tenant_store = Some(store);
        self
    }

    /// The same for the limits of [candidates](Self::upstream_limits).
    #[must_use]
    pub fn upstream_limit_store(mut self, store: Arc<dyn LimitStore>) -> Self {
        self.settings.upstream_store = Some(store);
        self
    }

    /// Counts the limits of tenants and candidates together with another stack that has the same ones.
    #[cfg(feature = "settings")]
    pub(crate) fn shared_limits(
        mut self,
        tenant_limits: Option<RateLimitLayer<TenantKey>>,
        upstream: Option<RateLimitLayer<PerCandidate>>,
    ) -> Self {
        self.settings.shared_limits = SharedLimits {
            tenant_limits,
            upstream,
        };
        self
    }

    /// A learned concurrency limit per candidate: see
    /// [`adaptive_concurrency`](tower_llm_layers::adaptive_concurrency). Attempts beyond it wait, interactive calls before batches
    /// ([`Priority`](tower_llm_layers::Priority)). None by default. Stacks may share one.
    ///
    /// ```
    /// use tower_openrouter::{ApiKey, Stack, layers::adaptive_concurrency::{ConcurrencyLimits, ConcurrencyPolicy}};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
    ///     .chain(["openai/gpt-5"])
    ///     .adaptive_concurrency(ConcurrencyLimits::new(ConcurrencyPolicy::new())?)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn adaptive_concurrency(mut self, limits: ConcurrencyLimits) -> Self {
        self.settings.concurrency = Some(limits);
        self
    }
}
