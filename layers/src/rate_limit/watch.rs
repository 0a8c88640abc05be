//! What a response took of a limit on tokens.

use super::bucket::Grant;
use crate::{
    Frame, TokenUsage,
    money::MOST_TOKENS,
    prices::{PromptEstimate, ShownTokens},
    watch::{InSpan, Watch},
};

/// Counts the tokens of an answer, and corrects what was taken for it at its end, however it ends.
#[derive(Debug)]
pub struct TokensWatch {
    grant: Option<Grant>,
    prompt: PromptEstimate,
    /// What the upstream reported of prompt and answer.
    reported: Option<TokenUsage>,
    /// The sum of both, if it reported no more.
    used: Option<u64>,
    seen: ShownTokens,
}

impl TokensWatch {
    pub(super) fn new(granted: Option<(Grant, PromptEstimate)>) -> Self {
        let (grant, prompt) = granted.map_or((None, PromptEstimate::default()), |(grant, prompt)| {
            (Some(grant), prompt)
        });
        Self {
            grant,
            prompt,
            reported: None,
            used: None,
            seen: ShownTokens::default(),
        }
    }

    /// What was used, by the rule by which it is paid: a prompt that was left out is estimated, and no answer is less than what was seen of it.
    fn used(&self) -> u64 {
        if let Some(reported) = &self.reported {
            let answer = self.seen.counted(reported);
            return self.prompt.counted(reported.prompt).saturating_add(answer);
        }
        let seen = self.seen.counted(&TokenUsage::default());
        // Zeros are no count, and what no answer can take is none either.
        let used = self.used.filter(|used| (1..=MOST_TOKENS).contains(used));
        used.map_or_else(|| self.prompt.tokens().saturating_add(seen), |used| used.max(seen))
    }

    fn settle(&mut self) {
        let used = self.used();
        if let Some(mut grant) = self.grant.take() {
            grant.used(used);
        }
    }

    fn read<F: Frame>(&mut self, frame: &F) {
        let Some(usage) = frame.token_usage() else {
            self.used = frame.used_tokens().or(self.used);
            return;
        };
        let (usage, _) = usage.plausible();
        if usage.total() > 0 {
            self.reported = Some(usage.after(self.reported));
        }
    }
}

impl InSpan for TokensWatch {}

impl<D: Frame, E> Watch<D, E> for TokensWatch {
    fn frame(&mut self, frame: &D) {
        if self.grant.is_some() {
            self.read(frame);
            self.seen.add(frame.tokens());
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
