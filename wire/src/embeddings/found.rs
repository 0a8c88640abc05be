//! Whether a plain answer of embeddings has its vectors, and the shapes of servers that send the list alone.

use bytes::Bytes;

use super::vector::sextet;
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
    most_vectors(answer).is_some()
}

/// For how many inputs a plain answer can hold vectors: `usize::MAX` if their form does not say, `None` if [it has none](has_vectors).
///
/// ```
/// use openrouter_wire::embeddings::most_vectors;
///
/// assert_eq!(most_vectors(br#"{"data":[{"embedding":[0.5]},{"embedding":"AAAAPw=="}]}"#), Some(2));
/// assert_eq!(most_vectors(br#"{"embeddings":{"float":[[0.5]]}}"#), Some(usize::MAX));
/// ```
#[must_use]
pub fn most_vectors(answer: &[u8]) -> Option<usize> {
    let (mut data, mut other) = (None, None::<usize>);
    let read = Cursor::lenient(answer).object_or_skip(|key, value| {
        match key.name() {
            b"data" => data = Some(all_filled(value)?),
            b"embedding" | b"embeddings" => other = other.max(vectors(value.raw()?)),
            _ => value.skip()?,
        }
        Ok(())
    });
    read.ok()?;
    data.unwrap_or(other)
}

/// How many vectors an `input` asks for: a text, or a list of the numbers of its tokens, is one; `None` of anything else than a list of texts or
/// of lists.
///
/// ```
/// use openrouter_wire::embeddings::count_inputs;
///
/// assert_eq!(count_inputs(br#"["a","b"]"#), Some(2));
/// assert_eq!(count_inputs(b"[1,2,3]"), Some(1));
/// ```
#[must_use]
pub fn count_inputs(input: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::lenient(input);
    match cursor.peek().ok()? {
        Found::String => return Some(1),
        Found::Array => {}
        _ => return None,
    }
    let (mut whole, mut tokens, mut others) = (0, 0_usize, 0_usize);
    let walked = cursor.array_or_skip(|item| {
        match item.peek()? {
            Found::String | Found::Array => whole += 1,
            Found::Number => tokens += 1,
            _ => others += 1,
        }
        item.skip()
    });
    walked.ok()?;
    match (whole, tokens, others) {
        (0, 1.., 0) => Some(1),
        (1.., 0, 0) => Some(whole),
        _ => None,
    }
}

/// `[{"embedding": …}, …]`, which llama.cpp sends under a path without `/v1`, as an answer of this API; `None` of anything else.
///
/// # Errors
///
/// If it begins as a list, and is no whole JSON document.
pub fn of_list(body: &[u8]) -> Result<Option<Bytes>, JsonError> {
    let list = body.trim_ascii();
    if list.first() != Some(&b'[') {
        return Ok(None);
    }
    let mut cursor = Cursor::lenient(list);
    let filled = all_filled(&mut cursor)?;
    cursor.end()?;
    Ok(filled.map(|_| [br#"{"object":"list","data":"#.as_slice(), list, b"}"].concat().into()))
}

/// For how many inputs an embedding, or a list of at least one, can hold vectors; `None` if one of them is empty.
fn all_filled(value: &mut Cursor<'_>) -> Result<Option<usize>, JsonError> {
    let (mut most, mut all) = (0_usize, true);
    value.each_or_self(|item| {
        let mut filled: Option<usize> = None;
        item.object_or_skip(|key, value| {
            match key.name() {
                // Its vectors may be those of the tokens of one input.
                b"embedding" => filled = filled.max(vectors(value.raw()?).map(|_| 1)),
                b"embeddings" => filled = filled.max(vectors(value.raw()?)),
                _ => value.skip()?,
            }
            Ok(())
        })?;
        all &= filled.is_some();
        most = most.saturating_add(filled.unwrap_or(0));
        Ok(())
    })?;
    Ok(Some(most).filter(|most| all && *most > 0))
}

/// For how many inputs a value can hold vectors: a text of base64, numbers, or a list of those; `None` if it is empty, or lacks a number.
fn vectors(raw: &[u8]) -> Option<usize> {
    match Cursor::lenient(raw).peek() {
        Ok(Found::String) => is_base64(raw).then_some(1),
        Ok(Found::Array) => vectors_of_list(raw),
        // A form that is not known: it is kept.
        _ => (raw != b"null").then_some(usize::MAX),
    }
}

fn vectors_of_list(raw: &[u8]) -> Option<usize> {
    let mut first = raw
        .iter()
        .enumerate()
        .filter(|(_, byte)| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
        .skip_while(|(_, byte)| **byte == b'[');
    let (at, byte) = first.next()?;
    let is_filled = match byte {
        b'0'..=b'9' | b'-' => raw.iter().copied().all(is_of_numbers),
        b'"' | b'{' => memchr::memmem::find(raw, b"null").is_none(),
        _ => false,
    };
    if !is_filled {
        return None;
    }
    let depth = raw.get(..at)?.iter().filter(|byte| **byte == b'[').count();
    // The innermost list of numbers is a vector itself.
    let is_number = !matches!(byte, b'"' | b'{');
    match depth - usize::from(is_number) {
        0 => Some(1),
        1 => items(raw),
        _ => Some(usize::MAX),
    }
}

/// Whether a byte may stand in numbers, or in lists of them: no word such as `null` and `NaN`, and no text, is made of such bytes alone.
const fn is_of_numbers(byte: u8) -> bool {
    matches!(
        byte,
        b'0'..=b'9' | b'.' | b',' | b'-' | b'+' | b'e' | b'E' | b'[' | b']' | b' ' | b'\n' | b'\r' | b'\t'
    )
}

fn items(list: &[u8]) -> Option<usize> {
    let mut count = 0;
    let walked = Cursor::lenient(list).array_or_skip(|item| {
        count += 1;
        item.skip()
    });
    walked.ok().map(|()| count)
}

/// Whether a JSON string is base64, with padding or without: not empty, and no letter alone in its last group.
fn is_base64(raw: &[u8]) -> bool {
    let Ok(text) = Cursor::lenient(raw).string() else {
        return false;
    };
    match text.plain() {
        Some(plain) => are_base64(plain),
        None => are_base64(text.to_str().as_bytes()),
    }
}

fn are_base64(text: &[u8]) -> bool {
    let padded = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let text = text.get(..text.len() - padded).unwrap_or_default();
    let (mut letters, mut others) = (0_usize, 0_usize);
    for byte in text {
        match CLASSES.get(usize::from(*byte)) {
            Some(Class::Letter) => letters += 1,
            Some(Class::Space) => {}
            _ => others += 1,
        }
    }
    others == 0 && letters > 0 && letters % 4 != 1
}

/// What a byte is in base64.
#[derive(Clone, Copy)]
enum Class {
    Letter,
    Space,
    Other,
}

/// The class of each byte: vectors are long, and one look is cheaper than some ten comparisons.
#[expect(clippy::indexing_slicing, reason = "at compile time, and a byte is below 256")]
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0_u8;
    loop {
        if sextet(byte).is_some() {
            classes[byte as usize] = Class::Letter;
        } else if byte.is_ascii_whitespace() {
            classes[byte as usize] = Class::Space;
        }
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

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
            (r#"{"data":[{"embedding":[0.1,NaN]}]}"#, false),
            (r#"{"data":[{"embedding":[[0.1],[-Infinity]]}]}"#, false),
            (r#"{"data":[{"embedding":[0.1,true]}]}"#, false),
            (r#"{"data":[{"embedding":[0.1,"0.2"]}]}"#, false),
            (r#"{"data":[{"embedding":"AAC!"}]}"#, false),
            (r#"{"data":[{"embedding":"AAAAA"}]}"#, false),
            (r#"{"object":"list","model":"m"}"#, false),
            ("[]", false),
            (r#"{"data":[{"embedding":[-0.1]}]}"#, true),
            (r#"{"data":{"embedding":[1]}}"#, true),
            (r#"{"data":[{"embedding":[ -1.5e-3 , 2E+2 ]}]}"#, true),
            (r#"{"data":[{"embedding":"A\/-_"}]}"#, true),
            (r#"{"data":[{"embeddings":["AAAAPw=="]}]}"#, true),
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
    fn vectors_are_counted_as_far_as_their_form_tells() {
        const MANY: usize = usize::MAX;
        for (answer, most) in [
            (r#"{"data":[{"embedding":[0.1]}]}"#, 1),
            (r#"{"data":[{"embedding":[0.1]},{"embedding":"AAAAPw=="}]}"#, 2),
            (r#"{"data":[{"embedding":[[0.1],[0.2]]}]}"#, 1),
            (r#"{"data":[{"embeddings":[[0.1],[0.2]]}]}"#, 2),
            (r#"{"embeddings":[[0.1],[0.2],[0.3]]}"#, 3),
            (r#"{"embeddings":["AAAAPw==","AAAAPw=="]}"#, 2),
            (r#"{"embeddings":[0.1,0.2]}"#, 1),
            (r#"{"embeddings":[[[0.1]]]}"#, MANY),
            (r#"{"embeddings":{"float":[[0.1]]}}"#, MANY),
            (r#"{"data":[{"embedding":{"float":[0.1]}}]}"#, 1),
        ] {
            assert_eq!(most_vectors(answer.as_bytes()), Some(most), "{answer}");
        }
        assert_eq!(
            most_vectors(br#"{"data":[{"embedding":[0.1]},{"embedding":[]}]}"#),
            None
        );
    }

    #[test]
    fn inputs_are_counted() {
        for (input, count) in [
            (r#""a""#, Some(1)),
            (r#"["a"]"#, Some(1)),
            (r#"["a","b"]"#, Some(2)),
            ("[1,2,3]", Some(1)),
            ("[[1,2],[3]]", Some(2)),
            ("[]", None),
            (r#"["a",1]"#, None),
            (r#"[{"text":"a"},{"text":"b"}]"#, None),
            ("7", None),
            (r#"["a""#, None),
        ] {
            assert_eq!(count_inputs(input.as_bytes()), count, "{input}");
        }
    }

    #[test]
    fn a_list_alone_becomes_an_answer() {
        let list = br#" [{"index":0,"embedding":[[0.1,0.2]]},{"index":1,"embedding":[[0.3,0.4]]}] "#;
        let answer = of_list(list).unwrap().unwrap();
        assert!(has_vectors(&answer), "{answer:?}");
        for other in [&b"[]"[..], b"[1]", br#"[{"error":"no"}]"#, b"{}", b""] {
            assert_eq!(of_list(other), Ok(None), "{other:?}");
        }
        for cut in [&b"[{\"embedding\":[1]}"[..], b"[{\"embedding\":[1]}] x", b"[1", b"["] {
            assert!(of_list(cut).is_err(), "{cut:?}");
        }
    }
}
