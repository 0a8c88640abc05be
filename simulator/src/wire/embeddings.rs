//! `/embeddings`: vectors that depend on nothing but text and seed.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Head;
use super::inside::Inside;
use super::parse;
use super::usage::Fields;
use crate::answer::{Answer, Shown};
use crate::fault::Fault;
use crate::request::Request;

/// The members that chat has not.
#[derive(Deserialize)]
struct Own {
    #[expect(dead_code, reason = "it must be there")]
    model: String,
    input: Value,
    encoding_format: Option<String>,
    dimensions: Option<usize>,
}

impl Own {
    /// What each vector is made of. A list of numbers is one input, in tokens.
    fn inputs(&self) -> Vec<&Value> {
        match &self.input {
            Value::Array(list) if list.iter().all(Value::is_number) => vec![&self.input],
            Value::Array(list) => list.iter().collect(),
            one => vec![one],
        }
    }
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    id: &'a str,
    model: &'a str,
    data: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Box<RawValue>>,
}

/// Reads a request.
pub(crate) fn read(body: &[u8]) -> Result<Request, String> {
    let own: Own = parse(body)?;
    let mut request: Request = parse(body)?;
    request.prompt = Some(own.inputs().into_iter().map(tokens).sum());
    Ok(request)
}

/// The body.
pub(crate) fn plain(head: &Head, shown: &Shown<'_>, _: &Answer, faults: &[Fault]) -> String {
    if let Some(failed) = &shown.failed {
        return json!({"error": Inside::new(&failed.code, faults).object()}).to_string();
    }
    let Ok(own) = Own::deserialize(&head.asked) else {
        return String::new();
    };
    let size = own.dimensions.unwrap_or(1536).clamp(1, 4096);
    let base64 = own.encoding_format.as_deref() == Some("base64");
    let is_empty = shown.finish != Some("stop");
    let vectors = own.inputs().into_iter().enumerate().map(|(index, input)| {
        if shown.is_null {
            return Value::Null;
        }
        let vector = if is_empty {
            Vec::new()
        } else {
            vector(input, size, head.seed)
        };
        let embedding = if base64 { json!(encode(&vector)) } else { json!(vector) };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let list = List {
        object: "list",
        id: &head.id,
        model: &head.model,
        data: if shown.is_there { vectors.collect() } else { Vec::new() },
        usage: shown.usage.as_ref().map(|tally| {
            let fields = Fields::new(faults);
            let fields = fields
                .tokens("prompt_tokens", tally.prompt)
                .tokens("total_tokens", tally.prompt);
            fields.cost("cost", tally.cost()).end()
        }),
    };
    serde_json::to_string(&list).unwrap_or_default()
}

/// Four bytes of text are a token; a token is one.
fn tokens(input: &Value) -> u64 {
    match input {
        Value::String(text) => (text.len() as u64).div_ceil(4),
        Value::Array(list) => list.len() as u64,
        other => (other.to_string().len() as u64).div_ceil(4),
    }
}

/// A vector of length one.
fn vector(input: &Value, size: usize, seed: u64) -> Vec<f32> {
    let hash = input.to_string().bytes().fold(seed, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut dice = fastrand::Rng::with_seed(hash);
    let raw: Vec<f32> = (0..size).map(|_| dice.f32() - 0.5).collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    raw.into_iter().map(|x| x / length).collect()
}

/// Little-endian floats in base64.
fn encode(vector: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |n: usize| u32::from(group.get(n).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let index = usize::try_from(word >> (18 - 6 * place) & 63).unwrap_or(0);
            let letter = ALPHABET.get(index).copied().unwrap_or(b'A');
            out.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_padded() {
        assert_eq!(super::encode(&[1.0]), "AACAPw==");
        assert_eq!(super::encode(&[1.0, 1.0, 1.0]), "AACAPwAAgD8AAIA/");
    }
}
