//! What a layer must know of a request's body.

use crate::{Call, Needs};

/// The body of a request that asks a model for something.
///
/// Layers take `http::Request<B>` with `B: LlmRequest`. Cloning must be cheap (a reference count): a layer keeps a copy
/// for the next attempt. Only [`call`](Self::call) and [`call_mut`](Self::call_mut) are needed; a layer does without
/// what the other methods do not tell.
pub trait LlmRequest: Clone {
    /// What this call carries from layer to layer: keep one [`Call`] in your type, `Call::default()` at first.
    fn call(&self) -> &Call;

    /// The same, to be changed.
    fn call_mut(&mut self) -> &mut Call;

    /// Whether the caller wants the answer as a stream.
    fn is_streaming(&self) -> bool {
        false
    }

    /// The same request with its answer as a stream; `None` where it is one already, or where no stream can carry the answer.
    #[must_use]
    fn as_stream(&self) -> Option<Self> {
        None
    }

    /// What is asked for, by OpenTelemetry's names: `chat`, `embeddings`.
    fn operation(&self) -> &'static str {
        "chat"
    }

    /// The model asked for.
    fn model(&self) -> Option<&str> {
        None
    }

    /// Asks for another model.
    fn set_model(&mut self, _model: &str) {}

    /// Models which the upstream itself may try, in order, when the first fails.
    fn set_alternatives(&mut self, _models: &[&str]) {}

    /// The models which the upstream may try by itself: see [`set_alternatives`](Self::set_alternatives).
    fn alternatives(&self) -> Vec<String> {
        Vec::new()
    }

    /// The largest answer asked for, in tokens.
    fn max_tokens(&self) -> Option<u64> {
        None
    }

    /// Asks for a smaller answer.
    fn set_max_tokens(&mut self, _tokens: u64) {}

    /// What it needs of the model.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The request that has the model go on after this text, as the beginning of its own message; with no text, the same again. `None`
    /// where an answer cannot be gone on with, e.g. structured output.
    #[must_use]
    fn continue_after(&self, _shown: &str) -> Option<Self> {
        None
    }
}
