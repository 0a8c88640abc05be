//! What calls are accounted under, and which tags are recorded.

use std::{fmt, sync::Arc};

use http::{Extensions, HeaderMap, Request};
use tower_llm_layers::{Tags, events::EventSender, observe::ObserveLayer, tagging::TagExtractor};

use super::StackBuilder;

type Extract = dyn Fn(&HeaderMap, &Extensions) -> Option<Tags> + Send + Sync;

/// What a call is accounted under, in addition to the tags that its request brings itself: extracted from the headers and extensions of its request.
///
/// Without one, [`Tags`] in the extensions of a request are read: middleware in front, for example authentication, puts them there.
#[derive(Clone)]
pub struct CallTags(Option<Arc<Extract>>);

impl CallTags {
    /// Extracts the tags with this closure; `None` adds none.
    pub fn new(extract: impl Fn(&HeaderMap, &Extensions) -> Option<Tags> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(extract)))
    }

    /// None but those that a request brings itself, or has in its extensions.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }
}

impl CallTags {
    pub(super) const fn describe(&self) -> &'static str {
        match self.0 {
            Some(_) => "extracted from the request, and its own",
            None => "the request's own",
        }
    }
}

impl<R> TagExtractor<R> for CallTags {
    fn tags(&self, request: &Request<R>) -> Option<Tags> {
        match &self.0 {
            Some(extract) => extract(request.headers(), request.extensions()),
            None => request.extensions().get().cloned(),
        }
    }
}

impl fmt::Debug for CallTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallTags")
    }
}

impl<R, F, E> StackBuilder<R, F, E> {
    /// What calls are accounted under, in addition to the tags that a request brings itself. By default those in its extensions.
    #[must_use]
    pub fn tags(mut self, tags: CallTags) -> Self {
        self.settings.tags = tags;
        self
    }

    /// Refuses a call without this tag, e.g. `tenant`, before anything else happens. None is required by default.
    #[must_use]
    pub fn require_tag(mut self, name: &str) -> Self {
        self.settings.required_tag = Some(name.to_owned());
        self
    }

    /// What is recorded of each call in addition to its numbers: the tags on its span and as labels of its metrics
    /// ([`ObserveLayer::tags`]). None by default.
    ///
    /// ```
    /// use tower_openrouter::{ApiKey, Stack, layers::observe::ObserveLayer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
    ///     .chain(["openai/gpt-5"])
    ///     .observe(ObserveLayer::new().tags(["team"]))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn observe(mut self, observe: ObserveLayer) -> Self {
        self.settings.observe = observe;
        self
    }

    /// Sends what happens in each call over a [channel](tower_llm_layers::events): ended attempts, retries, fallbacks, hedges, circuits,
    /// budgets, degraded answers. None by default, and then not built.
    ///
    /// ```
    /// use tower_openrouter::{ApiKey, Stack, layers::events::{self, EventKind}};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (sender, mut receiver) = events::channel(1024);
    /// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
    ///     .chain(["openai/gpt-5", "openai/gpt-4o-mini"])
    ///     .events(sender)
    ///     .build()?;
    /// let page = async move {
    ///     while let Some(event) = receiver.recv().await {
    ///         if let EventKind::CircuitOpened { candidate, .. } = event.kind {
    ///             println!("{candidate} is down");
    ///         }
    ///     }
    /// };
    /// # drop((stack, page));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn events(mut self, sender: EventSender) -> Self {
        self.settings.events = Some(sender);
        self
    }
}
