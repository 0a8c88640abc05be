//! What the cache of prompts did for one prompt, as far as it changes the price.

/// What of a prompt came from the cache or went there, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caching {
    pub(crate) read: u64,
    pub(crate) written: u64,
    /// Written for an hour.
    pub(crate) long: bool,
}
