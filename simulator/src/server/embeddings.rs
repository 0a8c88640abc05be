//! `POST /embeddings`.

use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Call;
use crate::catalogue;
use crate::fault::Refusal;
use crate::money::Cost;
use crate::prompt_cache::Caching;
use crate::stage::Player;
use crate::wire::error::{About, Refused};

#[derive(Deserialize)]
struct Request {
    model: String,
    input: Value,
    encoding_format: Option<String>,
    dimensions: Option<usize>,
}

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    id: &'a str,
    model: &'a str,
    data: Vec<Value>,
    usage: Usage,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
    cost: Cost,
}

/// Answers vectors that depend on nothing but text and seed.
pub(crate) async fn answer(mut call: Call) -> Response<Player> {
    let Ok(request) = serde_json::from_slice::<Request>(&call.body) else {
        return call.refuse_plain(400, "Invalid input");
    };
    call.ticket.note(|attempt| attempt.model.clone_from(&request.model));
    let about = About {
        model: request.model.clone(),
        ..About::default()
    };
    let Some(model) = catalogue::find(&request.model) else {
        return call.refuse(Refused::new(Refusal::Model, &about, &[]), &[]);
    };
    let fate = call.fate(&request.model);
    call.ticket.note(|attempt| {
        attempt.fault.clone_from(&fate.text);
        attempt.served = model.id.to_string();
    });
    call.before_headers(&fate.faults).await;
    if let Some(refusal) = fate.refusal() {
        let about = About {
            provider: model.provider().to_owned(),
            context: model.context,
            ..about
        };
        return call.refuse(Refused::new(refusal, &about, &fate.faults), &fate.faults);
    }
    let inputs: Vec<&Value> = match &request.input {
        Value::Array(list) if list.iter().all(Value::is_number) => vec![&request.input],
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    let prompt_tokens = inputs.iter().map(|input| tokens(input)).sum::<u64>();
    let (seed, (id, _)) = {
        let mut state = call.shared.lock();
        (state.config.seed, state.generation_id())
    };
    let size = request.dimensions.unwrap_or(1536).clamp(1, 4096);
    let base64 = request.encoding_format.as_deref() == Some("base64");
    let vectors = inputs.iter().enumerate().map(|(index, input)| {
        let vector = vector(input, size, seed);
        let embedding = if base64 { json!(encode(&vector)) } else { json!(vector) };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let cost = model.price.prompt(prompt_tokens, &Caching::default());
    let answer = Answer {
        object: "list",
        id: &id,
        model: &model.id,
        data: vectors.collect(),
        usage: Usage {
            prompt_tokens,
            total_tokens: prompt_tokens,
            cost,
        },
    };
    let body = serde_json::to_vec(&answer).unwrap_or_default();
    call.ticket.charge(cost);
    call.body(body, 1, &fate.faults, Some(&id))
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
