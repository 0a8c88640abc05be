//! How models continue an interrupted answer: what is known of each, and the words of the instruction.

use tower_llm_layers::{Candidate, ContinueBy};

use super::chat::ChatRequest;
use openrouter_wire::chat::Message;

/// Claude takes a begun message up to this version, and rejects it from the next one on.
const LAST_CLAUDE_WITH_PREFILL: (u32, u32) = (4, 5);

/// How a model continues, by its name: with `anthropic/` before it or without, in the form of OpenRouter or of the provider.
///
/// A model that is not known here is begun with what was shown. If it rejects that, or answers from the start, it continues by instruction
/// from then on.
pub(crate) fn way_of(candidate: &Candidate) -> ContinueBy {
    let name = candidate.model().rsplit('/').next().unwrap_or_default();
    let (model, variant) = name.split_once(':').unwrap_or((name, ""));
    if model.ends_with("deep-research") {
        // It would do the research again, at its price.
        return ContinueBy::Never;
    }
    if model.starts_with("sonar") {
        // The last message must be the user's.
        return ContinueBy::Instruction;
    }
    let Some(version) = model.strip_prefix("claude").map(version) else {
        return ContinueBy::Prefill;
    };
    // No version names the newest.
    let is_old = version.is_some_and(|version| version <= LAST_CLAUDE_WITH_PREFILL);
    if is_old && variant != "thinking" {
        ContinueBy::Prefill
    } else {
        ContinueBy::Instruction
    }
}

/// The version in `-opus-4.6`, `-sonnet-4-5-20250929`, `-3.7-sonnet` or `-3-5-haiku-20241022`.
fn version(name: &str) -> Option<(u32, u32)> {
    let parts = name.split(['-', '.', '@']);
    let mut numbers = parts
        .skip_while(|part| number(part).is_none())
        .map_while(number_of_version);
    let major = numbers.next()?;
    Some((major, numbers.next().unwrap_or(0)))
}

fn number(part: &str) -> Option<u32> {
    part.parse().ok()
}

/// A number that is no date.
fn number_of_version(part: &str) -> Option<u32> {
    number(part).filter(|number| *number < 100)
}

impl ChatRequest {
    /// Asks for the rest of the message that the request ends with. Returns whether the request says so now.
    pub(super) fn instruct_to_continue(&mut self, last: &str) -> bool {
        self.push_message(&Message::user(format!(
            "Your message was cut off. Continue it where it ends, without a remark, and repeat nothing before its last characters. Begin \
             with these characters exactly as they stand, and then continue:\n\n{last}"
        )));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_continues_in_its_way() {
        use ContinueBy::{Instruction, Never, Prefill};
        for (model, way) in [
            ("anthropic/claude-sonnet-4.6", Instruction),
            ("anthropic/claude-opus-4.6:nitro", Instruction),
            ("anthropic/claude-opus-4.10", Instruction),
            ("claude-opus-4-8", Instruction),
            ("claude-haiku-5-5-20260801", Instruction),
            ("anthropic/claude-fable-5", Instruction),
            ("anthropic/claude-mythos-preview", Instruction),
            ("~anthropic/claude-sonnet-latest", Instruction),
            ("anthropic/claude-3.7-sonnet:thinking", Instruction),
            ("anthropic/claude-sonnet-4.5", Prefill),
            ("claude-sonnet-4-5-20250929", Prefill),
            ("claude-sonnet-4-20250514", Prefill),
            ("anthropic/claude-3.7-sonnet", Prefill),
            ("claude-3-5-haiku-20241022", Prefill),
            ("anthropic/claude-2", Prefill),
            ("perplexity/sonar-pro", Instruction),
            ("perplexity/sonar-deep-research", Never),
            ("openai/o3-deep-research", Never),
            ("openai/gpt-5", Prefill),
            ("deepseek/deepseek-chat", Prefill),
        ] {
            let candidate = Candidate::new("openrouter", model).unwrap();
            assert_eq!(way_of(&candidate), way, "{model}");
        }
    }
}
