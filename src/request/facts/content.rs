//! What the content of a request brings, in one pass over it.

use super::{IMAGE_TOKENS, INLINE_MEDIA_TOKENS, LINKED_MEDIA_TOKENS};
use openrouter_wire::{
    Modalities,
    document::Document,
    json::{Cursor, JsonError, member},
};

/// What was found so far.
#[derive(Default)]
pub(crate) struct Content {
    pub(super) input: Modalities,
    /// Bytes of all that was read, media left out.
    pub(super) text_bytes: usize,
    media_bytes: usize,
    pub(super) media_tokens: u64,
    pub(super) images: u64,
    /// The last message is the model's own.
    pub(crate) prefill: bool,
    /// Something is to be cached for an hour.
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

    /// The messages of a chat.
    pub(super) fn messages(&mut self, messages: &[u8]) -> Result<(), JsonError> {
        Cursor::new(messages).array_or_skip(|message| {
            self.prefill = false;
            message.object_or_skip(|key, value| match key.name() {
                b"role" => self.role(value),
                // An assistant's pictures are parts as well.
                b"content" | b"images" => value.array_or_skip(|part| self.part(part)),
                // What an assistant said, by its name.
                b"audio" => {
                    let spoken = value.raw()?.first() == Some(&b'{');
                    self.media_tokens = self
                        .media_tokens
                        .saturating_add(if spoken { LINKED_MEDIA_TOKENS } else { 0 });
                    Ok(())
                }
                b"cache_control" => self.cache(value),
                _ => value.skip(),
            })
        })
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

    /// A part is known by its member, not by its `type`: that one may come last.
    fn part(&mut self, part: &mut Cursor<'_>) -> Result<(), JsonError> {
        part.object_or_skip(|key, value| {
            let kind = match key.name() {
                b"image_url" => Modalities::IMAGE,
                b"input_audio" => Modalities::AUDIO,
                b"file" => Modalities::FILE,
                b"video_url" => Modalities::VIDEO,
                b"cache_control" => return self.cache(value),
                _ => return value.skip(),
            };
            let raw = value.raw()?;
            self.medium(kind, raw.len(), kind == Modalities::AUDIO || has_data(raw));
            Ok(())
        })
    }

    pub(crate) fn cache(&mut self, control: &mut Cursor<'_>) -> Result<(), JsonError> {
        self.long_cache |= is_for_an_hour(control.raw()?);
        Ok(())
    }
}

/// Whether a `cache_control` asks for an hour.
pub(super) fn is_for_an_hour(control: &[u8]) -> bool {
    member(control, "ttl").is_some_and(|ttl| ttl.is("1h"))
}

/// Whether a part brings its content along, as a data URL.
fn has_data(part: &[u8]) -> bool {
    let mut found = false;
    let walked = Cursor::new(part).object_or_skip(|_, value| {
        let text = value.string_or_skip()?;
        found |= text
            .and_then(|text| text.plain())
            .is_some_and(|text| text.starts_with(b"data:"));
        Ok(())
    });
    walked.is_ok() && found
}
