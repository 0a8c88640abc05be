//! Chat completions: how their requests are sent, and continued.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Request};
use tower_llm_layers::{Candidate, Continuable, ContinueBy};

use super::{Api, ApiRequest, request::post};
use crate::{BodySegments, ChatRequest, Upstream, WireRequest, dialect::Dialect, request::way_of};

impl ChatRequest {
    /// As the body of an HTTP request, which is what a stack takes.
    ///
    /// ```
    /// use tower_openrouter::ChatRequest;
    ///
    /// let request = ChatRequest::user("Hi").into_http();
    /// assert_eq!(request.uri(), "/chat/completions");
    /// ```
    #[must_use]
    pub fn into_http(self) -> Request<ApiRequest> {
        let kept = self.kept_for;
        let mut request = post(Api::Chat, self.into());
        if let Some(ttl) = kept {
            let headers = request.headers_mut();
            headers.insert(RESPONSE_CACHE, HeaderValue::from_static("true"));
            headers.insert(RESPONSE_CACHE_TTL, HeaderValue::from(ttl.as_secs()));
        }
        request
    }
}

/// The header that asks for OpenRouter's own cache of answers.
const RESPONSE_CACHE: HeaderName = HeaderName::from_static("x-openrouter-cache");
/// The header that says for how many seconds.
const RESPONSE_CACHE_TTL: HeaderName = HeaderName::from_static("x-openrouter-cache-ttl");
/// The longest that OpenRouter keeps an answer.
const LONGEST_KEPT: Duration = Duration::from_secs(86_400);

impl ChatRequest {
    /// Lets OpenRouter cache the answer for so long, and return it to the same request with this key, byte for byte: that
    /// costs nothing. A second at least, and a day at most. Goes along as headers, with [`into_http`](Self::into_http).
    #[must_use]
    pub fn keep_response(mut self, time: Duration) -> Self {
        self.kept_for = Some(time.clamp(Duration::from_secs(1), LONGEST_KEPT));
        self
    }
}

impl Continuable for ChatRequest {
    fn continue_after(&self, shown: &str) -> Option<Self> {
        let facts = self.facts();
        let told = |name: &str| self.read_raw(name).is_some_and(|raw| raw != b"false" && raw != b"null");
        let whole = facts.structured_outputs || facts.json_mode || facts.choices > 1 || facts.forced_tool_choice;
        if whole || OF_ONE_GENERATION.into_iter().any(told) {
            return None;
        }
        let mut next = self.clone();
        if !shown.is_empty() {
            next.begin_answer(shown)?;
        }
        Some(next)
    }

    fn continue_by(candidate: &Candidate) -> ContinueBy {
        way_of(candidate)
    }
}

/// What no text can continue: several answers, or details of each token.
const OF_ONE_GENERATION: [&str; 2] = ["logprobs", "top_logprobs"];

impl WireRequest for ChatRequest {
    fn path(&self) -> &'static str {
        Api::Chat.path()
    }

    fn segments(&self, dialect: Dialect) -> BodySegments {
        match dialect {
            Dialect::OpenRouter => self.document().segments().collect(),
            Dialect::OpenAi | Dialect::Anthropic => self.without_openrouter_fields().document().segments().collect(),
        }
    }

    fn segments_for(&self, upstream: &Upstream) -> BodySegments {
        match upstream.dialect() {
            Dialect::OpenRouter => self.document().segments().collect(),
            Dialect::OpenAi | Dialect::Anthropic => self
                .compatible_with(upstream.chat_compatibility())
                .document()
                .segments()
                .collect(),
        }
    }

    fn adds_usage_for(&self, upstream: &Upstream) -> bool {
        upstream.dialect() != Dialect::OpenRouter && self.adds_usage(upstream.chat_compatibility())
    }

    fn api(&self) -> Option<Api> {
        Some(Api::Chat)
    }
}
