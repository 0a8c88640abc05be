//! What can be made to go wrong, and the one short syntax for it.
//!
//! The same text serves as a model's name (`sim/503`), as the value of the request header `x-sim-fault`, in a script
//! file, and in [`Simulator::plan`](crate::Simulator::plan):
//!
//! ```text
//! plan     = step { "," step }          each request takes the next step; the last one stays
//! step     = [ N "x" ] [ P "%" ] clause { ";" clause }
//! clause   = one Fault, as in the table of the README
//! ```
//!
//! * `503` – always; `503,ok` – once, then well; `2x503,ok` – twice, then well. A count is exact: after a counted last
//!   step all is well (`3x503` is `3x503,ok`).
//! * `20%503` – about one request in five, by the seed; the others are well.
//! * `slow-headers=2s;stall=10s@5;words=40` – clauses of one step work together.
//! * Durations: `250us`, `50ms`, `20s`, `2m`. `@n` is *after n pieces*; a piece is a word, and one SSE event.

mod bare;
mod refusal;
pub(crate) mod span;
mod table;
pub(crate) mod text;
mod words;

use std::time::Duration;

/// The value of the first clause of this kind.
macro_rules! given {
    ($faults:expr, $clause:path) => {
        $faults.iter().find_map(|fault| match fault {
            $clause(value) => Some(value.clone()),
            _ => None,
        })
    };
}
pub(crate) use given;

pub use refusal::Refusal;
pub use text::FaultError;
pub use words::{DoneForm, ErrorField, ErrorShape, Surrogate, UsageForm, UsageShape, WholeMessage};

/// One clause of a step: a way to fail, or a way to answer.
///
/// It reads ([`FromStr`](std::str::FromStr)), prints and serialises as the same text; the README has the whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `ok`: all is well.
    Ok,
    /// A status of 400 or more, before anything is generated: `503`, `429-upstream`, `402-afford=100`.
    Refuse(Refusal),

    /// `retry-after=7`: the HTTP header, literally (`0` and `soon` work too).
    RetryAfter(String),
    /// `retry-after-date=7s`: the HTTP header, as a date so far ahead.
    RetryAfterDate(Duration),
    /// `availability-retry=7`: `error.availability.retry_after`.
    AvailabilityRetry(u64),
    /// `metadata-retry=7`: `error.metadata.retry_after_seconds`.
    MetadataRetry(u64),
    /// `metadata-header=7`: `error.metadata.headers["Retry-After"]`, a string.
    MetadataHeader(String),
    /// `ratelimit-reset=7s`: the header `X-RateLimit-Reset`, epoch milliseconds so far ahead.
    RateLimitReset(Duration),
    /// `no-hint`: takes away every hint the error has of itself.
    NoHint,

    /// `hang`: takes the request and never answers.
    Hang,
    /// `slow-headers=2s`: sends nothing at all for so long.
    SlowHeaders(Duration),
    /// `first-token=20s`: headers at once, a comment (plain: white space) every second, the first token after that.
    FirstToken(Duration),
    /// `stall=10s@5`: silence of that length after so many pieces.
    Stall(Duration, u32),
    /// `delay=50ms`: so long before each piece.
    Delay(Duration),
    /// `comments`: comments (plain: white space) every second, without end.
    Comments,
    /// `drip=1s/30s`: plain answers: white space at that interval for that long, then the answer.
    Drip(Duration, Duration),
    /// `drip-cut=1s/30s`: the same, then the connection is cut.
    DripCut(Duration, Duration),
    /// `down=30s`: the clauses beside it (none: `503`) apply for so long from the first request, then all is well.
    Down(Duration),

    /// `reset`: a TCP reset before the headers.
    Reset,
    /// `close`: an orderly close before the headers.
    Close,
    /// `cut@5`: the connection ends after so many pieces (plain: in the middle).
    Cut(u32),
    /// `cut-byte=120`: the connection ends after exactly so many bytes of the body.
    CutByte(u64),
    /// `rst`: `cut`, `cut-byte` and `drip-cut` end in a TCP reset.
    Rst,

    /// `bad-json@3`: a data event of broken JSON after so many pieces (plain: a broken body). `bad-json` is `@0`.
    BadJson(u32),
    /// `html`: an HTML page with status 200.
    Html,
    /// `error=502`: an error inside a 200: plain without choices, streamed as the first and only event. The code may
    /// be a word. `error` is `error=502`.
    Error(String),
    /// `error=502@5`: an error inside a 200 after so many pieces. `error@5` is `error=502@5`.
    ErrorAt(String, u32),
    /// `done`: `[DONE]` follows an error event.
    Done,
    /// `no-choices`: the error event has `choices: []`.
    NoChoices,
    /// `finish-error`: finish reason `error`, without an error object.
    FinishError,
    /// `empty-choices`: `choices: []` and nothing else.
    EmptyChoices,
    /// `empty-content`: empty content, finish reason null, no completion tokens.
    EmptyContent,
    /// `reasoning-only`: reasoning takes the whole of `max_tokens`; finish reason `length`.
    ReasoningOnly,
    /// `no-done`: no `[DONE]`.
    NoDone,
    /// `no-usage`: no usage.
    NoUsage,
    /// `no-finish`: ends after the content: no finish reason, no usage, no `[DONE]`.
    NoFinish,
    /// `empty-stream`: comments, then the end.
    EmptyStream,
    /// `role-only`: one chunk with only a role, then `[DONE]`.
    RoleOnly,
    /// `no-prefill`: `400-prefill` if the last message is the assistant's; well otherwise.
    NoPrefill,
    /// `say-again`: continues a prefill, but repeats its last sentence.
    SayAgain,
    /// `obey`: continues its message if the last message asks for that, and begins with the characters that it names.
    Obey,

    /// `split=7`: the body goes out in writes of so many bytes.
    Split(u32),
    /// `crlf`: lines end in CR LF.
    Crlf,
    /// `blank-lines`: doubled line ends between events.
    BlankLines,
    /// `bom`: a byte-order mark first.
    Bom,
    /// `big-event=65536`: one event (plain: the content) carries so many bytes of text.
    BigEvent(u32),
    /// `keepalive=3`: so many comments before the first event.
    KeepAlive(u32),
    /// `usage=repeat|empty|null|finish`: the shape of the usage chunk.
    Usage(UsageShape),

    /// `words=50`: an answer of so many words.
    Words(u32),
    /// `text=Hello%20world`: this very answer (percent-encoded).
    Text(String),
    /// `reasoning=12`: so many words of reasoning first.
    Reasoning(u32),
    /// `tool`: calls the first tool, whatever the prompt says.
    Tool,
    /// `no-tool`: calls none.
    NoTool,
    /// `finish=content_filter`: this finish reason.
    Finish(String),
    /// `cached=100`: so many prompt tokens come from the cache.
    Cached(u64),
    /// `dated`: the answer names the model by its dated slug.
    Dated,

    /// `error-shape=array`: errors in a shape that is not the API's own.
    ErrorShape(ErrorShape),
    /// `message=Engine%20overloaded`: the message of errors.
    Message(String),
    /// `billed`: an error inside a 200 carries usage and cost, and is billed; so does an answer without choices.
    Billed,
    /// `error-field=empty`: a good answer with a top-level `error` that means nothing.
    ErrorField(ErrorField),
    /// `null-choice`: `choices: [null]` and usage.
    NullChoice,
    /// `as-plain`: a streamed call gets the plain body.
    AsPlain,
    /// `as-stream`: a plain call gets the stream.
    AsStream,
    /// `content-type=text%2Fplain`: this content type; `none` for no such header.
    ContentType(String),
    /// `content-length`: a stream announces its length.
    ContentLength,
    /// `gzip`: the body is compressed, whatever the request accepts.
    Gzip,
    /// `deep=200`: each JSON document has an unknown field, nested so deep.
    Deep(u32),
    /// `nan`: log probabilities of `-Infinity`, as no strict reader of JSON takes it.
    Nan,
    /// `surrogate=lone`: the text ends in half a surrogate pair.
    Surrogate(Surrogate),
    /// `usage-form=float`: how the usage object is written.
    UsageForm(UsageForm),
    /// `done-form=spaced`: how `[DONE]` is written.
    DoneForm(DoneForm),
    /// `one-lf`: events are separated by one line end.
    OneLf,
    /// `one-lf-end`: the last event ends in one line end.
    OneLfEnd,
    /// `no-event-names`: no `event:` lines.
    NoEventNames,
    /// `pings=300`: so many events named `ping` before the first of the answer.
    Pings(u32),
    /// `empties=300`: so many pieces without content before the first.
    Empties(u32),
    /// `event=data:%20null@2`: these very lines as an event after so many pieces.
    Event(String, u32),
    /// `last-event=data:%20null`: these very lines as an event after finish and usage.
    LastEvent(String),
    /// `no-deltas`: a stream of Responses gives arguments and text only when they are whole.
    NoDeltas,
    /// `no-finish-reason`: no finish reason anywhere, and a proper end.
    NoFinishReason,
    /// `finish-each=null`: each chunk has this finish reason.
    FinishEach(String),
    /// `native=error`: this native finish reason.
    Native(String),
    /// `index=1`: the index of the only choice.
    Index(u32),
    /// `duplicate-key`: the text stands twice in each object; the second is the right one.
    DuplicateKey,
    /// `function-call`: a tool call in the form before tools.
    FunctionCall,
    /// `content-parts`: the content is a list of parts.
    ContentParts,
    /// `reasoning-name=reasoning_text`: reasoning under another name.
    ReasoningName(String),
    /// `whole-message=each`: chunks that carry the whole message.
    WholeMessage(WholeMessage),
}

impl Fault {
    /// Every clause: an example that parses, and what it does.
    #[must_use]
    pub fn table() -> &'static [(&'static str, &'static str)] {
        table::TABLE
    }
}
