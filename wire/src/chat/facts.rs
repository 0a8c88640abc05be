//! What a chat asks of a model.

use crate::{
    Modalities,
    document::Document,
    json::{Cursor, JsonError, is_text},
    request::{
        LINKED_MEDIA_TOKENS, RequestFacts,
        facts::{Content, asks_to_reason},
    },
};

/// The fields the facts are read from: a change to any other leaves them as they are.
pub const FIELDS: &[&str] = &[
    "messages",
    "prompt",
    "tools",
    "tool_choice",
    "response_format",
    "structured_outputs",
    "modalities",
    "reasoning",
    "reasoning_effort",
    "include_reasoning",
    "n",
    "plugins",
    "web_search_options",
    "max_tool_calls",
    "stop_server_tools_when",
    "cache_control",
    "prompt_cache_options",
    "provider",
    "service_tier",
    "preset",
];

/// One pass over the fields in question. Whatever is of an unknown shape is stepped over.
#[must_use]
pub fn read(document: &Document) -> RequestFacts {
    let mut content = Content::default();
    content.field(document, "messages", messages);
    content.text(document, "prompt");
    let format = document.get("response_format");
    let mut facts = RequestFacts::of(document, &content, format);
    facts.forced_tool_choice = document
        .get("tool_choice")
        .is_some_and(|choice| is_text(choice, "required") || choice.first() == Some(&b'{'));
    facts.read_format(format);
    facts.reasoning = asks_to_reason(document);
    facts
}

/// The messages of a chat.
fn messages(content: &mut Content, messages: &[u8]) -> Result<(), JsonError> {
    Cursor::new(messages).array_or_skip(|message| {
        content.prefill = false;
        message.object_or_skip(|key, value| match key.name() {
            b"role" => content.role(value),
            // An assistant's pictures are parts as well.
            b"content" | b"images" => value.array_or_skip(|part| part_of(content, part)),
            // What an assistant said, by its name.
            b"audio" => {
                let spoken = value.raw()?.first() == Some(&b'{');
                content.media_tokens =
                    content
                        .media_tokens
                        .saturating_add(if spoken { LINKED_MEDIA_TOKENS } else { 0 });
                Ok(())
            }
            b"cache_control" => content.cache(value),
            _ => value.skip(),
        })
    })
}

/// A part is known by its member, not by its `type`: that one may come last.
fn part_of(content: &mut Content, part: &mut Cursor<'_>) -> Result<(), JsonError> {
    part.object_or_skip(|key, value| {
        let kind = match key.name() {
            b"image_url" => Modalities::IMAGE,
            b"input_audio" => Modalities::AUDIO,
            b"file" => Modalities::FILE,
            b"video_url" => Modalities::VIDEO,
            b"cache_control" | b"prompt_cache_breakpoint" => return content.cache(value),
            _ => return value.skip(),
        };
        let raw = value.raw()?;
        content.medium(kind, raw.len(), kind == Modalities::AUDIO || has_data(raw));
        Ok(())
    })
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
