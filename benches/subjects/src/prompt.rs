//! A prompt of a megabyte.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower_openrouter::layers::retry::{Exponential, RetryBudget};
use tower_openrouter::{Api, ApiRequest, AttemptLog, Stack};

use crate::failing::Failing;
use crate::{drive, ours};

/// How long it is at least.
pub const PROMPT_BYTES: usize = 1 << 20;

/// A request of a chat whose messages have that many bytes: twenty turns of text with the escapes that text has.
#[must_use]
pub fn prompt() -> Bytes {
    prompt_of(Api::Chat)
}

/// The same of this API; the texts to embed are the turns of the others.
#[must_use]
pub fn prompt_of(api: Api) -> Bytes {
    const TURNS: usize = 20;
    let line = r#"She said \"hello\", and the line ends here.\n"#;
    let text = line.repeat(PROMPT_BYTES / TURNS / line.len() + 1);
    let turns: Vec<String> = (0..TURNS)
        .map(|turn| {
            let role = if turn % 2 == 0 { "user" } else { "assistant" };
            match api {
                Api::Embeddings => format!(r#""{text}""#),
                _ => format!(r#"{{"role":"{role}","content":"{text}"}}"#),
            }
        })
        .collect();
    let turns = turns.join(",");
    let members = match api {
        Api::Chat => format!(r#""stream":true,"temperature":0.2,"messages":[{turns}]"#),
        Api::Messages => format!(r#""stream":true,"max_tokens":500,"messages":[{turns}]"#),
        Api::Responses => format!(r#""stream":true,"temperature":0.2,"input":[{turns}]"#),
        _ => format!(r#""input":[{turns}]"#),
    };
    format!(r#"{{"model":"openai/gpt-5",{members}}}"#).into()
}

/// The way of a prompt through the stack: two attempts at the first model fail, the next model answers.
#[derive(Debug)]
pub struct Road {
    runtime: Runtime,
    stack: Stack,
}

/// How a prompt fared.
#[derive(Debug)]
pub struct Trip {
    /// The attempts that were made.
    pub attempts: usize,
    /// The time at work: without the wait for the timer before the retry, which is a millisecond at least.
    pub busy: Duration,
}

impl Road {
    /// Backs off by nothing before the retry.
    ///
    /// # Panics
    ///
    /// If no runtime can be made.
    #[must_use]
    pub fn new() -> Self {
        let Ok(runtime) = Builder::new_current_thread().enable_time().build() else {
            unreachable!("a runtime without I/O can be made")
        };
        // A budget that never ends, and no circuit that opens: here every call fails twice. Vectors go to the next model too.
        let settings = ours::settings()
            .fallback_for_embeddings(true)
            .circuit_breaker(None)
            .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
            .retry_budget(RetryBudget::new(1.0, 1e9));
        Self {
            runtime,
            stack: ours::stack(settings, Failing::new(2)),
        }
    }

    /// Reads the prompt of a chat and sends it; nothing if it got no answer.
    #[must_use]
    pub fn travel(&self, body: &Bytes) -> Option<Trip> {
        self.travel_as(Api::Chat, body)
    }

    /// The same with a prompt of this API.
    #[must_use]
    pub fn travel_as(&self, api: Api, body: &Bytes) -> Option<Trip> {
        let _inside = self.runtime.enter();
        let mut busy = Busy::default();
        let request = busy
            .while_(|| ApiRequest::from_json(api, body.clone()))
            .ok()?
            .into_http();
        let mut call = pin!(self.stack.clone().oneshot(request));
        let mut context = Context::from_waker(Waker::noop());
        let response = loop {
            match busy.while_(|| call.as_mut().poll(&mut context)) {
                Poll::Ready(response) => break response.ok()?,
                Poll::Pending => self.runtime.block_on(sleep(Duration::from_millis(2))),
            }
        };
        let attempts = response.extensions().get::<AttemptLog>()?.sent();
        busy.while_(|| drive::read(response.into_body()))?;
        Some(Trip { attempts, busy: busy.0 })
    }
}

impl Default for Road {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Default)]
struct Busy(Duration);

impl Busy {
    fn while_<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.0 += begun.elapsed();
        done
    }
}
