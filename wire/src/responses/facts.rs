//! What a request for a response asks of a model.

use crate::request::{
    RequestFacts,
    facts::{self, Content},
};
use crate::{
    Modalities,
    document::Document,
    json::{Cursor, JsonError, is_text, member, raw_member},
};

/// The fields that the facts are read from.
pub const FIELDS: &[&str] = &[
    "instructions",
    "input",
    "tools",
    "tool_choice",
    "text",
    "modalities",
    "reasoning",
    "plugins",
    "max_tool_calls",
    "stop_server_tools_when",
    "cache_control",
    "prompt_cache_options",
    "provider",
    "service_tier",
    "prompt",
];

/// One pass over the fields in question. Whatever is of an unknown shape is stepped over.
#[must_use]
pub fn read(document: &Document) -> RequestFacts {
    let mut content = Content::default();
    content.field(document, "input", input);
    content.text(document, "instructions");
    content.text(document, "prompt");
    let format = document.get("text").and_then(|text| raw_member(text, "format"));
    let mut facts = RequestFacts::of(document, &content, format);
    facts.read_format(format);
    facts.forced_tool_choice = document.get("tool_choice").is_some_and(forces_a_tool);
    facts.reasoning = facts::asks_to_reason(document);
    facts
}

/// Whether a choice of tools leaves the model no other way than to call one.
fn forces_a_tool(choice: &[u8]) -> bool {
    if choice.first() != Some(&b'{') {
        return is_text(choice, "required");
    }
    // A list of allowed tools has a mode of its own.
    member(choice, "mode").is_none_or(|mode| mode.is("required"))
}

/// Text, or items: messages, calls of tools, their results.
fn input(content: &mut Content, input: &[u8]) -> Result<(), JsonError> {
    Cursor::new(input).array_or_skip(|item| {
        content.prefill = false;
        let (mut is_image, mut result) = (false, None);
        item.object_or_skip(|key, value| match key.name() {
            b"role" => content.role(value),
            // A result of a tool may have pictures as well: a list of parts, or one part, such as a picture of a screen.
            b"content" | b"output" => value.each_or_self(|value| part(content, value)),
            b"type" => {
                is_image = value
                    .string_or_skip()?
                    .is_some_and(|kind| kind.is("image_generation_call"));
                Ok(())
            }
            b"result" => {
                result = Some(value.raw()?);
                Ok(())
            }
            _ => value.skip(),
        })?;
        if let Some(result) = result.filter(|result| is_image && facts::is_there(result)) {
            content.medium(Modalities::IMAGE, result.len(), true);
        }
        Ok(())
    })
}

fn part(content: &mut Content, part: &mut Cursor<'_>) -> Result<(), JsonError> {
    let (mut kind, mut bytes, mut is_inline) = (None, 0, false);
    let mut is_named = false;
    part.object_or_skip(|key, value| {
        let found = match key.name() {
            b"image_url" => Modalities::IMAGE,
            b"file_data" | b"file_url" => Modalities::FILE,
            b"input_audio" => Modalities::AUDIO,
            b"video_url" => Modalities::VIDEO,
            b"file_id" => {
                let raw = value.raw()?;
                if facts::is_there(raw) {
                    bytes += raw.len();
                    kind = kind.or(Some(Modalities::FILE));
                }
                return Ok(());
            }
            // A file may be a picture: the type decides.
            b"type" => {
                is_named = value
                    .string_or_skip()?
                    .is_some_and(|name| name.is("input_image") || name.is("computer_screenshot"));
                return Ok(());
            }
            b"prompt_cache_breakpoint" | b"cache_control" => return content.cache(value),
            _ => return value.skip(),
        };
        let raw = value.raw()?;
        if facts::is_there(raw) {
            bytes += raw.len();
            kind = Some(found);
            is_inline |= matches!(key.name(), b"file_data" | b"input_audio") || raw.starts_with(b"\"data:");
        }
        Ok(())
    })?;
    if let Some(kind) = kind {
        content.medium(if is_named { Modalities::IMAGE } else { kind }, bytes, is_inline);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::facts::unbounded_tool;

    fn facts(body: &str) -> RequestFacts {
        read(&Document::parse(body.to_owned().into()).unwrap())
    }

    #[test]
    fn text_media_tools_and_formats_are_found() {
        let plain = facts(r#"{"input":"why is the sky blue?"}"#);
        assert_eq!(
            (plain.prompt_tokens, plain.most_prompt_tokens, plain.choices),
            (6, 22, 1)
        );
        assert!(plain.input == Modalities::TEXT && !plain.tools && !plain.reasoning && !plain.prefill);

        let image = "A".repeat(100_000);
        let full = facts(&format!(
            r#"{{"instructions":"Be brief.","input":[
                {{"role":"user","content":[{{"type":"input_text","text":"What?"}},
                    {{"detail":"auto","image_url":"data:image/png;base64,{image}","type":"input_image"}},
                    {{"type":"input_file","file_id":"file-1"}}]}},
                {{"type":"function_call_output","call_id":"c","output":[{{"type":"input_image","detail":"low","file_id":"f"}}]}},
                {{"type":"message","role":"assistant","content":[{{"type":"output_text","text":"It"}}]}}],
            "tools":[{{"type":"function","name":"f","parameters":{{}}}}],"tool_choice":"required",
            "text":{{"format":{{"type":"json_schema","name":"n","schema":{{}}}}}},"reasoning":{{"effort":"high"}}}}"#
        ));
        assert_eq!(full.images, 2);
        assert!(full.input.contains(Modalities::IMAGE) && full.input.contains(Modalities::FILE));
        assert!(full.prompt_tokens < 500, "{}", full.prompt_tokens);
        assert!(full.most_prompt_tokens > 2 * crate::request::IMAGE_TOKENS);
        assert!(full.tools && full.forced_tool_choice && full.structured_outputs && full.reasoning && full.prefill);
        // A document is parsed by an engine that is paid by the page.
        assert!(full.unbounded_tools);

        let allowed = r#"{"input":"x","tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]}}"#;
        assert!(!facts(allowed).forced_tool_choice);
        assert!(facts(r#"{"input":"x","text":{"format":{"type":"json_object"}}}"#).json_mode);
    }

    #[test]
    fn media_that_stand_alone_are_media() {
        let image = "A".repeat(1_000_000);
        for item in [
            format!(
                r#"{{"type":"computer_call_output","call_id":"c","output":{{"type":"computer_screenshot","image_url":"data:image/png;base64,{image}"}}}}"#
            ),
            format!(r#"{{"type":"image_generation_call","id":"ig","status":"completed","result":"{image}"}}"#),
            format!(r#"{{"result":"{image}","type":"image_generation_call"}}"#),
            format!(
                r#"{{"role":"user","content":{{"type":"input_image","image_url":"data:image/png;base64,{image}"}}}}"#
            ),
        ] {
            let facts = facts(&format!(r#"{{"input":[{{"role":"user","content":"x"}},{item}]}}"#));
            assert!(
                facts.prompt_tokens < 100,
                "{} {}",
                facts.prompt_tokens,
                item.get(..60).unwrap_or_default()
            );
            assert_eq!(facts.images, 1, "{}", item.get(..60).unwrap_or_default());
            assert!(
                facts.input.contains(Modalities::IMAGE),
                "{}",
                item.get(..60).unwrap_or_default()
            );
        }
        let named =
            r#"{"input":[{"type":"computer_call_output","output":{"type":"computer_screenshot","file_id":"f"}}]}"#;
        assert!(facts(named).input == Modalities::TEXT | Modalities::IMAGE);
        // The result of anything else is text.
        let text = facts(&format!(r#"{{"input":[{{"type":"new_call","result":"{image}"}}]}}"#));
        assert!(text.prompt_tokens > 200_000 && text.images == 0);
    }

    #[test]
    fn tools_that_the_caller_runs_cost_tokens_alone() {
        let named = |tool: &str| {
            let body = format!(r#"{{"input":"x","tools":[{tool}]}}"#);
            let document = Document::parse(body.into()).unwrap();
            assert_eq!(
                read(&document).unbounded_tools,
                unbounded_tool(&document, Modalities::TEXT).is_some()
            );
            unbounded_tool(&document, Modalities::TEXT)
        };
        for tool in [
            r#"{"type":"local_shell"}"#,
            r#"{"type":"shell","environment":{"type":"local"}}"#,
            r#"{"type":"computer_use_preview","display_width":9,"display_height":9,"environment":"linux"}"#,
            r#"{"type":"computer"}"#,
            r#"{"type":"tool_search"}"#,
            r#"{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"}"#,
            r#"{"type":"namespace","name":"crm","tools":[{"type":"function","name":"f"},{"type":"custom","name":"g"}]}"#,
            r#"{"type":"namespace","name":"crm","tools":[]}"#,
        ] {
            assert_eq!(named(tool), None, "{tool}");
        }
        for tool in [
            r#"{"type":"shell","environment":{"type":"container_auto"}}"#,
            r#"{"type":"shell"}"#,
            r#"{"type":"namespace","name":"n","tools":[{"type":"function","name":"f"},{"type":"image_generation"}]}"#,
            r#"{"type":"namespace","name":"n","tools":[{"type":"namespace","tools":[{"type":"mcp"}]}]}"#,
            r#"{"type":"namespace","name":"n"}"#,
        ] {
            assert!(named(tool).is_some(), "{tool}");
        }
        let searches = r#"{"input":"x","max_tool_calls":4,"tools":[{"type":"namespace","name":"n","tools":[{"type":"web_search"}]}]}"#;
        assert_eq!(facts(searches).searches, 4);
    }

    #[test]
    fn tools_of_the_upstream_make_a_loop_and_unknown_ones_have_no_bound() {
        let named = |body: &'static str| unbounded_tool(&Document::parse(body.into()).unwrap(), Modalities::TEXT);
        let search = r#"{"input":"x","tools":[{"type":"web_search_preview"}],"max_tool_calls":4}"#;
        assert_eq!(facts(search).tool_loop.map(|tools| tools.steps), Some(4));
        assert_eq!(facts(search).searches, 4);
        assert_eq!(named(search), None);
        let picture = r#"{"input":"x","tools":[{"type":"image_generation"}]}"#;
        assert!(facts(picture).unbounded_tools);
        assert_eq!(named(picture).as_deref(), Some("image_generation"));
    }
}
