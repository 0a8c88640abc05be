//! A stack over a recording, in the place of its transport.

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{BuildError, Stack, StackBuilder, assemble::Parts};
use crate::{ApiRequest, ChatFrame, Error};

impl StackBuilder {
    /// Builds it as over its transport, with what the transport's upstreams mean for the chain, over this service.
    pub(crate) fn build_recorded<S, B>(mut self, inner: S) -> Result<Stack, BuildError>
    where
        S: Service<Request<ApiRequest>, Response = Response<B>, Error = Error, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
        B: Body<Data = ChatFrame, Error = Error> + Send + Unpin + 'static,
    {
        let (first, unknown) = self.settle_upstreams();
        self.wrong.extend(unknown);
        let parts = Parts::of(&self.settings, &first, &mut self.wrong);
        if self.wrong.is_empty() {
            return Ok(parts.assemble(self.settings, &self.slots, inner));
        }
        Err(BuildError::of(self.wrong))
    }
}
