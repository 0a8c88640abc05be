//! The layer that puts the key on each attempt.

use tower_layer::Layer;

use super::{Auth, Keys};

/// Puts the key on each attempt. See the [module](super).
#[derive(Debug, Clone)]
pub struct AuthLayer {
    keys: Keys,
}

impl AuthLayer {
    /// With these keys: one [`ApiKey`](super::ApiKey), a [`KeyPool`](super::KeyPool), or [`Keys`] by upstream.
    #[must_use]
    pub fn new(keys: impl Into<Keys>) -> Self {
        Self { keys: keys.into() }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Auth {
            inner,
            keys: self.keys.clone(),
        }
    }
}
