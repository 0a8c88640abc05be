//! What an attempt took: what the upstream says, as far as it is plausible, and what was seen of the answer.

use crate::{Frame, Stage, TokenUsage, UsdAmount};

/// The largest factor by which the estimate of a prompt may exceed the truth. The estimate is a quarter of the bytes; no tokenizer in use
/// packs 32 bytes of ordinary text into one token.
const PROMPT_ESTIMATE_FACTOR: u64 = 8;

/// Follows an answer frame by frame.
///
/// Usage that an upstream reports is evidence, not the truth: some servers send an empty object, zeros, or the usage of the first
/// chunks only. So a count that is reported before the finish is a floor, and no count is less than what was shown.
#[derive(Debug, Default)]
pub(super) struct Taken {
    reported: Option<TokenUsage>,
    /// Tokens of the answer that were seen, roughly.
    shown: u64,
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
}

impl Taken {
    pub(super) fn frame<F: Frame>(&mut self, frame: &F, stage: Stage) {
        let shown = u64::from(frame.tokens());
        if shown > 0 {
            self.shown = self.shown.saturating_add(shown);
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
        let Some(usage) = usage else { return };
        let (usage, is_plausible) = usage.plausible();
        self.is_implausible |= !is_plausible;
        if !is_plausible && usage == TokenUsage::default() {
            // Nothing of it is left: what was reported before stands.
            return;
        }
        self.is_current = true;
        self.reported = Some(usage.after(self.reported));
    }

    pub(super) const fn unbilled(&mut self) {
        self.is_unbilled = true;
    }

    /// Whether the upstream has reported any usage.
    pub(super) const fn is_reported(&self) -> bool {
        self.reported.is_some()
    }

    /// Whether an attempt that failed without an answer costs nothing: a charge that was reported decides, then a promise of the upstream,
    /// then whether it counted anything.
    pub(super) fn costs_nothing(&self, is_uncharged: bool) -> bool {
        let Some(reported) = &self.reported else { return true };
        match reported.bill() {
            Some(bill) => bill == UsdAmount::ZERO,
            None => is_uncharged || reported.total() == 0,
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
        self.shown > 0 || self.reported.is_some()
    }

    /// The usage to price by. `prompt` is the estimate of the prompt; `is_whole` says that the answer came to its end, and `is_billed` that
    /// what is reported as the charge is one.
    pub(super) fn counted(&self, prompt: u64, is_whole: bool, is_billed: bool) -> Counted {
        let reported = self.reported.unwrap_or_default();
        if is_billed && reported.bill().is_some() && reported.prompt > 0 {
            // A charge vouches for the counts beside it.
            return Counted {
                usage: reported,
                is_reported: true,
            };
        }
        let mut usage = TokenUsage {
            cached: reported.cached.min(reported.prompt),
            reasoning: reported.reasoning.min(reported.answer),
            ..reported
        };
        usage.prompt = if reported.prompt == 0 || reported.prompt < prompt / PROMPT_ESTIMATE_FACTOR {
            prompt.max(reported.prompt)
        } else {
            reported.prompt
        };
        usage.answer = reported.answer.max(reported.reasoning).max(self.shown);
        let is_final = self.is_current && (self.is_finished || is_whole);
        let is_reported = is_final && usage == reported;
        if !is_reported {
            // Parts at a lower price are believed only of a count that is believed.
            (usage.cached, usage.cache_written, usage.cache_written_1h) = (0, 0, 0);
            usage.reasoning = 0;
            (usage.audio, usage.answer_audio) = (0, 0);
            // Pictures cost more than text: what is counted of them stays.
            usage.answer_images = usage.answer_images.min(usage.answer);
        }
        Counted { usage, is_reported }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(prompt: u64, answer: u64) -> TokenUsage {
        let mut usage = TokenUsage::default();
        (usage.prompt, usage.answer) = (prompt, answer);
        usage
    }

    fn taken(reported: TokenUsage, shown: u64) -> Taken {
        Taken {
            reported: Some(reported),
            shown,
            is_current: true,
            ..Taken::default()
        }
    }

    #[test]
    fn a_plausible_report_is_taken_as_it_is() {
        let counted = taken(usage(90, 20), 18).counted(100, true, true);
        assert_eq!((counted.usage, counted.is_reported), (usage(90, 20), true));
    }

    #[test]
    fn a_report_is_a_floor_until_the_finish() {
        let counted = taken(usage(90, 20), 18).counted(100, false, true);
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
            let counted = taken(reported, 18).counted(100, true, true);
            assert_eq!((counted.usage, counted.is_reported), (usage(prompt, answer), false));
        }
    }

    #[test]
    fn no_answer_tokens_are_believed_if_nothing_was_shown() {
        let counted = taken(usage(90, 0), 0).counted(100, true, true);
        assert_eq!((counted.usage, counted.is_reported), (usage(90, 0), true));
    }
}
