//! The test service: it meets each request with the next step of its script.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use tokio::time::{Sleep, sleep};
use tower::Service;

use super::{LeafFuture, Probe, ScriptBody, Step, TestError, TestRequest};

/// A service that meets each request with the next step of its script, and answers well when there is none left.
#[derive(Debug)]
pub(crate) struct Leaf {
    scripts: Arc<Mutex<Scripts>>,
    probe: Probe,
    ready: bool,
    wait: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, Default)]
struct Scripts {
    steps: VecDeque<Step>,
    by_model: HashMap<String, VecDeque<Step>>,
    always: HashMap<String, Step>,
    ready_after: Duration,
    unready: VecDeque<TestError>,
}

impl Leaf {
    /// Meets the requests with these steps, in this order.
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let leaf = Self {
            scripts: Arc::default(),
            probe: Probe::new(),
            ready: false,
            wait: None,
        };
        leaf.scripts.lock().unwrap().steps = steps.into_iter().collect();
        leaf
    }

    /// Meets the requests for this model with steps of its own.
    pub(crate) fn on(self, model: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = steps.into_iter().collect();
        let mut scripts = self.scripts.lock().unwrap();
        scripts.by_model.insert(model.to_owned(), steps);
        drop(scripts);
        self
    }

    /// Meets every request for this model with the same step.
    pub(crate) fn always(self, model: &str, step: Step) -> Self {
        let mut scripts = self.scripts.lock().unwrap();
        scripts.always.insert(model.to_owned(), step);
        drop(scripts);
        self
    }

    /// Each clone is ready only this long after it was first polled, before each of its calls.
    pub(crate) fn ready_after(self, wait: Duration) -> Self {
        self.scripts.lock().unwrap().ready_after = wait;
        self
    }

    /// The next call to become ready fails so; the ones before it succeed.
    pub(crate) fn unready(self, error: TestError) -> Self {
        self.scripts.lock().unwrap().unready.push_back(error);
        self
    }

    pub(crate) fn probe(&self) -> Probe {
        self.probe.clone()
    }
}

impl Clone for Leaf {
    fn clone(&self) -> Self {
        self.probe.change(|counts| counts.clones += 1);
        Self {
            scripts: Arc::clone(&self.scripts),
            probe: self.probe.clone(),
            ready: false,
            wait: None,
        }
    }
}

impl Service<Request<TestRequest>> for Leaf {
    type Response = Response<ScriptBody>;
    type Error = TestError;
    type Future = LeafFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        self.probe.change(|counts| counts.ready_polls += 1);
        if self.ready {
            return Poll::Ready(Ok(()));
        }
        let wait = self.scripts.lock().unwrap().ready_after;
        if wait > Duration::ZERO {
            let timer = self.wait.get_or_insert_with(|| Box::pin(sleep(wait)));
            ready!(timer.as_mut().poll(cx));
            self.wait = None;
        }
        // The first call is always let through: an unready service is met by the second.
        if self.probe.calls() > 0
            && let Some(error) = self.scripts.lock().unwrap().unready.pop_front()
        {
            return Poll::Ready(Err(error));
        }
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<TestRequest>) -> LeafFuture {
        if !std::mem::take(&mut self.ready) {
            self.probe.change(|counts| counts.violations += 1);
        }
        self.probe.note(&request);
        let mut scripts = self.scripts.lock().unwrap();
        let model = request.body().model.as_deref().unwrap_or_default();
        let own = scripts.by_model.get_mut(model);
        let step = own
            .and_then(VecDeque::pop_front)
            .or_else(|| scripts.always.get(model).cloned())
            .or_else(|| scripts.steps.pop_front())
            .unwrap_or_else(Step::ok);
        LeafFuture::new(step, self.probe.clone())
    }
}
