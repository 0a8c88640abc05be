//! What the body of an error tells beside the error: what a router tried by itself, and what the call took.

use tower_llm_layers::{RouterAttempt, TokenUsage};

use super::Error;

impl Error {
    /// Adds what the router tried by itself.
    pub(crate) fn of_router(mut self, routed: Vec<RouterAttempt>) -> Self {
        self.0.routed = routed;
        self
    }

    /// Adds the usage that came with it.
    pub(crate) fn of_usage(mut self, usage: Option<TokenUsage>) -> Self {
        self.0.usage = usage.map(Box::new);
        self
    }
}
