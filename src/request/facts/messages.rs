//! What the messages bring, in one pass over them.

use super::super::modality::Modalities;
use super::super::scan::{Cursor, JsonError};
use super::{IMAGE_TOKENS, INLINE_MEDIA_TOKENS, LINKED_MEDIA_TOKENS, member};

#[derive(Default)]
pub(super) struct Messages {
    pub(super) input: Modalities,
    pub(super) media_bytes: usize,
    pub(super) media_tokens: u64,
    pub(super) images: u64,
    pub(super) prefill: bool,
    /// Something is to be cached for an hour.
    pub(super) long_cache: bool,
}

impl Messages {
    pub(super) fn read(&mut self, messages: &[u8]) -> Result<(), JsonError> {
        Cursor::new(messages).array_or_skip(|message| {
            self.prefill = false;
            message.object_or_skip(|key, value| match key.name() {
                b"role" => {
                    self.prefill = value.string_or_skip()?.is_some_and(|role| role.is("assistant"));
                    Ok(())
                }
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
            self.input.insert(kind);
            let raw = value.raw()?;
            self.media_bytes += raw.len();
            if kind == Modalities::IMAGE {
                self.images += 1;
            }
            self.media_tokens = self.media_tokens.saturating_add(most_tokens(kind, raw));
            Ok(())
        })
    }

    fn cache(&mut self, control: &mut Cursor<'_>) -> Result<(), JsonError> {
        self.long_cache |= is_for_an_hour(control.raw()?);
        Ok(())
    }
}

/// Whether a `cache_control` asks for an hour.
pub(super) fn is_for_an_hour(control: &[u8]) -> bool {
    member(control, "ttl").is_some_and(|ttl| ttl.is("1h"))
}

fn most_tokens(kind: Modalities, part: &[u8]) -> u64 {
    if kind == Modalities::IMAGE {
        return IMAGE_TOKENS;
    }
    let linked = !(kind == Modalities::AUDIO || has_data(part));
    let at_least = if linked {
        LINKED_MEDIA_TOKENS
    } else {
        INLINE_MEDIA_TOKENS
    };
    u64::try_from(part.len() / 4).unwrap_or(u64::MAX).max(at_least)
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
