//! What the content of a request brings, in one pass over it.

use super::{IMAGE_TOKENS, INLINE_MEDIA_TOKENS, LINKED_MEDIA_TOKENS, is_there};
use crate::{
    Modalities,
    document::Document,
    json::{Cursor, JsonError, is_text, raw_member},
};

/// What was found so far.
#[derive(Default)]
pub(crate) struct Content {
    pub(super) input: Modalities,
    /// Bytes of all that was read, media left out.
    pub(super) text_bytes: usize,
    media_bytes: usize,
    pub(crate) media_tokens: u64,
    pub(super) images: u64,
    /// The last message is the model's own.
    pub(crate) prefill: bool,
    /// Something is to be cached for longer than five minutes.
    pub(super) long_cache: bool,
}

impl Content {
    /// Reads a field with media in it. What is not valid, because it was set by hand, is left unread.
    pub(crate) fn field(
        &mut self,
        document: &Document,
        field: &str,
        read: impl FnOnce(&mut Self, &[u8]) -> Result<(), JsonError>,
    ) {
        let Some(raw) = document.get(field) else { return };
        let mut seen = Self::default();
        if read(&mut seen, raw).is_err() {
            seen = Self::default();
        }
        self.text_bytes += raw.len().saturating_sub(seen.media_bytes);
        self.media_tokens = self.media_tokens.saturating_add(seen.media_tokens);
        self.images += seen.images;
        self.input.insert(seen.input);
        self.prefill = seen.prefill;
        self.long_cache |= seen.long_cache;
    }

    /// Reads a field of text.
    pub(crate) fn text(&mut self, document: &Document, field: &str) {
        self.text_bytes += document.get(field).map_or(0, <[u8]>::len);
    }

    /// Whose message it is: the last one decides whether the model's own is begun.
    pub(crate) fn role(&mut self, role: &mut Cursor<'_>) -> Result<(), JsonError> {
        self.prefill = role.string_or_skip()?.is_some_and(|role| role.is("assistant"));
        Ok(())
    }

    /// Something that is no text, with its bytes, and whether it brings its content along.
    pub(crate) fn medium(&mut self, kind: Modalities, bytes: usize, is_inline: bool) {
        self.input.insert(kind);
        self.media_bytes += bytes;
        self.images += u64::from(kind == Modalities::IMAGE);
        let tokens = if kind == Modalities::IMAGE {
            IMAGE_TOKENS
        } else {
            let at_least = if is_inline {
                INLINE_MEDIA_TOKENS
            } else {
                LINKED_MEDIA_TOKENS
            };
            u64::try_from(bytes / 4).unwrap_or(u64::MAX).max(at_least)
        };
        self.media_tokens = self.media_tokens.saturating_add(tokens);
    }

    /// A mark of what is to be cached.
    pub(crate) fn cache(&mut self, control: &mut Cursor<'_>) -> Result<(), JsonError> {
        self.long_cache |= is_long(control.raw()?);
        Ok(())
    }
}

/// Whether a mark of what is to be cached says for longer than five minutes, which costs more. A time that cannot be read counts as longer.
pub(super) fn is_long(control: &[u8]) -> bool {
    let ttl = raw_member(control, "ttl").filter(|ttl| is_there(ttl));
    ttl.is_some_and(|ttl| !is_text(ttl, "5m"))
}
