//! The slot of the cache.

#[cfg(feature = "cache")]
use std::sync::Arc;

#[cfg(feature = "cache")]
use http::Request;
#[cfg(feature = "cache")]
use tower_layer::Layer;
#[cfg(feature = "cache")]
use tower_llm_layers::{
    CacheKey, CacheMode, Failure, Frame, LayerError, LlmRequest,
    cache::{CacheLayer, CachedAnswer},
};

use super::slots::Slots;
#[cfg(feature = "cache")]
use super::{
    ErasedService, StackBuilder, TenantKey,
    slots::{Slot, Stale, StaleLook, Wrap},
};
#[cfg(feature = "cache")]
use crate::{ChatFrame, Error};

/// A cache for [`StackBuilder::cache`]; of chats by default.
#[cfg(feature = "cache")]
pub type ChatCache<F = ChatFrame, E = Error> = CacheLayer<F, E, TenantKey>;

#[cfg(feature = "cache")]
impl<R, F, E> StackBuilder<R, F, E>
where
    R: LlmRequest + CacheKey + Send + 'static,
    F: Frame + bytes::Buf + Clone + Send + Sync + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    /// Answers that were given before, and calls that are the same while they are under way: see
    /// [`cache`](tower_llm_layers::cache). Give it the tenant of a request; a tenant never gets a response that another one requested. Stale responses
    /// that are kept beyond their time ([`Cache::stale_if_error`](tower_llm_layers::cache::Cache::stale_if_error)) are returned when every
    /// candidate has failed, marked as [`Degraded`](tower_llm_layers::Degraded). None by default.
    ///
    /// The chain is no part of the key: stacks may share one if their chains are the same, and what a later model of the chain
    /// answered serves as well as the first one's. Plain and streamed answers are kept apart. The headers of a request are part of the key,
    /// those that [`pass_header`](crate::endpoint::OpenAiEndpoint::pass_header) lets through included, unless they
    /// [change no answer](tower_llm_layers::is_irrelevant_header) or [`CacheLayer::ignore_header`] names them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_openrouter::{ApiKey, Stack, layers::cache::Cache, stack::{ChatCache, TenantKey}};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let kept = Cache::new(64 << 20).stale_if_error(Duration::from_secs(3600));
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
    ///     .chain(["openai/gpt-5"])
    ///     .cache(ChatCache::new(kept, TenantKey::global()))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn cache(mut self, cache: ChatCache<F, E>) -> Self {
        let keeps_stale = !cache.cache().stale_if_error_time().is_zero();
        let stale = keeps_stale.then(|| stale(cache.clone()));
        let slot = Slot {
            description: cache.cache().to_string(),
            details: format!("{cache:?}"),
            wrap: Arc::new(move |inner: ErasedService<R, F, E>| ErasedService::new(cache.layer(inner)))
                as Wrap<R, F, E>,
        };
        self.slots.cache = Some((slot, stale));
        self
    }
}

/// What a cache keeps beyond its time.
#[cfg(feature = "cache")]
fn stale<R, F, E>(cache: ChatCache<F, E>) -> Stale<R, F>
where
    R: LlmRequest + CacheKey + 'static,
    F: Frame + Clone + Send + Sync + 'static,
    E: Send + 'static,
{
    Arc::new(move |request: &Request<R>| {
        // A call that goes round the cache, or wants a new answer, gets no old one.
        if !matches!(CacheMode::of(request), CacheMode::Default | CacheMode::OnlyIfCached) {
            return None;
        }
        let (kept, key) = (cache.cache(), cache.key(request)?);
        let frames = |kept: CachedAnswer<F>| (kept.frames(), kept.status().age);
        Some(match kept.stale_later(&key) {
            Some(later) => StaleLook::Later(Box::pin(async move { later.await.map(frames) })),
            None => StaleLook::Now(kept.stale(&key).map(frames)?),
        })
    })
}

pub(super) fn describe<R, F, E>(slots: &Slots<R, F, E>) -> String {
    let cache = slots.cache.as_ref().map(|(slot, _)| &*slot.description);
    let keys = slots.idempotency.as_ref().map(|keys| &*keys.description);
    match (cache, keys) {
        (None, None) => "off".to_owned(),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (Some(cache), Some(keys)) => format!("{cache}; {keys}"),
    }
}
