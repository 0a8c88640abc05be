//! What a response took of a limit on tokens.

use super::bucket::Grant;
use crate::{
    Frame,
    money::MOST_TOKENS,
    watch::{Scope, Watch},
};

/// Counts the tokens of an answer, and corrects what was taken for it at its end, however it ends.
#[derive(Debug)]
pub struct TokensWatch {
    grant: Option<Grant>,
    prompt: u64,
    /// What the upstream said was used.
    used: Option<u64>,
    /// What was seen, for an answer that ends without usage.
    seen: u64,
}

impl TokensWatch {
    pub(super) fn new(granted: Option<(Grant, u64)>) -> Self {
        let (grant, prompt) = granted.map_or((None, 0), |(grant, prompt)| (Some(grant), prompt));
        Self {
            grant,
            prompt,
            used: None,
            seen: 0,
        }
    }

    fn settle(&mut self) {
        if let Some(mut grant) = self.grant.take() {
            let seen = self.prompt.saturating_add(self.seen);
            // Zeros are no count, and what no answer can take is none either.
            let told = self.used.filter(|used| (1..=MOST_TOKENS).contains(used));
            grant.used(told.map_or(seen, |used| used.max(self.seen)));
        }
    }
}

impl Scope for TokensWatch {}

impl<D: Frame, E> Watch<D, E> for TokensWatch {
    fn frame(&mut self, frame: &D) {
        if self.grant.is_some() {
            self.used = frame.used_tokens().or(self.used);
            self.seen = self.seen.saturating_add(u64::from(frame.tokens()));
        }
    }

    fn failed(&mut self, _: &E) {
        self.settle();
    }

    fn ended(&mut self) {
        self.settle();
    }
}

impl Drop for TokensWatch {
    fn drop(&mut self) {
        self.settle();
    }
}
