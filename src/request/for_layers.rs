//! What the layers and the transport ask of a request.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Request, Uri};
use tower_llm_layers::{
    Budgeted, Call, Candidate, Continuable, ContinueBy, LlmRequest, Modalities as Needed, Needs, Route, Tags,
    TimeoutOverrides, UsdAmount,
};

use super::{ApiRequest, ChatRequest, Modalities, continuing, facts::unbounded, route::pinned_by};
use crate::{
    body::Completeness,
    transport::{CHAT, Dialect},
    wire::{Segments, WireRequest},
};

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
        let mut request = post("/chat/completions", self.into());
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

    /// Books it under these tags: in the ledger, and in the budgets that are for them. They are not sent.
    ///
    /// ```
    /// use tower_openrouter::{ChatRequest, Tags};
    ///
    /// let request = ChatRequest::user("Hi").tags(Tags::new([("team", "search")])?);
    /// # Ok::<(), tower_openrouter::layers::TagError>(())
    /// ```
    #[must_use]
    pub fn tags(mut self, tags: Tags) -> Self {
        self.call.set_tags(tags);
        self
    }
}

impl ChatRequest {
    /// Gives this call timeouts of its own: they go before the candidate's and the stack's.
    #[must_use]
    pub fn timeouts(mut self, timeouts: TimeoutOverrides) -> Self {
        self.call.set_timeouts(timeouts);
        self
    }
}

/// A `POST` to this path. Above the transport both are for other people's layers to read.
pub(crate) fn post<T>(path: &'static str, body: T) -> Request<T> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(path);
    request
}

impl LlmRequest for ChatRequest {
    fn call(&self) -> &Call {
        &self.call
    }

    fn call_mut(&mut self) -> &mut Call {
        &mut self.call
    }

    fn is_streaming(&self) -> bool {
        Self::is_streaming(self)
    }

    fn as_stream(&self) -> Option<Self> {
        // It mends whole answers alone.
        let heals = self.get_raw("plugins").is_some_and(|plugins| {
            let name = b"response-healing";
            plugins.windows(name.len()).any(|part| part == name)
        });
        if Self::is_streaming(self) || heals || self.facts().choices > 1 {
            return None;
        }
        Some(self.clone().stream(true))
    }

    fn model(&self) -> Option<&str> {
        self.get_model()
    }

    fn set_model(&mut self, model: &str) {
        Self::set_model(self, model);
    }

    fn set_alternatives(&mut self, models: &[&str]) -> bool {
        self.set_models(models);
        true
    }

    fn set_parameter(&mut self, name: &str, json: Option<&str>) -> bool {
        let Some(json) = json else {
            self.remove(name);
            return true;
        };
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok();
        if is_json {
            self.put_named(name, json.as_bytes().to_vec().into());
        }
        is_json
    }

    fn reasoning_time(&self) -> Option<Duration> {
        super::facts::reasoning_time(self.document())
    }

    fn alternatives(&self) -> Vec<String> {
        // Checked when it was read.
        self.get_models().unwrap_or_default()
    }

    fn max_tokens(&self) -> Option<u64> {
        self.get_max_tokens()
    }

    fn unbounded_tool(&self) -> Option<String> {
        let facts = self.facts();
        let found = facts.unbounded_tools.then(|| unbounded(self.document(), facts.input));
        found.flatten()
    }

    fn pinned_route(&self) -> Route {
        pinned_by(self.document())
    }

    fn ask_to_continue(&mut self, last: &str) -> bool {
        self.instruct_to_continue(last);
        true
    }

    fn budgeted(&mut self) -> Option<&mut dyn Budgeted> {
        Some(self)
    }

    fn needs(&self) -> Needs {
        let facts = self.facts();
        let mut needs = Needs::default();
        needs.prompt_tokens = facts.prompt_tokens;
        needs.most_prompt_tokens = facts.most_prompt_tokens;
        needs.images = facts.images;
        needs.searches = facts.searches;
        needs.choices = facts.choices;
        needs.tool_loop = facts.tool_loop;
        needs.long_cache = facts.long_cache;
        needs.priority = facts.priority;
        needs.ceiling = facts.ceiling;
        needs.max_tokens = self.get_max_tokens().unwrap_or(0);
        needs.tools = facts.tools;
        needs.tool_choice = facts.forced_tool_choice;
        needs.structured_outputs = facts.structured_outputs;
        needs.json_mode = facts.json_mode;
        needs.prefill = facts.prefill;
        needs.input = beside_text(facts.input);
        needs.output = beside_text(facts.output);
        needs
    }
}

impl Budgeted for ChatRequest {
    fn set_max_tokens(&mut self, tokens: u64) -> bool {
        Self::set_max_tokens(self, tokens);
        true
    }

    fn set_max_tool_cost(&mut self, most: UsdAmount) -> bool {
        self.stop_tools_after(most);
        true
    }
}

impl Continuable for ChatRequest {
    fn continue_after(&self, shown: &str) -> Option<Self> {
        let facts = self.facts();
        let told = |name: &str| self.get_raw(name).is_some_and(|raw| raw != b"false" && raw != b"null");
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

    fn way_of(candidate: &Candidate) -> ContinueBy {
        continuing::way_of(candidate)
    }
}

/// What no text can continue: several answers, or details of each token.
const OF_ONE_GENERATION: [&str; 2] = ["logprobs", "top_logprobs"];

fn beside_text(kinds: Modalities) -> Needed {
    [
        (Modalities::IMAGE, Needed::IMAGE),
        (Modalities::AUDIO, Needed::AUDIO),
        (Modalities::FILE, Needed::FILE),
        (Modalities::VIDEO, Needed::VIDEO),
    ]
    .into_iter()
    .filter(|(kind, _)| kinds.contains(*kind))
    .fold(Needed::TEXT, |set, (_, needed)| set.with(needed))
}

impl WireRequest for ChatRequest {
    fn path(&self) -> &'static str {
        CHAT
    }

    fn segments(&self, dialect: Dialect) -> Segments {
        match dialect {
            Dialect::OpenRouter => Self::segments(self).collect(),
            Dialect::OpenAi => self.without_openrouter_fields().segments().collect(),
        }
    }

    fn completeness(&self) -> Completeness {
        Completeness::Chat
    }
}
