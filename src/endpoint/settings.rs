//! What the endpoints of a stack have in common, and the setters that each of them has.

use std::sync::Arc;

use http::HeaderName;

use super::{body_budget::BodyBudget, upload::UploadLimits, waiting::KeepAlive};

/// The largest request body by default: prompts with images are large, and more is a mistake.
const LARGEST_BODY: usize = 20 * 1024 * 1024;

/// What the endpoints of a stack have in common.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) max_body_bytes: usize,
    pub(super) bodies: Arc<BodyBudget>,
    pub(super) upload: UploadLimits,
    pub(super) headers: Vec<HeaderName>,
    pub(super) keep_alive: Option<KeepAlive>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_body_bytes: LARGEST_BODY,
            bodies: Arc::default(),
            upload: UploadLimits::default(),
            headers: Vec::new(),
            keep_alive: Some(KeepAlive::default()),
        }
    }
}

/// The setters of a type with shared `settings`.
macro_rules! setters {
    () => {
        /// The largest request body in bytes; 20 MiB by default. A larger one gets 413, as does one that is larger once it is decompressed.
        #[must_use]
        pub fn max_body_bytes(mut self, bytes: usize) -> Self {
            std::sync::Arc::make_mut(&mut self.settings).max_body_bytes = bytes;
            self
        }

        /// The most bytes of all request bodies that are read or held at once; 512 MiB by default, and never less than twice
        /// [`max_body_bytes`](Self::max_body_bytes). A body counts by its announced length, or else as it comes, until the last part of it is dropped, one
        /// below 64 KiB until its response begins. One that has no room gets 503 with `Retry-After` before it is read.
        ///
        /// One caller holds a quarter of them, or twice `max_body_bytes` if that is more. Callers are distinguished by the [`Tags`](crate::Tags) that a layer
        /// in front leaves in the extensions of their requests. All clones of this endpoint share one sum, two endpoints do not.
        #[must_use]
        pub fn max_total_body_bytes(mut self, bytes: usize) -> Self {
            std::sync::Arc::make_mut(&mut self.settings).bodies =
                std::sync::Arc::new($crate::endpoint::body_budget::BodyBudget::new(bytes));
            self
        }

        /// The longest time in which nothing of a request body comes; 30 s by default. A body that stalls for longer gets 408, and so does one that is
        /// slower than [`min_body_rate`](Self::min_body_rate).
        #[must_use]
        pub fn body_timeout(mut self, timeout: std::time::Duration) -> Self {
            std::sync::Arc::make_mut(&mut self.settings).upload.timeout = timeout.min(tower_llm_layers::MAX_DURATION);
            self
        }

        /// The least rate of a request body in bytes per second, counted from [`body_timeout`](Self::body_timeout) after its head; 4096 by default, and 0 sets
        /// none. A large body over a slow line takes as long as it needs, and a client that sends single bytes does not hold a call open.
        #[must_use]
        pub fn min_body_rate(mut self, bytes_per_second: u32) -> Self {
            std::sync::Arc::make_mut(&mut self.settings).upload.min_rate = bytes_per_second;
            self
        }

        /// Passes one more of the client's headers on to the upstream, up to 256 bytes of it, of `anthropic-beta` and `x-anthropic-beta` up to
        /// 4 KiB; a longer one is left out with a warning. It is part of a cache's key, unless `CacheLayer::ignore_header` names it. A header with the client's key or cookies is never passed on.
        #[must_use]
        pub fn pass_header(mut self, name: http::HeaderName) -> Self {
            std::sync::Arc::make_mut(&mut self.settings).headers.push(name);
            self
        }

        /// When a streamed answer that has not begun shows a sign of life: `after` this long its head goes out, `200` and `text/event-stream`, and
        /// `every` so often, once a second at most, a comment, for messages a `ping`, until the answer begins. 25 s and 15 s by default, because
        /// load balancers and proxies close a connection that is silent for 60 s.
        ///
        /// What is known only later is then missing from the head: the upstream's id and the status of a failure. The `x-llm-*` headers come as comments. A failure
        /// is the last event of the stream, as that of an interrupted one. Plain calls are not concerned.
        #[must_use]
        pub fn keep_alive(mut self, after: std::time::Duration, every: std::time::Duration) -> Self {
            std::sync::Arc::make_mut(&mut self.settings).keep_alive =
                Some($crate::endpoint::waiting::KeepAlive::new(after, every));
            self
        }

        /// Sends nothing of a streamed answer before its first token: each failure before it has its own status. See
        /// [`keep_alive`](Self::keep_alive).
        #[must_use]
        pub fn without_keep_alive(mut self) -> Self {
            std::sync::Arc::make_mut(&mut self.settings).keep_alive = None;
            self
        }
    };
}

pub(super) use setters;
