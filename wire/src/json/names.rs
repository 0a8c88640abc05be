//! The names of members that readers look for, for those that are written with escapes.

/// Every name that a `match` on [`Text::name`](super::Text::name) has in this crate, sorted: a test collects them from the sources.
const KNOWN: [&str; 124] = [
    "Error",
    "Message",
    "Response",
    "__type",
    "annotations",
    "arguments",
    "audio",
    "audio_tokens",
    "base_resp",
    "cache_control",
    "cache_creation_input_tokens",
    "cache_write_tokens",
    "cached_tokens",
    "call_id",
    "caller",
    "choices",
    "citation",
    "citations",
    "closed",
    "code",
    "completed",
    "completion_tokens",
    "completion_tokens_details",
    "content",
    "content_block",
    "cost",
    "cost_details",
    "created",
    "data",
    "delta",
    "detail",
    "embedding",
    "embeddings",
    "encrypted_content",
    "environment",
    "err",
    "errmsg",
    "error",
    "errorCode",
    "errorMessage",
    "error_code",
    "error_message",
    "error_msg",
    "errors",
    "exception",
    "execution",
    "failure",
    "fault",
    "file",
    "file_data",
    "file_id",
    "file_url",
    "finish_reason",
    "format",
    "function",
    "function_call",
    "id",
    "image",
    "image_tokens",
    "image_url",
    "images",
    "incomplete_details",
    "index",
    "inlineData",
    "inline_data",
    "input",
    "input_audio",
    "input_tokens",
    "is_byok",
    "item",
    "logprobs",
    "message",
    "messages",
    "model",
    "msg",
    "name",
    "namespace",
    "native_finish_reason",
    "object",
    "output",
    "output_index",
    "output_text",
    "output_tokens",
    "part",
    "partial_json",
    "phase",
    "prompt_cache_breakpoint",
    "prompt_tokens",
    "prompt_tokens_details",
    "provider",
    "reason",
    "reasoning",
    "reasoning_details",
    "reasoning_tokens",
    "refusal",
    "response",
    "result",
    "role",
    "sequence_number",
    "server_tool_use",
    "server_tool_use_details",
    "service_tier",
    "signature",
    "source",
    "status",
    "statusCode",
    "status_code",
    "stop_reason",
    "success",
    "summary",
    "system_fingerprint",
    "text",
    "think",
    "thinking",
    "thought",
    "title",
    "tool_calls",
    "total_tokens",
    "type",
    "upstream_inference_cost",
    "usage",
    "video_url",
    "web_search_requests",
    "x_groq",
];

/// A name that was written with an escape, as the constant; nothing if no reader looks for it.
pub(super) fn known(name: &str) -> &'static [u8] {
    let place = KNOWN.binary_search(&name);
    place
        .ok()
        .and_then(|place| KNOWN.get(place))
        .map_or(b"", |known| known.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// The sources below a folder, without their tests.
    fn sources(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                sources(&path, found);
            } else if name.ends_with(".rs") && !name.contains("test") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(text.split("#[cfg(test)]").next().unwrap_or_default().to_owned());
            }
        }
    }

    #[test]
    fn no_name_that_a_reader_looks_for_is_missing() {
        let mut texts = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
        let mut looked_for = BTreeSet::new();
        for text in texts.iter().filter(|text| text.contains(".name()")) {
            for literal in text.split("b\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                let is_name =
                    !literal.is_empty() && literal.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
                if is_name && !["true", "false", "null"].contains(&literal) {
                    looked_for.insert(literal.to_owned());
                }
            }
        }
        assert!(looked_for.len() > 80, "{}", looked_for.len());
        let missing: Vec<_> = looked_for
            .iter()
            .filter(|name| known(name) != name.as_bytes())
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(KNOWN.is_sorted());
    }
}
