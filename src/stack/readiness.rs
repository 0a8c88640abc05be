//! A call that waits for readiness within its deadline.

use std::any::Any;

use http::{Request, Response};
use tower_llm_layers::deadline::DeadlineLayer;

use super::{ChatService, Stack};
use crate::{ApiRequest, Error};

/// The stack that a service is: it comes as any other service, and so is found by its type.
fn stack_in(service: &dyn Any) -> Option<Stack> {
    #[cfg(feature = "settings")]
    if let Some(stack) = super::reloadable::stack_in(service) {
        return Some(stack);
    }
    service.downcast_ref().cloned()
}

/// Makes the service ready and calls it. The wait counts against the deadline: of a [`Stack`] its own and the caller's, of any other service
/// the one that is set on the request.
pub(crate) async fn respond<S: ChatService>(
    mut service: S,
    mut request: Request<ApiRequest>,
) -> Result<Response<S::Body>, Error> {
    let deadline = match stack_in(&service) {
        Some(stack) => stack.deadline().clone(),
        None => DeadlineLayer::from_caller().header(None),
    };
    deadline.ready(&mut service, &mut request).await?;
    service.call(request).await
}
