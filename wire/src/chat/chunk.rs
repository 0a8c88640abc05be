//! A plain answer as a chunk of a stream: some providers ignore `stream`, and some stream whole messages.

use crate::chat::is_reasoning;
use crate::json::{Cursor, Found, JsonError, json_string};

/// The same answer as one chunk of a stream, on one line. Only the names that differ are written again: every value goes out as it came.
#[must_use]
pub fn as_chunk(answer: &[u8]) -> Vec<u8> {
    one_line(rewritten(answer, &UnshownPart::All).unwrap_or_else(|_| answer.to_vec()))
}

/// The same of a message that was shown in part; `None` if it is no JSON object.
#[must_use]
pub fn unshown_chunk(answer: &[u8], news: &UnshownPart<'_>) -> Option<Vec<u8>> {
    rewritten(answer, news).map(one_line).ok()
}

/// What of a message was not shown yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnshownPart<'a> {
    /// All of it.
    All,
    /// Nothing but what stands beside the message.
    None,
    /// A part of it.
    Some {
        /// What of its text.
        text: &'a str,
        /// Whether its reasoning.
        reasoning: bool,
        /// Whether its calls of tools.
        tool_calls: bool,
    },
}

impl UnshownPart<'_> {
    /// Whether a member of the message is to be shown.
    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => name == "role",
            Self::Some {
                reasoning, tool_calls, ..
            } => match name {
                "tool_calls" | "function_call" => *tool_calls,
                name if is_reasoning(name.as_bytes()) => *reasoning,
                _ => true,
            },
        }
    }
}

fn one_line(mut chunk: Vec<u8>) -> Vec<u8> {
    // JSON has no raw line breaks outside white space, where a space does as well.
    for byte in &mut chunk {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    chunk
}

fn rewritten(answer: &[u8], news: &UnshownPart<'_>) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::with_capacity(answer.len() + 64);
    out.extend_from_slice(b"{\"object\":\"chat.completion.chunk\"");
    Cursor::lenient(answer).object(|key, value| match &*key.to_str() {
        "object" => value.skip(),
        "choices" => {
            out.extend_from_slice(b",\"choices\":");
            list(value, &mut out, |choice, out, _| write_choice(choice, out, news))
        }
        // OpenRouter's SDKs refuse a chunk in which these are null, although an answer may have them so.
        "system_fingerprint" | "usage" if value.peek()? == Found::Null => value.skip(),
        name => member(name, value, &mut out),
    })?;
    out.push(b'}');
    Ok(out)
}

/// A choice whose message is its delta. A completion has neither: its text becomes one.
fn write_choice(choice: &mut Cursor<'_>, out: &mut Vec<u8>, news: &UnshownPart<'_>) -> Result<(), JsonError> {
    let (mut text, mut is_chat) = (None, false);
    object(choice, out, |name, value, out| {
        let from = out.len();
        write_member_of_choice(name, value, out, news)?;
        is_chat |= matches!(name, "message" | "delta");
        if name == "text" {
            let written = out.get(from + b",\"text\":".len()..);
            text = written.filter(|raw| raw.starts_with(b"\"")).map(<[u8]>::to_vec);
        }
        Ok(())
    })?;
    let text = text.filter(|_| !is_chat && *news == UnshownPart::All && out.last() == Some(&b'}'));
    if let Some(text) = text {
        out.pop();
        out.extend_from_slice(b",\"delta\":{\"content\":");
        out.extend_from_slice(&text);
        out.extend_from_slice(b"}}");
    }
    Ok(())
}

fn write_member_of_choice(
    name: &str,
    value: &mut Cursor<'_>,
    out: &mut Vec<u8>,
    news: &UnshownPart<'_>,
) -> Result<(), JsonError> {
    match (name, news) {
        // Its message says more.
        ("delta", UnshownPart::Some { .. }) => value.skip(),
        ("message", UnshownPart::None) if value.peek()? != Found::Object => {
            out.extend_from_slice(b",\"delta\":{}");
            value.skip()
        }
        ("message", _) => {
            out.extend_from_slice(b",\"delta\":");
            object(value, out, |name, value, out| match (name, news) {
                ("content", UnshownPart::Some { text, .. }) => {
                    value.skip()?;
                    out.extend_from_slice(b",\"content\":");
                    out.extend_from_slice(&json_string(text));
                    Ok(())
                }
                (name, news) if !news.has(name) => value.skip(),
                ("tool_calls", _) => {
                    out.extend_from_slice(b",\"tool_calls\":");
                    list(value, out, write_call)
                }
                (name, _) => member(name, value, out),
            })
        }
        (name, _) => member(name, value, out),
    }
}

/// In a stream each tool call says which one it is.
fn write_call(call: &mut Cursor<'_>, out: &mut Vec<u8>, at: usize) -> Result<(), JsonError> {
    let mut told = false;
    object(call, out, |name, value, out| {
        told |= name == "index";
        member(name, value, out)
    })?;
    if !told && out.last() == Some(&b'}') {
        out.pop();
        let comma = if out.last() == Some(&b'{') { "" } else { "," };
        out.extend_from_slice(format!("{comma}\"index\":{at}}}").as_bytes());
    }
    Ok(())
}

fn member(name: &str, value: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    out.push(b',');
    out.extend_from_slice(&json_string(name));
    out.push(b':');
    out.extend_from_slice(value.raw()?);
    Ok(())
}

/// Writes an object member by member, each behind a comma; anything else as it is.
fn object<F>(value: &mut Cursor<'_>, out: &mut Vec<u8>, mut write: F) -> Result<(), JsonError>
where
    F: FnMut(&str, &mut Cursor<'_>, &mut Vec<u8>) -> Result<(), JsonError>,
{
    if value.peek()? != Found::Object {
        out.extend_from_slice(value.raw()?);
        return Ok(());
    }
    let open = out.len();
    value.object(|key, value| write(&key.to_str(), value, out))?;
    match out.get_mut(open) {
        // The first comma stands where the brace has to.
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
    Ok(())
}

/// Writes a list item by item, with their places, and an object as a list of one; anything else as it is.
fn list<F>(value: &mut Cursor<'_>, out: &mut Vec<u8>, write: F) -> Result<(), JsonError>
where
    F: Fn(&mut Cursor<'_>, &mut Vec<u8>, usize) -> Result<(), JsonError>,
{
    if !matches!(value.peek()?, Found::Array | Found::Object) {
        out.extend_from_slice(value.raw()?);
        return Ok(());
    }
    out.push(b'[');
    let mut at = 0;
    value.each_or_self(|item| {
        if at > 0 {
            out.push(b',');
        }
        write(item, out, at)?;
        at += 1;
        Ok(())
    })?;
    out.push(b']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_strict_json_does_not_have_passes_on_one_line() {
        let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
        let answer = format!(
            "{{\n \"choices\": [\n  {{\"message\": {{\"content\": \"Hi \\ud83d\"}}, \"logprobs\": {{\"x\": -Infinity}}}},\r\n null],\n \"deep\": {deep}}}\n"
        );
        let chunk = String::from_utf8(as_chunk(answer.as_bytes())).unwrap();
        assert!(!chunk.contains(['\n', '\r']), "{chunk}");
        assert!(chunk.starts_with(
            r#"{"object":"chat.completion.chunk","choices":[{"delta":{"content":"Hi \ud83d"},"logprobs":"#
        ));
        assert!(chunk.contains("-Infinity") && chunk.contains(&deep));
    }

    #[test]
    fn a_message_becomes_a_delta() {
        let answer = br#"{"id":"g","object":"chat.completion","system_fingerprint":null,"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi","tool_calls":[{"id":"a"}]}}],"usage":{"cost":0.00000765}}"#;
        let chunk: Value = serde_json::from_slice(&as_chunk(answer)).unwrap();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["choices"][0]["delta"]["content"], "Hi");
        assert_eq!(chunk["choices"][0]["delta"]["tool_calls"][0]["index"], 0);
        assert_eq!(chunk["choices"][0].get("message"), None);
        assert_eq!(chunk.get("system_fingerprint"), None);
    }

    #[test]
    fn the_text_of_a_completion_becomes_a_delta() {
        for (choice, delta) in [
            (
                r#"{"index":0,"text":"Hello \u0022world","finish_reason":"stop"}"#,
                r#"{"content":"Hello \"world"}"#,
            ),
            (r#"{"text":"a","text":"b"}"#, r#"{"content":"b"}"#),
            (r#"{"text":"a","message":{"content":"b"}}"#, r#"{"content":"b"}"#),
            (
                r#"{"text":"a","delta":{"role":"assistant"}}"#,
                r#"{"role":"assistant"}"#,
            ),
        ] {
            let answer = format!(r#"{{"object":"text_completion","choices":[{choice}]}}"#);
            let chunk: Value = serde_json::from_slice(&as_chunk(answer.as_bytes())).unwrap();
            let delta: Value = serde_json::from_str(delta).unwrap();
            assert_eq!(chunk["choices"][0]["delta"], delta, "{choice}");
        }
        let odd: Value = serde_json::from_slice(&as_chunk(br#"{"choices":[{"text":7},{}]}"#)).unwrap();
        assert!(odd["choices"][0].get("delta").is_none() && odd["choices"][1].get("delta").is_none());
    }
}
