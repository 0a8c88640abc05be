//! What a router tried by itself before it failed: kept on the error.

use tower_llm_layers::RouterAttempt;

use super::Error;

impl Error {
    /// Adds what the router tried by itself.
    pub(crate) fn of_router(mut self, routed: Vec<RouterAttempt>) -> Self {
        self.0.routed = routed;
        self
    }
}
