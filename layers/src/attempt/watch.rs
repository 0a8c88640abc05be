//! What becomes of one attempt: its line in the log, its events, its span.

use http::Response;
use http_body::Body;
use tracing::span::Entered;

use super::{AttemptBody, continued::Continuing, guard::AttemptGuard};
use crate::{
    AttemptLog, Candidate, Failure, FailureKind, Frame, LlmRequest, Stage,
    observe::{Record, begin_attempt},
    protocol::publish,
    watch::{InSpan, Respond, Watch, WatchBody},
};

/// Runs from the start of an attempt to its end.
#[derive(Debug)]
pub struct AttemptWatch {
    guard: Option<AttemptGuard>,
    record: Record,
    /// Whether what the router tried by itself is looked for.
    reads_router: bool,
}

/// The attempt while its response has not begun.
#[derive(Debug)]
pub struct AttemptStart {
    watch: AttemptWatch,
    opened: Option<AttemptLog>,
    /// Only of an attempt that continues an answer.
    continuing: Option<Box<Continuing>>,
}

impl AttemptStart {
    pub(super) fn begin<R: LlmRequest>(
        guard: AttemptGuard,
        request: &R,
        opened: Option<AttemptLog>,
        continuing: Option<Box<Continuing>>,
    ) -> Self {
        let record = begin_attempt(request, guard.number());
        let guard = Some(guard);
        let watch = AttemptWatch {
            guard,
            record,
            reads_router: false,
        };
        Self {
            watch,
            opened,
            continuing,
        }
    }

    pub(super) const fn reading_router(mut self, on: bool) -> Self {
        self.watch.reads_router = on;
        self
    }

    /// Logs that the attempt starts.
    pub(super) fn log_start<R: LlmRequest>(&self, request: &R) {
        let candidate = request.call().candidate();
        tracing::debug!(
            attempt = self.watch.guard.as_ref().map(AttemptGuard::number),
            upstream = candidate.map(Candidate::upstream),
            model = candidate.map_or(request.model(), |candidate| Some(candidate.model())),
            stream = request.is_streaming(),
            "attempt started"
        );
    }
}

impl<B, E> Respond<Response<B>, E> for AttemptStart
where
    E: Failure,
    B: Body<Error = E>,
    B::Data: Frame,
{
    type Response = Response<AttemptBody<B>>;

    #[inline]
    fn respond(mut self, result: Result<Response<B>, E>) -> Result<Self::Response, E> {
        let result = match result {
            Ok(mut response) => {
                if let Some(continuing) = &self.continuing {
                    response.extensions_mut().insert(continuing.began());
                }
                if let Some(guard) = &self.watch.guard {
                    let after = guard.began();
                    let _inside = self.watch.enter();
                    tracing::debug!(attempt = guard.number(), first_token = ?after, "answer began");
                }
                self.watch.record.responded(response.extensions());
                Ok(response.map(|body| WatchBody::new(body, self.watch)))
            }
            Err(mut error) => {
                if let Some(continuing) = &self.continuing {
                    continuing.failed(&mut error);
                }
                self.watch.fail(&error, failed(&error));
                Err(error)
            }
        };
        publish(&mut self.opened, result)
    }
}

/// What the log says of a failure. The words of an upstream that rejects the key read as if the caller's own key were meant.
fn failed<E: Failure>(error: &E) -> &'static str {
    match (error.kind(), error.status()) {
        (FailureKind::Auth, Some(_)) => "attempt failed: the upstream rejects the API key that it was sent",
        _ => "attempt failed",
    }
}

impl AttemptWatch {
    #[cold]
    fn look_for_router<D: Frame>(&self, frame: &D) {
        let may_have = frame.finishes_answer() || matches!(frame.stage(), Stage::Finish | Stage::Trailer);
        let Some(guard) = self.guard.as_ref().filter(|_| may_have) else {
            return;
        };
        let routed = frame.router_attempts();
        if !routed.is_empty() {
            guard.routed(routed);
        }
    }

    fn fail<E: Failure>(&mut self, error: &E, message: &'static str) {
        let Some(mut guard) = self.guard.take() else { return };
        let after = guard.failed(error);
        {
            let _inside = self.enter();
            let candidate = guard.candidate();
            tracing::warn!(
                message,
                attempt = guard.number(),
                upstream = candidate.as_ref().map(Candidate::upstream),
                model = candidate.as_ref().map(Candidate::model),
                kind = error.kind().as_str(),
                status = error.status(),
                retry_after = error.retry_after().map(tracing::field::debug),
                duration = ?after,
                error = %error.summary(),
            );
        }
        if guard.was_sent() {
            self.record.failed(error);
        } else {
            self.record.never_sent();
        }
    }
}

impl<D: Frame, E: Failure> Watch<D, E> for AttemptWatch {
    fn frame(&mut self, frame: &D) {
        self.record.frame(frame);
        if self.reads_router {
            self.look_for_router(frame);
        }
    }

    fn failed(&mut self, error: &E) {
        self.fail(error, "answer interrupted");
    }

    fn ended(&mut self) {
        let Some(mut guard) = self.guard.take() else { return };
        let after = guard.answered();
        {
            let _inside = self.enter();
            tracing::debug!(attempt = guard.number(), duration = ?after, "answer ended");
        }
        self.record.answered();
    }
}

impl InSpan for AttemptWatch {
    fn enter(&self) -> Option<Entered<'_>> {
        self.record.enter()
    }
}

impl InSpan for AttemptStart {
    fn enter(&self) -> Option<Entered<'_>> {
        self.watch.enter()
    }
}

impl Drop for AttemptWatch {
    fn drop(&mut self) {
        let Some(guard) = self.guard.take() else { return };
        if !guard.was_sent() {
            self.record.never_sent();
        }
        let _inside = self.enter();
        drop(guard);
    }
}
