//! What an attempt that was let through tells its circuit.

use http::Response;
use http_body::Body;

use super::{
    CircuitBreakerBody,
    admitted::{Admitted, InProgress},
};
use crate::{
    Failure,
    watch::{InSpan, Respond, Watch, WatchBody},
};

/// An attempt that has not begun its answer; without a circuit it tells nothing.
#[derive(Debug)]
pub struct CircuitStart(pub(super) Option<Admitted>);

/// An answer that continues: one that is interrupted counts as a failure after all.
#[derive(Debug)]
pub struct CircuitWatch(Option<InProgress>);

impl InSpan for CircuitStart {}

impl InSpan for CircuitWatch {}

impl<B, E> Respond<Response<B>, E> for CircuitStart
where
    E: Failure,
    B: Body<Error = E>,
{
    type Response = Response<CircuitBreakerBody<B>>;

    #[inline]
    fn respond(self, result: Result<Response<B>, E>) -> Result<Self::Response, E> {
        match result {
            Ok(response) => {
                let begun = self.0.and_then(Admitted::began);
                Ok(response.map(|body| WatchBody::new(body, CircuitWatch(begun))))
            }
            Err(mut error) => {
                // The circuit is open now: a retry would be refused, so it need not wait for its turn.
                if self.0.is_some_and(|admitted| admitted.failed(&error)) {
                    error.marks_mut().set_exhausted();
                }
                Err(error)
            }
        }
    }
}

impl<D, E: Failure> Watch<D, E> for CircuitWatch {
    fn failed(&mut self, error: &E) {
        if let Some(begun) = self.0.take() {
            begun.interrupted(error);
        }
    }

    fn ended(&mut self) {}
}
