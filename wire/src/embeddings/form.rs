//! The form of the vectors in an answer, made the one that was requested: servers answer in the form that they have.

use std::ops::Range;

use bytes::Bytes;

use super::Vector;
use crate::json::{Cursor, JsonError};
use crate::view::{Field, Wire};

/// How a vector is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VectorForm {
    /// A list of numbers.
    Numbers,
    /// Base64 of little-endian 32-bit floats.
    Base64,
}

/// The answer with each vector in this form; `None` if none of them has the other one. All other bytes stay as they came, and so does a vector that
/// cannot be read.
///
/// ```
/// use openrouter_wire::embeddings::{VectorForm, in_form};
///
/// let answer = br#"{"data":[{"index":0, "embedding": [0.5,-1.0]}]}"#;
/// let other = in_form(answer, VectorForm::Base64);
/// assert_eq!(other.as_deref(), Some(&br#"{"data":[{"index":0, "embedding": "AAAAPwAAgL8="}]}"#[..]));
/// assert_eq!(in_form(answer, VectorForm::Numbers), None);
/// ```
#[must_use]
pub fn in_form(answer: &[u8], form: VectorForm) -> Option<Bytes> {
    let others = others(answer, form).ok()?;
    let mut json = Vec::with_capacity(answer.len());
    let mut from = 0;
    for (place, value) in &others {
        json.extend_from_slice(answer.get(from..place.start)?);
        json.extend_from_slice(value);
        from = place.end;
    }
    json.extend_from_slice(answer.get(from..)?);
    (!others.is_empty()).then(|| json.into())
}

/// The place of a vector, and what it is in the other form.
type Other = (Range<usize>, Vec<u8>);

/// The vectors in another form than this one.
fn others(answer: &[u8], form: VectorForm) -> Result<Vec<Other>, JsonError> {
    let mut others = Vec::new();
    Cursor::lenient(answer).object_or_skip(|key, value| {
        if !key.is("data") {
            return value.skip();
        }
        value.each_or_self(|item| {
            item.object_or_skip(|key, value| {
                if !key.is("embedding") {
                    return value.skip();
                }
                let from = value.separator();
                let other = rewritten(value.raw()?, form);
                others.extend(other.map(|other| (from..value.at(), other)));
                Ok(())
            })
        })
    })?;
    Ok(others)
}

/// A vector in this form; `None` if it has it, or is none.
fn rewritten(raw: &[u8], form: VectorForm) -> Option<Vec<u8>> {
    let is_other = match form {
        VectorForm::Numbers => raw.first() == Some(&b'"'),
        VectorForm::Base64 => raw.first() == Some(&b'['),
    };
    if !is_other {
        return None;
    }
    let Field::Read(vector) = Vector::read(&mut Cursor::lenient(raw)).ok()? else {
        return None;
    };
    let numbers = vector.as_slice();
    // JSON has no number for the others.
    let is_whole = !numbers.is_empty() && numbers.iter().all(|number| number.is_finite());
    match form {
        _ if !is_whole => None,
        VectorForm::Numbers => serde_json::to_vec(numbers).ok(),
        VectorForm::Base64 => Some(format!("\"{}\"", vector.to_base64()).into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ApiAnswer;
    use crate::embeddings::EmbeddingResponse;

    fn text(answer: &str, form: VectorForm) -> Option<String> {
        in_form(answer.as_bytes(), form).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn each_vector_gets_the_form_and_all_else_stays() {
        let answer = |first: &str, second: &str| {
            format!(
                r#" {{"data" : [ {{"index":0,"embedding": {first} }},{{"embedding":{second},"new":1.0}}],"usage":{{"cost":0.10}},"embedding":[7]}}"#
            )
        };
        let numbers = answer("[0.5,-1.0]", "[0.1]");
        let base64 = answer(r#""AAAAPwAAgL8=""#, r#""zczMPQ==""#);
        assert_eq!(text(&numbers, VectorForm::Base64).as_ref(), Some(&base64));
        assert_eq!(text(&base64, VectorForm::Numbers).as_ref(), Some(&numbers));
        assert_eq!(text(&numbers, VectorForm::Numbers), None);
        assert_eq!(text(&base64, VectorForm::Base64), None);
        // One of each, and the one vector in a list.
        let mixed = answer("[[0.5,-1.0]]", r#""zczMPQ==""#);
        assert_eq!(text(&mixed, VectorForm::Base64), Some(base64));
        let escaped = r#"{"dat\u0061":{"embeddin\u0067":[0.5]}}"#;
        let other = r#"{"dat\u0061":{"embeddin\u0067":"AAAAPw=="}}"#;
        assert_eq!(text(escaped, VectorForm::Base64).as_deref(), Some(other));
    }

    #[test]
    fn what_is_no_vector_stays() {
        for value in [
            "[]",
            "[0.5,null]",
            "[1e999]",
            "[[0.1],[0.2]]",
            r#""AAAA""#,
            r#""AADAfw==""#,
            r#""""#,
            "{}",
            "null",
            "7",
        ] {
            let answer = format!(r#"{{"data":[{{"embedding":{value}}}]}}"#);
            for form in [VectorForm::Numbers, VectorForm::Base64] {
                assert_eq!(text(&answer, form), None, "{value}");
            }
        }
        for answer in ["", "[]", "{\"data\":[{\"embedding\":[1]}", "{\"data\":7}"] {
            assert_eq!(text(answer, VectorForm::Base64), None, "{answer}");
        }
    }

    proptest! {
        /// To and fro nothing is lost, whatever the length.
        #[test]
        fn the_numbers_are_the_same_in_either_form(numbers in proptest::collection::vec(-1e30_f32..1e30, 1..20)) {
            let list = serde_json::to_string(&numbers).unwrap();
            let answer = format!(r#"{{"data":[{{"embedding":{list}}}]}}"#);
            let base64 = in_form(answer.as_bytes(), VectorForm::Base64).unwrap();
            let read = EmbeddingResponse::from_json(&base64).unwrap();
            prop_assert_eq!(read.vectors().next(), Some(numbers.as_slice()));
            let back = in_form(&base64, VectorForm::Numbers).unwrap();
            prop_assert_eq!(back, answer.as_bytes());
        }
    }
}
