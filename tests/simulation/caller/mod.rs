//! One caller: makes its call through its door, reads as it likes, leaves when it likes, and tells what it saw.

mod doors;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use http::Request;
use serde_json::json;
use tokio::{
    task::yield_now,
    time::{sleep, timeout},
};
use tower_openrouter::{
    Api, ApiRequest, ChatRequest, EmbeddingRequest, Error, FailureKind, MessagesRequest, ResponsesRequest, Stack, Tags,
    layers::{CacheMode, Degraded, DegradedSource, LlmRequest, Priority, deadline::DEADLINE_HEADER},
};

use super::{
    answer,
    call::{Call, Form, Leave},
    record::Record,
    setup::Setup,
};

/// How a call ended for its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It has not.
    Open,
    /// As a whole answer.
    Whole,
    /// With an error; `true` if it says when to call again.
    Failed(FailureKind, bool),
    /// With an error of the endpoint.
    Refused(u16),
    /// The caller left, or read no more.
    Left,
}

/// What a caller saw.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) text: String,
    pub(crate) ending: Ending,
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    /// When the first text came.
    pub(crate) shown: Option<Duration>,
    /// When the last text came.
    pub(crate) last: Option<Duration>,
    pub(crate) degraded: Option<DegradedSource>,
    pub(crate) error: String,
}

/// One call under way.
pub(crate) struct Caller {
    pub(crate) call: Call,
    pub(crate) stack: Stack,
    pub(crate) record: Arc<Record>,
    pub(crate) limit: Option<Duration>,
    /// Calls may be answered together, so that one that leaves ends nothing.
    pub(crate) is_shared: bool,
    seen: Arc<Mutex<Seen>>,
}

/// After this a caller without a deadline leaves.
const PATIENCE: Duration = Duration::from_secs(7_200);

impl Caller {
    pub(crate) fn new(call: Call, stack: &Stack, record: &Arc<Record>, setup: &Setup) -> Self {
        Self {
            limit: call.limit(setup),
            is_shared: setup.shares_answers(),
            call,
            stack: stack.clone(),
            record: Arc::clone(record),
            seen: Arc::new(Mutex::new(Seen {
                text: String::new(),
                ending: Ending::Open,
                began: Duration::ZERO,
                ended: Duration::ZERO,
                shown: None,
                last: None,
                degraded: None,
                error: String::new(),
            })),
        }
    }

    /// Makes the call, from its arrival to its end.
    pub(crate) async fn run(self) -> (Call, Seen) {
        sleep(self.call.at).await;
        self.change(|seen, now| seen.began = now);
        let left = {
            let mut call = pin!(timeout(PATIENCE, self.go()));
            let most = match self.call.leave {
                Leave::AtPoll(polls) => polls,
                _ => u32::MAX,
            };
            let mut polls = 0;
            let ended = poll_fn(|cx| {
                if polls == most {
                    return Poll::Ready(None);
                }
                polls += 1;
                call.as_mut().poll(cx).map(Result::ok)
            });
            ended.await.is_none()
        };
        self.change(|seen, now| {
            seen.ended = now;
            if left || seen.ending == Ending::Open {
                seen.ending = Ending::Left;
            }
        });
        // A stream whose head went out before its first token is driven by a task, which ends in the runtime's next turn.
        yield_now().await;
        self.expect_closed("its caller has gone");
        let seen = self.seen.lock().unwrap().clone();
        (self.call, seen)
    }

    /// Behaves as the caller does between two frames; `true` if it reads no more.
    async fn leaves_after(&self, frames: u32) -> bool {
        match self.call.leave {
            Leave::AfterFrames(most) if frames == most => return true,
            Leave::StopsReading(most) if frames == most => {
                let is_bare = self.call.form == Form::Raw;
                let Some(limit) = self.limit.filter(|_| !is_bare) else {
                    sleep(Duration::from_secs(3)).await;
                    return true;
                };
                let since = self.record.now() - self.seen.lock().unwrap().began;
                sleep(limit.saturating_sub(since) + Duration::from_millis(50)).await;
                // If the clock has jumped, the stack's timers fire in the same turn.
                sleep(Duration::from_millis(1)).await;
                self.expect_closed("its deadline has passed, and it is not read");
                return true;
            }
            _ => {}
        }
        if let Some(pause) = self.call.reads_slowly {
            sleep(pause).await;
        }
        false
    }

    /// Invariant 7.
    fn expect_closed(&self, why: &str) {
        if !self.is_shared && self.record.open_of(Some(self.call.index)) > 0 {
            self.record
                .wrong(self.says(&format!("invariant 7: connections are open although {why}")));
        }
    }

    fn request(&self) -> Request<ApiRequest> {
        let call = &self.call;
        let mut body = self.body();
        if call.is_batch {
            body.call_mut().set_priority(Priority::Batch);
        }
        if call.bypasses_cache {
            body.call_mut().set_cache_mode(CacheMode::Bypass);
        }
        let mut request = body.into_http();
        if let Some(key) = call.key {
            let value = format!("key-{key}").parse().unwrap();
            request.headers_mut().insert("idempotency-key", value);
        }
        if let Some(deadline) = call.deadline {
            let value = format!("{}ms", deadline.as_millis());
            request.headers_mut().insert(DEADLINE_HEADER, value.parse().unwrap());
        }
        let mut tags = vec![("call", call.index.to_string())];
        if call.has_tags {
            tags.push(("tenant", format!("tenant-{}", call.tenant)));
        }
        request.extensions_mut().insert(Tags::new(tags).unwrap());
        request
    }

    fn body(&self) -> ApiRequest {
        let call = &self.call;
        let prompt = answer::prompt(call.question);
        let model = call.model.map(|model| format!("acme/model-{model}"));
        let provider = json!({"only": ["down"]});
        macro_rules! complete {
            ($request:expr) => {{
                let mut request = $request;
                if let Some(model) = &model {
                    request = request.model(model);
                }
                if call.is_pinned {
                    request = request.extra("provider", provider);
                }
                request.into()
            }};
        }
        match call.api {
            Api::Chat => {
                let chat = ChatRequest::user(prompt);
                complete!(match call.max_tokens {
                    Some(tokens) => chat.max_tokens(tokens),
                    None => chat,
                })
            }
            Api::Responses => {
                let request = ResponsesRequest::text(prompt);
                complete!(match call.max_tokens {
                    Some(tokens) => request.max_output_tokens(tokens),
                    None => request,
                })
            }
            Api::Messages => complete!(MessagesRequest::user(prompt, call.max_tokens.unwrap_or(1_000))),
            _ => complete!(EmbeddingRequest::new(model.as_deref().unwrap_or_default(), [prompt])),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Seen, Duration)) {
        change(&mut self.seen.lock().unwrap(), self.record.now());
    }

    fn text(&self, text: &str) {
        self.change(|seen, now| {
            if !text.is_empty() {
                seen.text.push_str(text);
                seen.shown = seen.shown.or(Some(now));
                seen.last = Some(now);
            }
        });
    }

    fn degraded(&self, mark: Option<Degraded>) {
        self.change(|seen, _| seen.degraded = seen.degraded.or(mark.map(|mark| mark.source)));
    }

    fn fail(&self, error: &Error) {
        let ending = Ending::Failed(error.kind(), error.retry_after().is_some());
        self.change(|seen, _| seen.error = error.report());
        self.end(ending);
    }

    fn end(&self, ending: Ending) {
        self.change(|seen, _| seen.ending = ending);
    }

    fn says(&self, what: &str) -> String {
        format!("call {}: {what}", self.call.index)
    }
}
