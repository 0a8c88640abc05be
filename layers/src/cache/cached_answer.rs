//! A cached response on its way to a caller.

use std::{fmt, marker::PhantomData, sync::Arc};

use http::Response;

use super::{CacheStatus, ReplayBody, entry::Entry};

/// A cached response. See [`Cache::stale`](super::Cache::stale).
pub struct CachedAnswer<D> {
    pub(super) entry: Arc<Entry<D>>,
    pub(super) status: CacheStatus,
}

impl<D> CachedAnswer<D> {
    /// How old it is, and whether it is stale.
    #[must_use]
    pub const fn status(&self) -> &CacheStatus {
        &self.status
    }

    /// Its frames, trailers apart: for a [`Degradation`](crate::degrade::Degradation).
    #[must_use]
    pub fn frames(&self) -> Vec<D>
    where
        D: Clone,
    {
        self.entry.frames.to_vec()
    }

    /// As a response whose body replays the frames, without a copy; marked with its [`CacheStatus`].
    #[must_use]
    pub fn into_response<E>(self) -> Response<ReplayBody<D, E>> {
        self.into_response_of(|body| body)
    }

    pub(super) fn into_response_of<E, B>(self, body: impl FnOnce(ReplayBody<D, E>) -> B) -> Response<B> {
        let mut response = self.entry.head.response(());
        response.extensions_mut().insert(self.status);
        response.map(|()| {
            body(ReplayBody {
                entry: self.entry,
                next: 0,
                error: PhantomData,
            })
        })
    }
}

impl<D> fmt::Debug for CachedAnswer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
