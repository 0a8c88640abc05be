//! What a document of Responses or of Messages means for the call.

use bytes::Bytes;
use http::HeaderMap;
use tower_llm_layers::Stage;

use super::reading::{self, Failed};
use crate::{
    Api, ChatFrame, Error, FailureKind,
    bounds::cut,
    classify::{error_in_body, generation_id},
    frame::FrameKind,
};
use openrouter_wire::json::Text;
use openrouter_wire::{
    events::{EventProbe, Step},
    finish::End,
    usage::Usage,
};

/// The failure that it reports, or that the answer ended in.
pub(super) fn failure(piece: &EventProbe<'_>, headers: &HeaderMap) -> Option<Failed> {
    if !piece.is_failure() {
        return None;
    }
    let error = piece
        .upstream_error()
        .map_or_else(reading::without_words, |error| error_in_body(headers, &error));
    Some(failed(error, piece, headers))
}

fn failed(error: Error, piece: &EventProbe<'_>, headers: &HeaderMap) -> Failed {
    let id = piece.id.map(Text::to_str);
    let error = error.of_generation(generation_id(headers)).of_generation(id.as_deref());
    Failed {
        usage: piece.usage.map(|usage| ChatFrame::usage_alone(piece.api(), usage)),
        error: Box::new(error),
    }
}

/// The failure of an answer that ends without anything to show, because a filter or a full context withheld it.
///
/// `has_items` says whether an item of a response has come.
pub(super) fn withheld(
    piece: &EventProbe<'_>,
    has_items: impl FnOnce() -> bool,
    headers: &HeaderMap,
) -> Option<Failed> {
    let is_full = piece
        .raw_finish_reason()
        .is_some_and(|word| reading::is_full_context(&word));
    let error = if is_full {
        let message = "the answer is empty: the model's context is full";
        Error::new(FailureKind::ContextLengthExceeded, message)
    } else if is_overlong(piece) && !has_items() {
        let message = "the answer ended by length before its first token: the request does not fit the model's context";
        Error::new(FailureKind::ContextLengthExceeded, message)
    } else if piece.end() == End::Filter {
        let words = piece.refusal_explanation().unwrap_or_default();
        let message = reading::quoted("the answer is empty: a content filter withheld it", cut(&words));
        Error::new(FailureKind::ContentFiltered, message)
    } else {
        return None;
    };
    Some(failed(error, piece, headers))
}

/// Whether a response without an item stands for a request that is too long: OpenRouter turns that refusal into a response that ended by length
/// without a token of output. At a limit that was reached, even one that hidden reasoning took whole, tokens were spent, or an item has come: OpenAI
/// reports no token of an encrypted thought that the limit cut. The limit of a message may be 0.
fn is_overlong(piece: &EventProbe<'_>) -> bool {
    let is_unspent = |usage: Usage| usage.reported_output_tokens() == Some(0) && usage.reasoning_tokens() == 0;
    piece.api() == Api::Responses
        && piece.end() == End::Length
        && piece.usage.and_then(Usage::from_json).is_some_and(is_unspent)
}

/// How far along the answer the end of one is that shows nothing itself.
///
/// An end without anything before it begins an answer only if it is honest: a limit that was reached, a pause, tokens that were not shown. Those
/// of a response belong to an item, as hidden reasoning does: `has_items` says whether one has come.
pub(super) fn stage(piece: &EventProbe<'_>, began: bool, has_items: bool) -> Stage {
    let spent = || spent(piece) && (has_items || piece.api() != Api::Responses);
    let has_usage = piece.usage.is_some();
    match piece.end() {
        // The last event behind the reason to end.
        End::None if piece.step == Step::Ends => Stage::Trailer,
        End::None if has_usage => Stage::Trailer,
        End::None => Stage::Preamble,
        End::Length | End::Filter | End::Unknown => Stage::Finish,
        _ if began || spent() => Stage::Finish,
        _ if has_usage => Stage::Trailer,
        _ => Stage::Preamble,
    }
}

fn spent(piece: &EventProbe<'_>) -> bool {
    let usage: Option<Usage> = piece.usage.and_then(Usage::from_json);
    usage
        .and_then(|usage| usage.reported_output_tokens())
        .is_some_and(|tokens| tokens > 0)
}

/// Whether an answer that ends so is the requested one: a filtered one is not, nor one that failed or is still worked on.
pub(super) fn ends_well(piece: &EventProbe<'_>) -> bool {
    !piece.is_pending && !matches!(piece.end(), End::Filter | End::Error | End::Unknown)
}

/// A plain answer: a frame, or the failure it reports.
pub(super) fn answer(api: Api, bytes: Bytes, headers: &HeaderMap) -> Result<ChatFrame, Failed> {
    let piece = match EventProbe::read(api, &bytes) {
        Ok(piece) => piece,
        Err(cause) => {
            let read = reading::repaired_answer(api, &bytes).filter(|read| EventProbe::read(api, read).is_ok());
            return match read {
                Some(read) => answer(api, read, headers),
                None => Err(Failed::from(reading::malformed(&bytes, cause, headers))),
            };
        }
    };
    let shows = !piece.content.is_nothing();
    let withheld = || {
        (!shows)
            .then(|| withheld(&piece, || piece.has_items(), headers))
            .flatten()
    };
    if let Some(failed) = failure(&piece, headers).or_else(withheld) {
        return Err(failed);
    }
    let stage = if shows {
        Stage::Content
    } else if piece.is_pending {
        // A request in the background: this is all of it for now.
        Stage::Finish
    } else {
        stage(&piece, false, piece.has_items())
    };
    let (has_usage, tokens, ends_well) = (piece.usage.is_some(), piece.shown_tokens(), ends_well(&piece));
    Ok(ChatFrame::new(bytes, FrameKind::Answer, stage, has_usage)
        .of(api)
        .ending(ends_well)
        .showing(tokens))
}
