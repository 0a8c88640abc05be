//! The byte form of a frame, for a cache whose store is outside of this process.

use bytes::Bytes;
use tower_llm_layers::{Stage, StorableFrame};

use super::{ChatFrame, Flags, Form};
use crate::Api;

const STAGES: [Stage; 5] = [
    Stage::KeepAlive,
    Stage::Preamble,
    Stage::Content,
    Stage::Finish,
    Stage::Trailer,
];

const FORMS: [Form; 4] = [Form::KeepAlive, Form::Chunk, Form::Answer, Form::AddedUsage];

/// Its API, its form, its stage and its flags, a byte each; the tokens that it shows; the length of the usage before it, and that; then the
/// bytes that came.
impl StorableFrame for ChatFrame {
    fn write_bytes(&self, out: &mut Vec<u8>) {
        let place = |place: Option<usize>| place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX);
        out.push(place(Api::ALL.iter().position(|api| *api == self.api)));
        out.push(place(FORMS.iter().position(|form| *form == self.form)));
        out.push(place(STAGES.iter().position(|stage| *stage == self.stage)));
        out.push(self.flags.0);
        out.extend(self.tokens.to_be_bytes());
        let base = self.base.as_deref().map(|base| &**base).unwrap_or_default();
        out.extend(u32::try_from(base.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(base);
        out.extend_from_slice(&self.bytes);
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([api, form, stage, flags], bytes) = bytes.split_first_chunk()?;
        let (tokens, bytes) = bytes.split_first_chunk()?;
        let (length, bytes) = bytes.split_first_chunk()?;
        let (base, bytes) = bytes.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        Some(Self {
            bytes: Bytes::copy_from_slice(bytes),
            api: *Api::ALL.get(usize::from(*api))?,
            form: *FORMS.get(usize::from(*form))?,
            stage: *STAGES.get(usize::from(*stage))?,
            flags: Flags(*flags),
            tokens: u32::from_be_bytes(*tokens),
            known: None,
            base: (!base.is_empty()).then(|| Box::new(Bytes::copy_from_slice(base))),
        })
    }
}

#[cfg(test)]
mod tests {
    use tower_llm_layers::Frame;

    use super::*;
    use crate::frame::FrameKind;

    #[test]
    fn a_frame_is_the_same_after_it_was_stored() {
        let json = br#"{"id":"g","model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#;
        let usage = Bytes::from_static(br#"{"prompt_tokens":1}"#);
        let frame = ChatFrame::new(Bytes::from_static(json), FrameKind::Chunk, Stage::Content, true)
            .of(Api::Messages)
            .ending(true)
            .showing(300)
            .based_on(Some(usage));
        let mut bytes = Vec::new();
        frame.write_bytes(&mut bytes);
        let read = ChatFrame::from_bytes(&bytes).unwrap();
        assert_eq!(
            (&read.bytes, read.api, read.form, read.stage),
            (&frame.bytes, frame.api, frame.form, frame.stage)
        );
        assert_eq!(
            (read.flags.0, read.tokens, &read.base),
            (frame.flags.0, 300, &frame.base)
        );
        assert_eq!(
            (read.finishes_answer(), read.text()),
            (frame.finishes_answer(), frame.text())
        );
        // Only the text of what came may be cut without notice: its length is the response's to say.
        let head = bytes.len() - json.len();
        assert!((0..head).all(|length| ChatFrame::from_bytes(&bytes[..length]).is_none()));
    }

    #[test]
    fn usage_that_only_the_stack_requested_is_still_that() {
        let json = br#"{"id":"g","choices":[],"usage":{"prompt_tokens":1}}"#;
        let mut frame = ChatFrame::new(Bytes::from_static(json), FrameKind::Chunk, Stage::Trailer, true);
        for is_added in [false, true] {
            let mut bytes = Vec::new();
            frame.write_bytes(&mut bytes);
            let read = ChatFrame::from_bytes(&bytes).unwrap();
            assert_eq!((read.is_added_usage(), read.kind()), (is_added, FrameKind::Chunk));
            frame.mark_added_usage();
        }
    }
}
