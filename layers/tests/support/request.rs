//! The request of the test service.

use http::Request;
use tower_llm_layers::{Budgeted, Call, Candidate, Continuable, ContinueBy, LlmRequest, Needs, Route};

/// A request of a service that is not ours.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestRequest {
    pub(crate) model: Option<String>,
    pub(crate) streaming: bool,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) needs: Needs,
    pub(crate) alternatives: Vec<String>,
    pub(crate) prompt: &'static str,
    pub(crate) temperature: Option<f64>,
    pub(crate) unkept: bool,
    /// The provider that it pins.
    pub(crate) provider: Option<&'static str>,
    /// What it is instructed to continue after.
    pub(crate) asked_to_continue: Option<String>,
    pub(crate) call: Call,
}

/// A streamed request that names no model.
pub(crate) fn streamed() -> Request<TestRequest> {
    Request::new(TestRequest {
        streaming: true,
        prompt: "the secret prompt",
        ..TestRequest::default()
    })
}

/// A request for a whole answer.
pub(crate) fn plain() -> Request<TestRequest> {
    let mut request = streamed();
    request.body_mut().streaming = false;
    request
}

impl LlmRequest for TestRequest {
    fn call(&self) -> &Call {
        &self.call
    }

    fn call_mut(&mut self) -> &mut Call {
        &mut self.call
    }

    fn is_streaming(&self) -> bool {
        self.streaming
    }

    fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    fn set_model(&mut self, model: &str) {
        self.model = Some(model.to_owned());
    }

    /// Free models share a quota.
    fn pool_of(upstream: &str, model: &str) -> Option<String> {
        model.ends_with(":free").then(|| format!("{upstream}:free"))
    }

    fn set_alternatives(&mut self, models: &[&str]) -> bool {
        self.alternatives = models.iter().map(|model| (*model).to_owned()).collect();
        true
    }

    fn alternatives(&self) -> Vec<String> {
        self.alternatives.clone()
    }

    fn max_tokens(&self) -> Option<u64> {
        self.max_tokens
    }

    fn needs(&self) -> Needs {
        self.needs
    }

    fn pinned_route(&self) -> Route {
        self.provider
            .map_or(Route::FREE, |provider| Route::of([provider.as_bytes()]))
    }

    fn add_continue_instruction(&mut self, last: &str) -> bool {
        self.asked_to_continue = Some(last.to_owned());
        true
    }

    fn budgeted(&mut self) -> Option<&mut dyn Budgeted> {
        Some(self)
    }
}

impl Budgeted for TestRequest {
    fn set_max_tokens(&mut self, tokens: u64) -> bool {
        self.max_tokens = Some(tokens);
        true
    }
}

/// It names no providers itself, and its router takes none.
impl tower_llm_layers::ProviderRouting for TestRequest {
    fn has_provider_preferences(&self) -> bool {
        self.provider.is_some()
    }

    fn set_providers(&mut self, _ignore: &[Box<str>], _order: &[Box<str>]) -> bool {
        false
    }
}

impl Continuable for TestRequest {
    fn continue_after(&self, _shown: &str) -> Option<Self> {
        Some(self.clone())
    }

    fn continue_by(candidate: &Candidate) -> ContinueBy {
        if candidate.model().starts_with("never") {
            ContinueBy::Never
        } else {
            ContinueBy::Prefill
        }
    }
}

impl tower_llm_layers::CacheKey for TestRequest {
    fn write_key(&self, key: &mut tower_llm_layers::KeyWriter<'_>) {
        key.part(self.prompt.as_bytes());
        key.part(self.model.as_deref().unwrap_or_default().as_bytes());
        key.part(&[u8::from(self.streaming)]);
    }

    fn requested_temperature(&self) -> Option<f64> {
        self.temperature
    }

    fn is_cacheable(&self) -> bool {
        !self.unkept
    }
}
