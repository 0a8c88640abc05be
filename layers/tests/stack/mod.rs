//! All layers in their order.

#[cfg(feature = "cache")]
mod between;
mod caps;
mod drops;
mod events;
mod hedged;
mod log;
mod rows;
mod time;

use http::{Request, Response};
use http_body::Body;
use tower::{Service, ServiceBuilder};
use tower_llm_layers::{
    attempt::AttemptLayer,
    auth::{ApiKey, AuthLayer},
    deadline::DeadlineLayer,
    fallback::{Chain, FallbackLayer},
    first_token::FirstTokenLayer,
    retry::{Delays, RetryBudget, RetryLayer, Schedule},
    timeout::AttemptTimeoutLayer,
};

use crate::support::{ScriptBody, TestError, TestFrame, TestRequest, secs};

/// One second before each retry.
#[derive(Debug, Clone)]
struct EachSecond;

impl Schedule for EachSecond {
    fn delays(&self) -> Delays {
        Box::new(std::iter::repeat(secs(1)))
    }
}

/// What differs from test to test.
struct Stack {
    chain: Chain,
    cap: u32,
    tries: u32,
    budget: RetryBudget,
    silent: bool,
}

impl Stack {
    fn of(chain: Chain) -> Self {
        Self {
            chain,
            cap: 6,
            tries: 2,
            budget: RetryBudget::default(),
            silent: false,
        }
    }

    /// 90 s in all, 10 s to the first token, 10 s more for the last candidate, 30 s idle.
    fn over<S>(
        self,
        leaf: S,
    ) -> impl Service<
        Request<TestRequest>,
        Response = Response<impl Body<Data = TestFrame, Error = TestError> + Send + std::fmt::Debug>,
        Error = TestError,
        Future: Send,
    > + Clone
    + Send
    + Sync
    where
        S: Service<Request<TestRequest>, Response = Response<ScriptBody>, Error = TestError>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let retry = RetryLayer::new()
            .max_attempts(self.tries)
            .max_retry_delay(secs(60))
            .max_retry_delay_with_fallback(secs(60))
            .retry_timeouts(self.silent)
            .budget(self.budget)
            .schedule(EachSecond);
        ServiceBuilder::new()
            .layer(DeadlineLayer::new(secs(90)))
            .layer(FallbackLayer::new(self.chain))
            .layer(retry)
            .layer(AttemptLayer::new().cap(self.cap))
            .layer(AttemptTimeoutLayer::new(secs(10)).last_candidate_grace(secs(10)))
            .layer(FirstTokenLayer::new())
            .layer(AuthLayer::new(ApiKey::new("sk-secret").unwrap()))
            .service(leaf)
    }
}
