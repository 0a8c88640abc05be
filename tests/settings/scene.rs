//! Which calls are made over a document of settings, and how the models behave.

use http::{HeaderValue, Request};
use serde_json::{Value, json};
use tower_openrouter::{ApiRequest, ChatRequest, Tags, layers::cache::idempotency::IdempotencyKey};

use crate::support::SECOND;

/// Calls, and how the models behave. `GOOD` in a plan is a good answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    pub(super) first: &'static str,
    pub(super) second: &'static str,
    pub(super) openai: &'static str,
    pub(super) is_streamed: bool,
    pub(super) calls: usize,
    /// Seconds after the first call.
    pub(super) pause: u64,
    /// Seconds after each other one.
    pub(super) apart: u64,
    pub(super) at_once: bool,
    members: &'static str,
    pub(super) counts_connections: bool,
    pub(super) says_why: bool,
    pub(super) may_not_build: bool,
}

/// One plain call, to a first model that follows this plan.
pub(super) const fn plain(first: &'static str) -> Scene {
    Scene {
        first,
        second: "GOOD",
        openai: "",
        is_streamed: false,
        calls: 1,
        pause: 0,
        apart: 0,
        at_once: false,
        members: "{}",
        counts_connections: false,
        says_why: false,
        may_not_build: false,
    }
}

/// One streamed call, to a first model that follows this plan.
pub(super) const fn streamed(first: &'static str) -> Scene {
    let mut scene = plain(first);
    scene.is_streamed = true;
    scene
}

impl Scene {
    /// The plan of the second model.
    pub(super) const fn then(mut self, second: &'static str) -> Self {
        self.second = second;
        self
    }

    /// The plan of the provider `OpenAI`, which serves both models first; Azure is well.
    pub(super) const fn by_openai(mut self, plan: &'static str) -> Self {
        self.openai = plan;
        self
    }

    /// So many calls, one after another.
    pub(super) const fn calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// So many seconds after each.
    pub(super) const fn apart(mut self, seconds: u64) -> Self {
        self.apart = seconds;
        self
    }

    /// The first one by itself, and so many seconds later the others.
    pub(super) const fn pause(mut self, seconds: u64) -> Self {
        self.pause = seconds;
        self
    }

    /// All of them at once, but for the first one if there is a pause after it.
    pub(super) const fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Members of each request's document, as JSON, and `tags`, `header` (of `x-a`) and `key` (for idempotency), which are none. `#` is the
    /// number of the call, `&` that number modulo two.
    pub(super) const fn with(mut self, members: &'static str) -> Self {
        self.members = members;
        self
    }

    /// Connections show.
    pub(super) const fn counting_connections(mut self) -> Self {
        self.counts_connections = true;
        self
    }

    /// The words of errors show, and not only their kinds.
    pub(super) const fn saying_why(mut self) -> Self {
        self.says_why = true;
        self
    }

    /// One of the documents makes no stack: that is what shows.
    pub(super) const fn may_not_build(mut self) -> Self {
        self.may_not_build = true;
        self
    }

    /// The first model is down, and the second one follows the plan of the first.
    pub(super) const fn behind_a_dead_first(mut self) -> Self {
        self.second = self.first;
        self.first = "503;no-hint";
        self
    }

    pub(super) fn request(&self, number: usize) -> Request<ApiRequest> {
        let members = self.members.replace("SECOND", SECOND);
        let members = members.replace('#', &number.to_string());
        let mut body: Value = serde_json::from_str(&members.replace('&', &(number % 2).to_string())).unwrap();
        let fields = body.as_object_mut().unwrap();
        let [tags, header, key] = ["tags", "header", "key"].map(|name| fields.remove(name));
        body["messages"] = json!([{"role": "user", "content": "Why is the sky blue?"}]);
        let mut request = ChatRequest::from_json(body.to_string()).unwrap();
        if let Some(Value::Object(tags)) = tags {
            let tags = tags.iter().map(|(name, value)| (name, value.as_str().unwrap()));
            request = request.tags(Tags::new(tags).unwrap());
        }
        let mut request = request.into_http();
        if let Some(header) = header {
            let value = HeaderValue::from_str(header.as_str().unwrap()).unwrap();
            request.headers_mut().insert("x-a", value);
        }
        if let Some(key) = key {
            let key = IdempotencyKey::new(key.as_str().unwrap()).unwrap();
            request.extensions_mut().insert(key);
        }
        request
    }
}
