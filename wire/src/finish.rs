//! Why an answer ended.

use crate::view::open_enum;

open_enum! {
    /// Why an answer ended, in OpenRouter's words.
    FinishReason {
        /// It was done.
        Stop = "stop",
        /// It reached its limit of tokens.
        Length = "length",
        /// It calls tools.
        ToolCalls = "tool_calls",
        /// The provider held it back.
        ContentFilter = "content_filter",
        /// It failed. What came before is not a whole answer.
        Error = "error",
    }
}

impl FinishReason {
    /// What the word means: the words of other servers, in any case, are mapped to OpenRouter's. Unknown words stay as they are.
    /// `None` if the word says that the answer has not ended, such as `null` written as text.
    ///
    /// ```
    /// use openrouter_wire::finish::FinishReason;
    ///
    /// assert_eq!(FinishReason::from("MAX_TOKENS").normalized(), Some(FinishReason::Length));
    /// assert_eq!(FinishReason::from("end_turn").normalized(), Some(FinishReason::Stop));
    /// assert_eq!(FinishReason::from("null").normalized(), None);
    /// assert_eq!(FinishReason::from("new_word").normalized(), Some("new_word".into()));
    /// ```
    #[must_use]
    pub fn normalized(&self) -> Option<Self> {
        match End::of(self.as_str()) {
            End::None => None,
            End::Stop => Some(Self::Stop),
            End::Length => Some(Self::Length),
            End::ToolCalls => Some(Self::ToolCalls),
            End::Filter => Some(Self::ContentFilter),
            End::Error => Some(Self::Error),
            End::Unknown => Some(self.clone()),
        }
    }
}

/// The kind of end that a finish reason names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// No end: a placeholder.
    None,
    /// The answer was done.
    Stop,
    /// It reached a limit of tokens.
    Length,
    /// It calls tools.
    ToolCalls,
    /// A filter held it back.
    Filter,
    /// It failed.
    Error,
    /// An end by a word that is not known.
    Unknown,
}

impl End {
    /// The kind of end that this word names, in the words of whichever server.
    #[inline]
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "stop" => Self::Stop,
            "length" => Self::Length,
            "tool_calls" => Self::ToolCalls,
            _ => Self::of_other(word),
        }
    }

    /// The words of other servers, however they write them: `FinishReason.MAX_TOKENS`, `FINISH_REASON_STOP`, `end-turn`, `EndTurn`,
    /// `content_filter: RECITATION`.
    #[cold]
    fn of_other(word: &str) -> Self {
        let parts = word.split(':').map(Self::of_part);
        parts
            .reduce(|first, next| if first.is_known() { first } else { next })
            .unwrap_or(Self::None)
    }

    const fn is_known(self) -> bool {
        !matches!(self, Self::None | Self::Unknown)
    }

    fn of_part(word: &str) -> Self {
        let mut name = String::with_capacity(word.len());
        let last = word.trim().rsplit('.').next().unwrap_or_default();
        name.extend(last.chars().filter(char::is_ascii_alphanumeric));
        name.make_ascii_lowercase();
        match name.strip_prefix("finishreason").unwrap_or(&name) {
            "" | "null" | "none" | "nil" | "undefined" | "unspecified" | "inprogress" | "running" | "notfinished"
            | "continue" => Self::None,
            "stop" | "eos" | "eostoken" | "endturn" | "stopsequence" | "stopsequences" | "matchedstop" | "end"
            | "complete" | "completed" | "done" | "finished" | "finish" | "success" | "endofturn" | "endofsequence" => {
                Self::Stop
            }
            "length"
            | "maxtokens"
            | "maxlength"
            | "modellength"
            | "modelcontextwindowexceeded"
            | "maxoutputtokens"
            | "maxcompletiontokens"
            | "contextlength"
            | "tokenlimit"
            | "limit"
            | "incomplete"
            | "modelmaxlength"
            | "maxnewtokens" => Self::Length,
            "toolcalls" | "toolcall" | "tooluse" | "functioncall" | "functioncalls" | "tools" => Self::ToolCalls,
            "contentfilter"
            | "contentfiltered"
            | "safety"
            | "recitation"
            | "blocklist"
            | "prohibitedcontent"
            | "spii"
            | "imagesafety"
            | "guardrailintervened"
            | "sensitive"
            | "refusal"
            | "filtered"
            | "blocked"
            | "contentpolicy"
            | "errortoxic" => Self::Filter,
            "error"
            | "errors"
            | "abort"
            | "aborted"
            | "insufficientsystemresource"
            | "networkerror"
            | "failed"
            | "failure"
            | "cancelled"
            | "canceled"
            | "timeout"
            | "malformedfunctioncall"
            | "unexpectedtoolcall"
            | "servererror"
            | "internalerror"
            | "enginerror"
            | "engineerror"
            | "exception"
            | "overloaded"
            | "errorlimit"
            | "disconnected"
            | "interrupted"
            | "functioncallfilter" => Self::Error,
            // Whatever else is called an error is one, and so is what was held back.
            name if FAILED.iter().any(|word| name.contains(word)) && !name.starts_with("no") => Self::Error,
            name if FILTERED.iter().any(|word| name.contains(word)) && !name.starts_with("no") => Self::Filter,
            _ => Self::Unknown,
        }
    }
}

/// What is in the names of failed ends.
const FAILED: [&str; 8] = [
    "error",
    "fail",
    "abort",
    "timeout",
    "cancel",
    "disconnect",
    "exception",
    "malformed",
];
/// What is in the names of answers that a filter held back.
const FILTERED: [&str; 9] = [
    "contentfilter",
    "safety",
    "recitation",
    "prohibited",
    "modelarmor",
    "blocklist",
    "guardrail",
    "moderation",
    "contentpolicy",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_servers_are_read_for_their_meaning() {
        for (word, end) in [
            ("stop", End::Stop),
            ("STOP", End::Stop),
            ("Stop", End::Stop),
            ("eos", End::Stop),
            ("end_turn", End::Stop),
            ("stop_sequence", End::Stop),
            ("COMPLETE", End::Stop),
            ("FinishReason.STOP", End::Stop),
            ("FINISH_REASON_MAX_TOKENS", End::Length),
            ("max_tokens", End::Length),
            ("model_length", End::Length),
            ("model_context_window_exceeded", End::Length),
            ("tool_use", End::ToolCalls),
            ("function_call", End::ToolCalls),
            ("content_filter", End::Filter),
            ("SAFETY", End::Filter),
            ("error", End::Error),
            ("abort", End::Error),
            ("insufficient_system_resource", End::Error),
            ("network_error", End::Error),
            ("MALFORMED_FUNCTION_CALL", End::Error),
            ("malformed_tool_use", End::Error),
            ("malformed_model_output", End::Error),
            ("function_call_filter: MALFORMED_FUNCTION_CALL", End::Error),
            ("function_call_filter: UNEXPECTED_TOOL_CALL", End::Error),
            ("content_filter: RECITATION", End::Filter),
            ("content_filter:", End::Filter),
            ("MODEL_ARMOR", End::Filter),
            ("IMAGE_PROHIBITED_CONTENT", End::Filter),
            ("IMAGE_RECITATION", End::Filter),
            ("finish: STOP", End::Stop),
            ("reason: null", End::None),
            ("null:", End::None),
            ("null", End::None),
            ("None", End::None),
            ("", End::None),
            ("FINISH_REASON_UNSPECIFIED", End::None),
            ("xyzzy", End::Unknown),
        ] {
            assert_eq!(End::of(word), end, "{word}");
        }
    }
}
