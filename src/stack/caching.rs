//! The slot of the cache. Without the feature `cache` it stays empty, and costs nothing.

#[cfg(not(feature = "cache"))]
pub(super) use empty::*;
#[cfg(feature = "cache")]
pub use full::ChatCache;
#[cfg(feature = "cache")]
pub(super) use full::*;

#[cfg(feature = "cache")]
mod full {
    use tower_llm_layers::cache::{CacheBody, CacheLayer, CacheService};

    use crate::{
        ChatFrame, Error,
        stack::{StackBuilder, TenantKey, settings::Settings},
    };

    /// A cache of chats, for [`StackBuilder::cache`].
    pub type ChatCache = CacheLayer<ChatFrame, Error, TenantKey>;

    /// The slot over `S`.
    pub(in crate::stack) type Cached<S> = CacheService<S, ChatFrame, Error, TenantKey>;

    /// The slot's body over `B`.
    pub(in crate::stack) type CachedBody<B> = CacheBody<B>;

    impl StackBuilder {
        /// Answers that were given before, and calls that are the same while they are under way: see
        /// [`cache`](tower_llm_layers::cache). Give it whose a request is; a tenant never gets what another one asked for. Answers
        /// that are kept beyond their time ([`Cache::stale_if_error`](tower_llm_layers::cache::Cache::stale_if_error)) stand in where
        /// nobody answers, marked as [`Degraded`](tower_llm_layers::Degraded). None by default.
        ///
        /// The chain is no part of the key: stacks may share one where their chains are the same, and what a later model of the chain
        /// answered serves as well as the first one's. Plain and streamed answers are kept apart. The headers of a request are part of the key,
        /// those that [`pass_header`](crate::endpoint::OpenAiEndpoint::pass_header) lets through included, unless they
        /// [change no answer](tower_llm_layers::changes_no_answer) or [`CacheLayer::ignore_header`] names them.
        ///
        /// ```
        /// use std::time::Duration;
        /// use tower_openrouter::{ApiKey, Stack, layers::cache::Cache, stack::{ChatCache, TenantKey}};
        ///
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// let kept = Cache::new(64 << 20).stale_if_error(Duration::from_secs(3600));
        /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
        ///     .chain(["openai/gpt-5"])
        ///     .cache(ChatCache::new(kept, TenantKey::everyone()))
        ///     .build()?;
        /// # Ok(())
        /// # }
        /// ```
        #[must_use]
        pub fn cache(mut self, cache: ChatCache) -> Self {
            self.settings.cache = Some(cache);
            self
        }
    }

    pub(in crate::stack) fn layer(settings: &Settings) -> ChatCache {
        settings.cache.clone().unwrap_or_else(CacheLayer::off)
    }

    pub(in crate::stack) fn describe(settings: &Settings) -> String {
        let kept = settings.cache.as_ref().and_then(CacheLayer::cache);
        kept.map_or_else(|| "off".to_owned(), ToString::to_string)
    }

    pub(in crate::stack) fn keeps_stale(settings: &Settings) -> bool {
        let kept = settings.cache.as_ref().and_then(CacheLayer::cache);
        kept.is_some_and(|kept| !kept.kept_stale().is_zero())
    }
}

#[cfg(not(feature = "cache"))]
mod empty {
    use tower_layer::Identity;

    use crate::stack::settings::Settings;

    /// The slot over `S`.
    pub(in crate::stack) type Cached<S> = S;

    /// The slot's body over `B`.
    pub(in crate::stack) type CachedBody<B> = B;

    pub(in crate::stack) const fn layer(_: &Settings) -> Identity {
        Identity::new()
    }

    pub(in crate::stack) fn describe(_: &Settings) -> String {
        "off".to_owned()
    }

    pub(in crate::stack) const fn keeps_stale(_: &Settings) -> bool {
        false
    }
}
