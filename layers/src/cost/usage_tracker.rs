//! What an attempt took: what the upstream says, as far as it is plausible, and what was seen of the answer.

use crate::{
    Frame, Stage, TokenUsage, UsdAmount,
    prices::{PromptEstimate, ShownTokens},
};

/// Follows an answer frame by frame.
///
/// Usage that an upstream reports is evidence, not the truth: some servers send an empty object, zeros, or the usage of the first
/// chunks only. So a count that is reported before the finish is a floor, and no count is less than what was shown. The counts of prompt and answer
/// are checked each by itself: a doubt about one leaves the other and its parts as they were reported.
#[derive(Debug, Default)]
pub(super) struct UsageTracker {
    reported: Option<TokenUsage>,
    /// Whether any report came behind the first frames of the envelope: those know nothing of the answer, and of tools.
    is_reported: bool,
    shown: ShownTokens,
    /// Whether nothing was shown after `reported`.
    is_current: bool,
    is_finished: bool,
    /// The finish reason is that the answer reached its `max_tokens`.
    is_cut: bool,
    /// The upstream has reported counts or a charge that no answer can have.
    is_implausible: bool,
    /// The upstream says that it charges nothing for this response.
    is_unbilled: bool,
}

/// What one attempt is priced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) usage: TokenUsage,
    /// Whether `usage` is the upstream's own count of the whole attempt; otherwise at least a part of it is an estimate.
    pub(super) is_reported: bool,
    /// Whether the tokens of the prompt are an estimate.
    pub(super) is_prompt_estimated: bool,
}

impl UsageTracker {
    pub(super) fn frame<F: Frame>(&mut self, frame: &F, stage: Stage) {
        let shown = frame.tokens();
        if shown > 0 {
            self.shown.add(shown);
            self.is_current = false;
            self.is_finished = false;
        }
        self.is_finished |= matches!(stage, Stage::Finish | Stage::Trailer) || frame.finishes_answer();
        let usage = frame.token_usage();
        if stage == Stage::Finish || usage.is_some() {
            let reason = frame.finish_reason();
            self.is_finished |= reason.is_some();
            self.is_cut |= reason.is_some_and(|reason| reason == "length");
        }
        if let Some(usage) = usage {
            self.report(usage, stage);
        }
    }

    /// The attempt has failed, and this usage came with the failure.
    pub(super) fn failed(&mut self, usage: TokenUsage) {
        self.is_finished = true;
        self.report(usage, Stage::Trailer);
    }

    fn report(&mut self, usage: TokenUsage, stage: Stage) {
        let (mut usage, is_plausible) = usage.plausible();
        self.is_implausible |= !is_plausible;
        if !is_plausible && usage == TokenUsage::default() {
            // Nothing of it is left: what was reported before stands.
            return;
        }
        self.is_current = true;
        if stage == Stage::Preamble {
            // Before an answer its counts are a floor, and no charge is the bill.
            (usage.charged, usage.charged_upstream) = (None, None);
        } else {
            self.is_reported = true;
        }
        self.reported = Some(usage.after(self.reported));
    }

    pub(super) const fn unbilled(&mut self) {
        self.is_unbilled = true;
    }

    /// Whether the upstream has reported any usage that may be of the whole attempt.
    pub(super) const fn is_reported(&self) -> bool {
        self.is_reported
    }

    /// Whether an attempt that failed without an answer costs nothing: a charge that was reported decides, then a promise of the upstream,
    /// then whether it counted anything.
    pub(super) fn costs_nothing(&self, is_uncharged: bool) -> bool {
        let Some(reported) = &self.reported else { return true };
        match reported.bill() {
            Some(bill) => bill == UsdAmount::ZERO,
            None => is_uncharged || !self.is_reported || reported.total() == 0,
        }
    }

    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    pub(super) const fn is_implausible(&self) -> bool {
        self.is_implausible
    }

    pub(super) const fn is_unbilled(&self) -> bool {
        self.is_unbilled
    }

    /// What the upstream says that it charged.
    pub(super) fn bill(&self) -> Option<UsdAmount> {
        self.reported.as_ref()?.bill()
    }

    /// Whether anything is known of the answer.
    pub(super) const fn is_known(&self) -> bool {
        self.is_reported || self.shown.is_any()
    }

    /// The usage to price by. `prompt` is the estimate of the prompt; `is_whole` says that the answer came to its end, and `is_billed` that
    /// what is reported as the charge is one.
    pub(super) fn counted(&self, prompt: PromptEstimate, is_whole: bool, is_billed: bool) -> Counted {
        let reported = self.reported.unwrap_or_default();
        if is_billed && reported.bill().is_some() && reported.prompt > 0 {
            // A charge vouches for the counts beside it.
            return Counted {
                usage: reported,
                is_reported: true,
                is_prompt_estimated: false,
            };
        }
        let mut usage = TokenUsage {
            cached: reported.cached.min(reported.prompt),
            reasoning: reported.reasoning.min(reported.answer),
            ..reported
        };
        let is_prompt_estimated = !prompt.admits(reported.prompt);
        usage.prompt = prompt.counted(reported.prompt);
        usage.answer = self.shown.counted(&reported);
        let is_final = self.is_current && (self.is_finished || is_whole);
        let is_reported = is_final && usage == reported;
        // Parts at a lower price are believed only of a count that is believed. Those that cost more than text stay: writes to the cache,
        // sound, pictures.
        if is_prompt_estimated {
            usage.cached = 0;
            usage.audio = usage.audio.min(usage.prompt);
        }
        if !is_final || usage.answer != reported.answer {
            usage.reasoning = 0;
            usage.answer_audio = usage.answer_audio.min(usage.answer);
            usage.answer_images = usage.answer_images.min(usage.answer);
        }
        Counted {
            usage,
            is_reported,
            is_prompt_estimated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Needs;

    /// An estimate of a hundred tokens.
    fn hundred() -> PromptEstimate {
        PromptEstimate::of(&Needs::of_prompt(100, 400))
    }

    fn usage(prompt: u64, answer: u64) -> TokenUsage {
        let mut usage = TokenUsage::default();
        (usage.prompt, usage.answer) = (prompt, answer);
        usage
    }

    fn taken(reported: TokenUsage, shown: u32) -> UsageTracker {
        let mut seen = ShownTokens::default();
        seen.add(shown);
        UsageTracker {
            reported: Some(reported),
            is_reported: true,
            shown: seen,
            is_current: true,
            ..UsageTracker::default()
        }
    }

    #[test]
    fn a_plausible_report_is_taken_as_it_is() {
        let counted = taken(usage(90, 20), 18).counted(hundred(), true, true);
        assert_eq!((counted.usage, counted.is_reported), (usage(90, 20), true));
    }

    #[test]
    fn a_report_is_a_floor_until_the_finish() {
        let counted = taken(usage(90, 20), 18).counted(hundred(), false, true);
        assert_eq!((counted.usage, counted.is_reported), (usage(90, 20), false));
    }

    #[test]
    fn what_is_not_plausible_is_estimated() {
        for (reported, prompt, answer) in [
            (usage(0, 0), 100, 18),
            (usage(0, 20), 100, 20),
            (usage(90, 0), 90, 18),
            (usage(90, 17), 90, 18),
            (usage(1, 20), 100, 20),
        ] {
            let counted = taken(reported, 18).counted(hundred(), true, true);
            assert_eq!((counted.usage, counted.is_reported), (usage(prompt, answer), false));
        }
    }

    #[test]
    fn no_answer_tokens_are_believed_if_nothing_was_shown() {
        let counted = taken(usage(90, 0), 0).counted(hundred(), true, true);
        assert_eq!((counted.usage, counted.is_reported), (usage(90, 0), true));
    }

    #[test]
    fn a_doubt_about_the_answer_leaves_the_parts_of_the_prompt() {
        let mut reported = usage(90, 17);
        (reported.cached, reported.cache_written, reported.reasoning) = (80, 5, 3);
        let counted = taken(reported, 18).counted(hundred(), true, true);
        assert!(!counted.is_reported && !counted.is_prompt_estimated);
        let usage = counted.usage;
        assert_eq!((usage.prompt, usage.cached, usage.cache_written), (90, 80, 5));
        assert_eq!((usage.answer, usage.reasoning), (18, 0));
        // Before the finish the prompt is known as well.
        let usage = taken(reported, 12).counted(hundred(), false, true).usage;
        assert_eq!((usage.prompt, usage.cached, usage.answer), (90, 80, 17));
    }

    #[test]
    fn a_doubt_about_the_prompt_leaves_what_costs_more() {
        let mut reported = usage(1, 20);
        (reported.cached, reported.cache_written, reported.reasoning) = (1, 1, 3);
        let counted = taken(reported, 18).counted(hundred(), true, true);
        assert!(!counted.is_reported && counted.is_prompt_estimated);
        let usage = counted.usage;
        assert_eq!((usage.prompt, usage.cached, usage.cache_written), (100, 0, 1));
        assert_eq!((usage.answer, usage.reasoning), (20, 3));
    }
}
