//! What a request for a message asks of a model.

use std::time::Duration;

use crate::request::{
    RequestFacts,
    facts::{self, Content, MEDIUM},
};
use crate::{
    Modalities,
    document::Document,
    json::{Cursor, JsonError, Text, member, raw_member, text},
};

/// The fields that the facts are read from.
pub const FIELDS: &[&str] = &[
    "system",
    "messages",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "plugins",
    "stop_server_tools_when",
    "cache_control",
    "prompt_cache_options",
    "provider",
    "service_tier",
    "speed",
];

/// How deep blocks may stand in each other: a document in the result of a tool has blocks of its own.
const DEEPEST: u32 = 4;

/// One pass over the fields in question. Whatever is of an unknown shape is stepped over.
#[must_use]
pub fn read(document: &Document) -> RequestFacts {
    let mut content = Content::default();
    content.field(document, "system", |content, system| {
        blocks(content, &mut Cursor::new(system), 0)
    });
    content.field(document, "messages", messages);
    let format = option(document, "format");
    let mut facts = RequestFacts::of(document, &content, format);
    facts.read_format(format);
    let forced = document.get("tool_choice").and_then(|choice| member(choice, "type"));
    facts.forced_tool_choice = forced.is_some_and(|kind| kind.is("any") || kind.is("tool"));
    let thinks = document.get("thinking").and_then(|thinking| member(thinking, "type"));
    facts.reasoning = thinks.is_some_and(|kind| !kind.is("disabled"));
    facts
}

fn option<'a>(document: &'a Document, name: &str) -> Option<&'a [u8]> {
    raw_member(document.get("output_config")?, name)
}

/// How long the model may think in silence, by the budget or the effort.
#[must_use]
pub fn reasoning_time(document: &Document) -> Option<Duration> {
    let thinking = document.get("thinking")?;
    let kind = member(thinking, "type").filter(|kind| !kind.is("disabled"))?;
    let by_effort = || facts::time_of_effort(option(document, "effort").and_then(text)?);
    let by_budget = || facts::time_of_budget(thinking, "budget_tokens");
    let time = if kind.is("enabled") {
        by_budget().or_else(by_effort)
    } else {
        by_effort()
    };
    time.or(Some(MEDIUM))
}

/// How much reasoning is requested, in the request's own word.
#[must_use]
pub fn reasoning_level(document: &Document) -> Option<Text<'_>> {
    option(document, "effort").and_then(text)
}

fn messages(content: &mut Content, messages: &[u8]) -> Result<(), JsonError> {
    Cursor::new(messages).array_or_skip(|message| {
        content.prefill = false;
        message.object_or_skip(|key, value| match key.name() {
            b"role" => content.role(value),
            b"content" => blocks(content, value, 0),
            b"cache_control" => content.cache(value),
            _ => value.skip(),
        })
    })
}

/// A list of blocks, or one block: the result of a fetch is one.
fn blocks(content: &mut Content, list: &mut Cursor<'_>, depth: u32) -> Result<(), JsonError> {
    list.each_or_self(|value| block(content, value, depth))
}

/// A block; a picture and a document have a source, the result of a tool has blocks.
fn block(content: &mut Content, block: &mut Cursor<'_>, depth: u32) -> Result<(), JsonError> {
    let (mut source, mut is_image) = (None, false);
    block.object_or_skip(|key, value| match key.name() {
        b"type" => {
            is_image = value.string_or_skip()?.is_some_and(|kind| kind.is("image"));
            Ok(())
        }
        b"source" => {
            source = Some(value.raw()?);
            Ok(())
        }
        b"content" if depth < DEEPEST => blocks(content, value, depth + 1),
        b"cache_control" => content.cache(value),
        _ => value.skip(),
    })?;
    let Some(source) = source.filter(|source| source.first() == Some(&b'{')) else {
        return Ok(());
    };
    let is = |wanted: &str| member(source, "type").is_some_and(|kind| kind.is(wanted));
    if is("content") && depth < DEEPEST {
        return blocks(
            content,
            &mut Cursor::new(raw_member(source, "content").unwrap_or(b"[]")),
            depth + 1,
        );
    }
    // A document of text is text.
    if is_image || !is("text") {
        let kind = if is_image { Modalities::IMAGE } else { Modalities::FILE };
        content.medium(kind, source.len(), is("base64"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::facts::unbounded_tool;

    fn request(fields: &str) -> Document {
        let body = format!(r#"{{"model":"a/b","max_tokens":9,{fields}}}"#);
        Document::parse(body.into()).unwrap()
    }

    #[test]
    fn text_media_tools_and_thinking_are_found() {
        let plain = request(r#""messages":[{"role":"user","content":"why is the sky blue?"}]"#);
        let facts = read(&plain);
        assert_eq!(facts.prompt_tokens, 13);
        assert!(!facts.tools && !facts.reasoning && !facts.prefill);
        assert_eq!(reasoning_time(&plain), None);

        let image = "A".repeat(100_000);
        let full = request(&format!(
            r#""system":[{{"type":"text","text":"Be brief.","cache_control":{{"type":"ephemeral","ttl":"1h"}}}}],
            "messages":[
                {{"role":"user","content":[{{"type":"text","text":"What?"}},
                    {{"source":{{"type":"base64","media_type":"image/png","data":"{image}"}},"type":"image"}},
                    {{"type":"tool_result","tool_use_id":"t","content":[{{"type":"image","source":{{"type":"url","url":"u"}}}}]}}]}},
                {{"role":"assistant","content":"It"}}],
            "tools":[{{"name":"f","input_schema":{{"type":"object"}}}},{{"type":"bash_20250124","name":"bash"}}],
            "tool_choice":{{"type":"any"}},"thinking":{{"type":"enabled","budget_tokens":4000}},
            "output_config":{{"format":{{"type":"json_schema","schema":{{}}}}}}"#
        ));
        let facts = read(&full);
        assert_eq!((facts.images, facts.input.contains(Modalities::IMAGE)), (2, true));
        assert!(facts.prompt_tokens < 500, "{}", facts.prompt_tokens);
        assert!(facts.tools && facts.forced_tool_choice && facts.structured_outputs && facts.reasoning);
        assert!(facts.prefill && facts.long_cache && !facts.unbounded_tools && facts.tool_loop.is_none());
        assert_eq!(reasoning_time(&full), Some(Duration::from_secs(80)));
    }

    #[test]
    fn a_document_in_a_fetched_page_is_a_document() {
        let data = "A".repeat(1_000_000);
        let fetched = request(&format!(
            r#""messages":[{{"role":"assistant","content":[{{"type":"web_fetch_tool_result","tool_use_id":"t","content":{{"type":"web_fetch_result",
                "url":"u","content":{{"type":"document","source":{{"type":"base64","media_type":"application/pdf","data":"{data}"}}}}}}}}]}},
                {{"role":"user","content":"x"}}]"#
        ));
        let facts = read(&fetched);
        assert!(facts.prompt_tokens < 100, "{}", facts.prompt_tokens);
        assert!(facts.input.contains(Modalities::FILE));
        // Its text is text.
        let text = request(&format!(
            r#""messages":[{{"role":"assistant","content":[{{"type":"web_fetch_tool_result","content":{{"type":"web_fetch_result",
                "content":{{"type":"document","source":{{"type":"text","data":"{data}"}}}}}}}}]}}]"#
        ));
        assert!(read(&text).prompt_tokens > 200_000);
    }

    #[test]
    fn searches_are_counted_and_a_tool_of_unknown_cost_is_named() {
        let messages = r#""messages":[{"role":"user","content":"x"}]"#;
        let search = request(&format!(
            r#"{messages},"tools":[{{"type":"web_search_20250305","name":"web_search","max_uses":3}}]"#
        ));
        assert_eq!(read(&search).searches, 3);
        let code = request(&format!(
            r#"{messages},"tools":[{{"type":"code_execution_20250825","name":"code"}}]"#
        ));
        assert_eq!(
            unbounded_tool(&code, Modalities::TEXT).as_deref(),
            Some("code_execution_20250825")
        );
        let adaptive = request(&format!(
            r#"{messages},"thinking":{{"type":"adaptive"}},"output_config":{{"effort":"high"}}"#
        ));
        assert_eq!(reasoning_time(&adaptive), Some(Duration::from_secs(100)));
    }
}
