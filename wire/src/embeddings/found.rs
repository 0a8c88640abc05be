//! Whether a plain answer of embeddings has its vectors, and the shapes of servers that send the list alone.

use bytes::Bytes;

use crate::json::{Cursor, Found, JsonError};

/// Whether a plain answer holds vectors, none of which is empty or lacks a number. An answer without `data` is believed if something in it is
/// called an embedding.
///
/// ```
/// use openrouter_wire::embeddings::has_vectors;
///
/// assert!(has_vectors(br#"{"data":[{"embedding":[0.5]},{"embedding":"AAAAPw=="}]}"#));
/// assert!(!has_vectors(br#"{"data":[]}"#));
/// assert!(!has_vectors(br#"{"data":[{"embedding":[0.5]},{"embedding":[null]}]}"#));
/// ```
#[must_use]
pub fn has_vectors(answer: &[u8]) -> bool {
    let (mut data, mut other) = (None, false);
    let read = Cursor::lenient(answer).object_or_skip(|key, value| {
        match key.name() {
            b"data" => data = Some(all_filled(value)?),
            b"embedding" | b"embeddings" => other |= is_vector(value.raw()?),
            _ => value.skip()?,
        }
        Ok(())
    });
    read.is_ok() && data.unwrap_or(other)
}

/// `[{"embedding": …}, …]`, which llama.cpp sends under a path without `/v1`, as an answer of this API; `None` of anything else.
#[must_use]
pub fn of_list(body: &[u8]) -> Option<Bytes> {
    let list = body.trim_ascii();
    let mut cursor = Cursor::lenient(list);
    let is_list = list.first() == Some(&b'[') && all_filled(&mut cursor).ok()? && cursor.end().is_ok();
    is_list.then(|| [br#"{"object":"list","data":"#.as_slice(), list, b"}"].concat().into())
}

/// Whether this is an embedding, or a list of at least one, none of which is empty.
fn all_filled(value: &mut Cursor<'_>) -> Result<bool, JsonError> {
    let (mut any, mut all) = (false, true);
    value.each_or_self(|item| {
        let mut filled = false;
        item.object_or_skip(|key, value| {
            match key.name() {
                b"embedding" | b"embeddings" => filled |= is_vector(value.raw()?),
                _ => value.skip()?,
            }
            Ok(())
        })?;
        (any, all) = (true, all && filled);
        Ok(())
    })?;
    Ok(any && all)
}

/// Whether a vector is not empty: a text of base64, or numbers.
fn is_vector(raw: &[u8]) -> bool {
    match Cursor::lenient(raw).peek() {
        Ok(Found::String) => raw.len() > 2,
        Ok(Found::Array) => {
            let first = raw
                .iter()
                .find(|byte| !matches!(byte, b'[' | b' ' | b'\n' | b'\r' | b'\t'));
            first.is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'"' | b'{'))
                && memchr::memmem::find(raw, b"null").is_none()
        }
        // A form that is not known: it is kept.
        _ => raw != b"null",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_its_vectors_is_none() {
        for (answer, has) in [
            (r#"{"object":"list","data":[],"usage":{"prompt_tokens":0}}"#, false),
            (r#"{"data":null}"#, false),
            (r#"{"data":[{"embedding":[]}]}"#, false),
            (r#"{"data":[{"embedding":[null,null]}]}"#, false),
            (r#"{"data":[{"embedding":""}]}"#, false),
            (r#"{"data":[{"embedding":[0.1]},{"index":1}]}"#, false),
            (r#"{"data":[{"embeddings":[]}]}"#, false),
            (r#"{"data":[{"embeddings":[[null]]}]}"#, false),
            (r#"{"object":"list","model":"m"}"#, false),
            ("[]", false),
            (r#"{"data":[{"embedding":[-0.1]}]}"#, true),
            (r#"{"data":{"embedding":[1]}}"#, true),
            (r#"{"data":[{"embedding":[[0.1,0.2]]}]}"#, true),
            (r#"{"data":[{"index":0,"embeddings":[[0.1,0.2],[0.3,0.4]]}]}"#, true),
            (r#"{"data":[{"embedding":{"float":[0.1],"base64":"AA=="}}]}"#, true),
            (r#"{"embeddings":[[0.1]]}"#, true),
            (r#"{"dat\u0061":[{"embeddin\u0067":"AAAAPw=="}]}"#, true),
        ] {
            assert_eq!(has_vectors(answer.as_bytes()), has, "{answer}");
        }
    }

    #[test]
    fn a_list_alone_becomes_an_answer() {
        let list = br#" [{"index":0,"embedding":[[0.1,0.2]]},{"index":1,"embedding":[[0.3,0.4]]}] "#;
        let answer = of_list(list).unwrap();
        assert!(has_vectors(&answer), "{answer:?}");
        for other in [
            &b"[]"[..],
            b"[1]",
            br#"[{"error":"no"}]"#,
            b"{}",
            b"",
            b"[{\"embedding\":[1]}",
        ] {
            assert_eq!(of_list(other), None, "{other:?}");
        }
    }
}
