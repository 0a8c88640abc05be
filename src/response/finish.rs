//! Why an answer ended.

use crate::request::open_enum::open_enum;

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
