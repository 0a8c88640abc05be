//! Whether an error's words tell of a filter that refused the prompt or withheld the answer.
//!
//! No single word is trusted, because a wrong parameter may be called so. Something that a filter looks at stands near a verdict, or near what was
//! done about it and the rule that says so. Texts about parameters, networks and rates are ruled out first.

use super::words::{Words, has_any, near};

/// How far apart the words of one statement stand, in bytes.
const FAR: usize = 60;

impl Words {
    /// A filter refused the prompt or withheld the answer.
    pub(super) fn is_filtered(&self) -> bool {
        self.code_is(is_filter_code)
            || self.has(BY_THEMSELVES)
            || (!self.are_about_a_parameter() && !self.has(OF_A_NETWORK) && !self.is_rate_limit() && self.is_verdict())
    }

    fn is_verdict(&self) -> bool {
        let text = self.text();
        near(text, LOOKED_AT, VERDICTS, FAR) || (near(text, LOOKED_AT, DEEDS, FAR) && near(text, DEEDS, RULES, FAR))
    }
}

/// A code in any provider's spelling, normalised.
fn is_filter_code(code: &str) -> bool {
    const CODES: &str = "\
        data inspection failed|content policy violation|responsible ai policy violation|sensitive|moderation|content filter|\
        content safety|safety check|prohibited content|censorship";
    const SOMETHING_ELSE: &str = "\
        case sensitive|insensitive|not supported|unsupported|not found|unknown|invalid|config|param|setting|unavailable|\
        timeout|rate limit|overload";
    has_any(code, CODES) && !has_any(code, SOMETHING_ELSE)
}

/// Phrases that no other failure has.
const BY_THEMSELVES: &str = "\
    inappropriate content|content exists risk|new sensitive|content management policy|不安全或敏感|敏感内容|敏感信息|敏感词|违规内容";

/// What a filter looks at.
const LOOKED_AT: &str = concat!(
    " content | contents | prompt | prompts | input | inputs | output | outputs | text | image | images |",
    " completion | response | generation | request | message | messages "
);

/// What a filter finds.
const VERDICTS: &str = "\
    flagged|potentially unsafe|unsafe content|unsafe or |unsafe prompt|unsafe input|unsafe output|considered unsafe|\
    sensitive content|sensitive info|sensitive word|sensitive data|sensitive material|disallowed content|prohibited content";

/// What is done about it.
const DEEDS: &str = "violat|blocked|filtered|rejected|refused|trigger|not allowed by|did not pass";

/// The rule that says so.
const RULES: &str = "\
    usage polic|usage guideline|content polic|content guideline|community guideline|content filter|filtering polic|\
    moderation|guardrail|our polic|our guideline|terms of service|terms of use|responsible ai|safety system|safety polic|\
    safety guideline|safety filter|safety check|safety standard|our safety|due to safety|for safety|safety reason";

/// What blocks a call before any model reads it.
const OF_A_NETWORK: &str = "network|firewall| proxy|web filter|administrator|website|data polic|privacy";

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Words {
        Words::of_body(text.as_bytes())
    }

    #[test]
    fn a_filter_is_known_by_what_it_looked_at_and_what_it_did() {
        for text in [
            "Output blocked by content filtering policy",
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt",
            "System detected potentially unsafe or sensitive content in input or generation.",
            "The request failed because the input text may contain sensitive information",
            "input contains sensitive words: [test]",
            "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
            "Your request was rejected as a result of our safety system.",
            "The prompt was blocked because it violates our policies.",
            r#"{"error":{"code":"moderation_blocked","message":"x"}}"#,
            r#"{"error":{"code":"InputTextSensitiveContentDetected","message":"x"}}"#,
        ] {
            assert!(said(text).is_filtered(), "{text}");
        }
    }

    #[test]
    fn words_that_only_sound_like_a_filter_s_are_none() {
        for text in [
            "Invalid value for 'content'",
            "content must be a string",
            "input is too long",
            "input text too long",
            "unsupported parameter: moderation",
            "Unknown parameter: 'content_filter'.",
            "Invalid content filter: the configuration was rejected",
            "content blocks of type `tool_use` must be followed by their results",
            "Request blocked by network policy",
            "Your request was blocked by the firewall's content filter",
            "the input 'safety_identifier' was rejected: string too long",
            "Header names in the request are case sensitive",
            "The request violates the rate limit policy for input tokens",
            "Invalid input: the response schema violates our guidelines",
            r#"{"error":{"code":"moderation_not_supported","message":"x"}}"#,
            r#"{"error":{"code":"invalid_content_filter","message":"x"}}"#,
            "",
        ] {
            assert!(!said(text).is_filtered(), "{text}");
        }
    }
}
