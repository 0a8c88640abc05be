//! Clauses whose value is one of a few words.

/// Declares an enum whose variants are written as words.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Reads the word; `None` if it is none of them.
            pub(super) fn read(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The word.
            pub(super) fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

words! {
    /// The place of the usage in a stream of chat completions.
    UsageShape {
        /// A chunk of its own that repeats the finish reason: the default.
        Repeat = "repeat",
        /// A chunk of its own with `choices: []`.
        Empty = "empty",
        /// A chunk of its own whose finish reason is null.
        Null = "null",
        /// On the chunk that has the finish reason.
        Finish = "finish",
        /// With the finish reason, without a cost; repeated with the cost one second later.
        Late = "late",
        /// So far, on each chunk; with the cost in a chunk of its own one second after the finish reason.
        Each = "each",
        /// After `[DONE]`.
        AfterDone = "after-done",
        /// Of three tokens, on a first chunk without content, and nowhere else.
        First = "first",
    }
}

words! {
    /// How a usage object is written.
    UsageForm {
        /// Token counts with a fraction, the cost as a string.
        Float = "float",
        /// `input_tokens` and `output_tokens` in place of the names of chat.
        Names = "names",
        /// Without any cost.
        NoCost = "no-cost",
        /// With the cost also in a stream of Messages.
        Cost = "cost",
        /// All zeros in the event that begins a stream of Messages.
        Zeros = "zeros",
    }
}

words! {
    /// The shape of an error that is not the API's own.
    ErrorShape {
        /// A list of one error, with a gRPC status word; a 429 asks for 34 seconds.
        Array = "array",
        /// The error is a list of one.
        ErrorArray = "error-array",
        /// `detail` is the message.
        Detail = "detail",
        /// `detail` is a list of what is wrong.
        DetailList = "detail-list",
        /// `success: false`, and a list of errors.
        Errors = "errors",
        /// Code and message without an envelope.
        Flat = "flat",
        /// `code` and `msg` without an envelope.
        Msg = "msg",
        /// `base_resp` with a code of its own.
        BaseResp = "base-resp",
        /// The error is a string.
        String = "string",
        /// No JSON: `error: ` and the message.
        Text = "text",
        /// Streamed: the JSON without `data:`.
        Unframed = "unframed",
        /// Streamed: behind half an event, without an empty line between them.
        Glued = "glued",
        /// Responses: the event `error`, code and message beside the type.
        Event = "event",
        /// Responses: the event `error`, with an error object.
        Nested = "nested",
        /// Responses: the event `response.error`, with an error object.
        ResponseError = "response-error",
        /// Responses, with a status: the code is a word, and `metadata` stands outside.
        StringCode = "string-code",
    }
}

words! {
    /// A top-level `error` that means nothing.
    ErrorField {
        /// An object of empty strings.
        Empty = "empty",
        /// The same on the first chunk only.
        First = "first",
        /// The string `success`.
        Success = "success",
    }
}

words! {
    /// How `[DONE]` is written.
    DoneForm {
        /// Two spaces before it.
        Spaced = "spaced",
        /// In quotation marks.
        Quoted = "quoted",
    }
}

words! {
    /// Chunks that carry the whole message.
    WholeMessage {
        /// Each carries the message so far, and its delta.
        Each = "each",
        /// The last carries the message in place of a delta.
        Last = "last",
    }
}

words! {
    /// Half a surrogate pair as a JSON escape.
    Surrogate {
        /// The answer ends in the first half.
        Lone = "lone",
        /// The answer ends in both halves, in two pieces.
        Split = "split",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro derives the same for all")]
impl Default for UsageShape {
    fn default() -> Self {
        Self::Repeat
    }
}
