//! Frames of Responses and of Messages.

use std::ops::Range;

use bytes::Bytes;
use tower_llm_layers::Shown;

use super::ChatFrame;
use crate::{
    Api, Error, FailureKind, FrameKind,
    request::{JsonError, scan::Cursor},
};

impl ChatFrame {
    pub(super) fn shown_typed(&self) -> Shown<'_> {
        let Some(piece) = self.piece() else {
            return Shown::Other;
        };
        let said = piece.said;
        if said.is_nothing() {
            Shown::Nothing
        } else if said.other > 0 || self.kind() == FrameKind::Answer {
            Shown::Other
        } else if said.text > 0 {
            piece.text().map_or(Shown::Other, Shown::Text)
        } else {
            Shown::Reasoning
        }
    }

    pub(super) fn must_be_of_chat(&self) -> Result<(), Error> {
        if !self.is_typed() {
            return Ok(());
        }
        let message = format!("this frame is of the {} API: read its bytes", self.api());
        Err(Error::new(FailureKind::Malformed, message))
    }
}

const NO_RESPONSE: &str = r#"{"input_tokens":0,"input_tokens_details":{"cached_tokens":0},"output_tokens":0,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":0,"cost":0}"#;
const NO_MESSAGE: &str =
    r#"{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0,"cost":0}"#;

/// The same JSON with usage of nothing; `None` if it has none.
pub(super) fn unpaid(api: Api, bytes: &Bytes) -> Option<Bytes> {
    let nothing = if api == Api::Messages { NO_MESSAGE } else { NO_RESPONSE };
    let places = places_of_usage(bytes).ok()?;
    let mut json = Vec::with_capacity(bytes.len() + nothing.len());
    let mut from = 0;
    for place in &places {
        json.extend_from_slice(bytes.get(from..place.start)?);
        json.extend_from_slice(nothing.as_bytes());
        from = place.end;
    }
    json.extend_from_slice(bytes.get(from..)?);
    (!places.is_empty()).then(|| json.into())
}

/// Where usage stands: at the top, in the response or in the message.
fn places_of_usage(bytes: &[u8]) -> Result<Vec<Range<usize>>, JsonError> {
    let mut places = Vec::new();
    Cursor::lenient(bytes).object(|key, value| match key.name() {
        b"usage" => place(value, &mut places),
        b"response" | b"message" => value.object_or_skip(|key, value| {
            if key.is("usage") {
                return place(value, &mut places);
            }
            value.skip()
        }),
        _ => value.skip(),
    })?;
    Ok(places)
}

fn place(value: &mut Cursor<'_>, places: &mut Vec<Range<usize>>) -> Result<(), JsonError> {
    let from = value.separator();
    let is_usage = value.raw()?.first() == Some(&b'{');
    if is_usage {
        places.push(from..value.at());
    }
    Ok(())
}
