//! What one JSON document of an answer means for the call.

use bytes::Bytes;
use http::HeaderMap;
use tower_llm_layers::Stage;

use crate::{
    Api, ChatFrame, Error, FailureKind,
    assemble::Gathered,
    classify::{error_in_body, generation_id},
    frame::FrameKind,
    frame_facts::FrameFacts,
};
use openrouter_wire::json::{JsonError, raw_member};
use openrouter_wire::loose::{documents, event_data, first_document, is_done, is_markup, repaired, summary};
use openrouter_wire::{
    chat::ChunkProbe,
    error::{UpstreamError, is_failure_text},
    events::EventProbe,
    finish::End,
};

/// A failure, and what it cost where the upstream said so.
pub(super) struct Failed {
    pub(super) usage: Option<ChatFrame>,
    pub(super) error: Box<Error>,
}

/// The failure that a document reports, if it does.
pub(super) fn failure(probe: &ChunkProbe<'_>, headers: &HeaderMap) -> Option<Failed> {
    if !probe.is_failure() {
        return None;
    }
    let error = probe
        .upstream_error()
        .map_or_else(without_words, |error| error_in_body(headers, &error));
    Some(Failed {
        usage: usage_alone(probe),
        error: Box::new(error.of_generation(probe.id().as_deref())),
    })
}

/// The failure of an answer that ends without anything to show, because a filter or a full context withheld it.
pub(super) fn withheld(probe: &ChunkProbe<'_>, headers: &HeaderMap) -> Option<Failed> {
    let ends_empty = probe.has_finish() && probe.max_index() == 0 && !probe.has_content() && !probe.finish_is_stop();
    if !ends_empty {
        return None;
    }
    let mut words = probe
        .raw_finish_reason()
        .into_iter()
        .chain(probe.raw_native_finish_reason());
    let error = if words.any(|word| is_full_context(&word)) {
        Error::new(
            FailureKind::ContextLengthExceeded,
            "the answer is empty: the model's context is full",
        )
    } else if probe.finish_is_filter() {
        Error::new(
            FailureKind::ContentFiltered,
            "the answer is empty: a content filter withheld it",
        )
    } else {
        return None;
    };
    let error = error.of_generation(probe.id().as_deref());
    Some(Failed {
        usage: usage_alone(probe),
        error: Box::new(error.of_generation(generation_id(headers))),
    })
}

/// Whether a finish reason says that the model's context is full.
pub(super) fn is_full_context(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.contains("context") || matches!(word.as_str(), "model_length" | "prompt_too_long" | "input_too_long")
}

/// The usage of a failed document as a chunk of its own: what it cost is counted, though its answer is none.
fn usage_alone(probe: &ChunkProbe<'_>) -> Option<ChatFrame> {
    let usage = probe.usage_raw()?;
    let mut json = b"{\"choices\":[],\"usage\":".to_vec();
    json.extend_from_slice(usage);
    json.push(b'}');
    Some(ChatFrame::new(json.into(), FrameKind::Chunk, Stage::Trailer, true))
}

/// The usage of a frame as a chunk of its own.
pub(super) fn usage_of(frame: &ChatFrame) -> Option<ChatFrame> {
    if let api @ (Api::Responses | Api::Messages) = frame.api() {
        let piece = EventProbe::read(api, frame.bytes()).ok()?;
        return Some(ChatFrame::usage_alone(api, piece.usage?));
    }
    usage_alone(&ChunkProbe::read(frame.bytes()).ok()?)
}

/// A plain answer of this API: a frame, or the failure it reports.
pub(super) fn answer(api: Option<Api>, bytes: Bytes, headers: &HeaderMap) -> Result<ChatFrame, Failed> {
    if let Some(api @ (Api::Responses | Api::Messages)) = api {
        return super::typed_reading::answer(api, bytes, headers);
    }
    let probe = match ChunkProbe::read(&bytes) {
        Ok(probe) => probe,
        Err(cause) => {
            // It must be an object: otherwise this would not end.
            let read = repaired_answer(api.unwrap_or(Api::Chat), &bytes);
            return match read.filter(|read| ChunkProbe::read(read).is_ok()) {
                Some(read) => answer(api, read, headers),
                None => Err(Failed::from(malformed(&bytes, cause, headers))),
            };
        }
    };
    if let Some(failed) = failure(&probe, headers).or_else(|| withheld(&probe, headers)) {
        return Err(failed);
    }
    if probe.has_content() && !probe.is_in_message() && probe.is_in_delta() {
        // One chunk of a stream: a caller looks for a message. Without its finish it is the beginning of one that was cut.
        if !probe.has_finish() {
            let what = "the answer is one chunk of a stream whose rest is missing";
            return Err(Error::new(FailureKind::Malformed, what).into());
        }
        return put_alone(&bytes, &probe);
    }
    let stage = stage(&probe, probe.has_message());
    let (has_usage, tokens) = (probe.has_usage(), probe.shown_tokens());
    // A filtered answer is not the requested one.
    let ends_well = !probe.finish_is_filter();
    let known = FrameFacts::of(&probe);
    Ok(ChatFrame::new(bytes, FrameKind::Answer, stage, has_usage)
        .ending(ends_well)
        .showing(tokens)
        .with_facts(known))
}

/// The document in a list of one answer, before the end of a stream or garbage, or with characters that JSON does not have.
pub(super) fn repaired_answer(api: Api, bytes: &Bytes) -> Option<Bytes> {
    repaired(bytes)
        .or_else(|| only(bytes))
        .or_else(|| first_document(api, bytes))
}

/// The only object in a text. `[DONE]` is none.
fn only(text: &Bytes) -> Option<Bytes> {
    let mut found = documents(text)?.filter(|document| !is_done(document));
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

/// A chunk by itself, as the plain answer that it makes up.
fn put_alone(chunk: &Bytes, probe: &ChunkProbe<'_>) -> Result<ChatFrame, Failed> {
    let (has_usage, tokens, ends_well) = (probe.has_usage(), probe.shown_tokens(), !probe.finish_is_filter());
    let mut gathered = Gathered::default();
    gathered.take(&ChatFrame::new(
        chunk.clone(),
        FrameKind::Chunk,
        Stage::Content,
        has_usage,
    ))?;
    let bytes = gathered.whole();
    Ok(ChatFrame::new(bytes, FrameKind::Answer, Stage::Content, has_usage)
        .ending(ends_well)
        .showing(tokens))
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            usage: None,
            error: Box::new(error),
        }
    }
}

/// The failure of an answer that has nothing to show: what the document says in its place, if it does.
pub(super) fn empty(api: Api, document: &[u8], headers: &HeaderMap) -> Error {
    explained(api, document, headers).unwrap_or_else(|| Error::new(FailureKind::EmptyResponse, "the answer is empty"))
}

/// What a document without an answer says in its place: words that do not sound like a failure, such as "Your subscription has expired".
pub(super) fn explained(api: Api, document: &[u8], headers: &HeaderMap) -> Option<Error> {
    // An envelope of these has other words: the instructions of its request, say.
    let is_typed = matches!(api, Api::Responses | Api::Messages);
    if is_typed
        && ["type", "object"]
            .iter()
            .any(|name| raw_member(document, name).is_some())
    {
        return None;
    }
    let told = UpstreamError::parse_failed(document).filter(|told| !told.message.trim().is_empty())?;
    let error = error_in_body(headers, &told);
    if error.kind() != FailureKind::Upstream {
        return Some(error);
    }
    let words = quoted("the answer is empty", &summary(told.message.as_bytes()));
    Some(Error::new(FailureKind::EmptyResponse, words))
}

/// An event that is named an error: its data is what otherwise stands under `error`.
pub(super) fn named_error(data: &[u8], headers: &HeaderMap) -> Error {
    let wrapped = [b"{\"error\":", data, b"}"].concat();
    let read = UpstreamError::parse(data).or_else(|| UpstreamError::parse(&wrapped));
    let error = read.or_else(|| UpstreamError::parse_failed(data));
    error.map_or_else(|| reported_in_words(data), |error| error_in_body(headers, &error))
}

pub(super) fn without_words() -> Error {
    Error::new(FailureKind::Upstream, "the upstream reports an error without a message")
}

/// An error that an upstream reported in plain words.
pub(super) fn reported_in_words(words: &[u8]) -> Error {
    let words = summary(words);
    if words.is_empty() {
        return without_words();
    }
    Error::new(FailureKind::Upstream, words)
}

/// How far along the answer a document is.
///
/// A choice that stops without anything to show begins nothing: it is what an empty answer looks like, whatever word it ends with. One that
/// reached its limit, or was filtered, has ended honestly. So has one whose usage tells of tokens that were not shown, such as hidden
/// reasoning. Usage without a choice is no answer, and neither is a choice whose message is null, here and before.
pub(super) fn stage(probe: &ChunkProbe<'_>, has_message: bool) -> Stage {
    if probe.has_content() {
        return Stage::Content;
    }
    match probe.end() {
        End::Length | End::Filter if has_message => Stage::Finish,
        End::None if probe.has_usage() => Stage::Trailer,
        End::None => Stage::Preamble,
        _ if has_message && spent(probe) => Stage::Finish,
        _ if probe.has_usage() => Stage::Trailer,
        _ => Stage::Preamble,
    }
}

/// Whether tokens of an answer were spent.
pub(super) fn spent(probe: &ChunkProbe<'_>) -> bool {
    probe.has_usage() && probe.completion_tokens().is_some_and(|tokens| tokens > 0)
}

/// A document that is no JSON: it may be an error all the same.
pub(super) fn malformed(bytes: &[u8], cause: JsonError, headers: &HeaderMap) -> Error {
    let told = UpstreamError::parse(bytes).or_else(|| UpstreamError::parse(&event_data(bytes)?));
    if let Some(error) = told {
        return error_in_body(headers, &error);
    }
    let words = summary(bytes);
    let what = if bytes.trim_ascii().is_empty() {
        "the answer is white space only: the connection was cut".to_owned()
    } else if is_markup(bytes) {
        quoted("an HTML page instead of an answer", &words)
    } else if cause.is_cut_short() {
        garbled("the answer is no JSON: it was cut short", bytes)
    } else if matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[')) {
        garbled("the answer is not JSON", bytes)
    } else {
        quoted("the answer is not JSON", &words)
    };
    Error::caused(FailureKind::Malformed, what, cause)
}

/// What is wrong with a document, with its first words if they tell of a failure and are no part of an answer.
pub(super) fn garbled(what: &str, text: &[u8]) -> String {
    let words = summary(text);
    let is_answer = memchr::memmem::find(text, b"\"choices\"").is_some();
    quoted(
        what,
        if !is_answer && is_failure_text(&words) {
            &words
        } else {
            ""
        },
    )
}

/// What is wrong, and the upstream's own words.
pub(super) fn quoted(what: &str, words: &str) -> String {
    if words.is_empty() {
        what.to_owned()
    } else {
        format!("{what}: {words}")
    }
}
