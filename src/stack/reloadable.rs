//! A stack whose settings can be replaced.

use std::{
    any::Any,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{Stack, StackBody, StackFuture};
use crate::{ApiRequest, Error};

/// A service that calls the stack that is in force when a call is made ready: see [`SettingsHandle`](crate::settings::SettingsHandle). `Clone` is cheap, and all
/// clones follow.
///
/// A call keeps the stack that it was made with, to the last byte of its answer.
///
/// # Readiness
///
/// That of the [`Stack`]. A service that was made ready before the settings were replaced makes that one call with the old ones.
///
/// # Errors
///
/// Those of the [`Stack`].
///
/// # Cancellation
///
/// Dropping the future or the body ends everything it stands for, as with the [`Stack`].
pub struct ReloadableStack {
    in_force: Arc<RwLock<Stack>>,
    /// The stack that is or becomes ready for the next call.
    next: Option<Stack>,
}

impl ReloadableStack {
    pub(crate) fn new(stack: Stack) -> Self {
        Self {
            in_force: Arc::new(RwLock::new(stack)),
            next: None,
        }
    }

    /// The stack in force. It stays as it is when the settings are replaced.
    #[must_use]
    pub fn stack(&self) -> Stack {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another one in force.
    pub(crate) fn replace(&self, stack: Stack) {
        let old = std::mem::replace(
            &mut *self.in_force.write().unwrap_or_else(PoisonError::into_inner),
            stack,
        );
        // Its last handle may be dropped here, with no lock held.
        drop(old);
    }
}

impl Clone for ReloadableStack {
    fn clone(&self) -> Self {
        Self {
            in_force: Arc::clone(&self.in_force),
            next: None,
        }
    }
}

impl fmt::Debug for ReloadableStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReloadableStack").field(&self.stack()).finish()
    }
}

impl Service<Request<ApiRequest>> for ReloadableStack {
    type Response = Response<StackBody>;
    type Error = Error;
    type Future = StackFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let in_force = &self.in_force;
        let next = self
            .next
            .get_or_insert_with(|| in_force.read().unwrap_or_else(PoisonError::into_inner).clone());
        next.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ApiRequest>) -> StackFuture {
        let mut next = self.next.take().unwrap_or_else(|| self.stack());
        next.call(request)
    }
}

/// The stack that a service is, or that is in force in it.
pub(super) fn stack_in(service: &dyn Any) -> Option<Stack> {
    service.downcast_ref().map(ReloadableStack::stack)
}
