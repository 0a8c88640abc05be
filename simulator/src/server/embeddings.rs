//! `POST /embeddings`.

use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::prologue;
use super::route::{Asked, before_headers, instead};
use crate::catalogue;
use crate::stage::{Player, plain};
use crate::wire::error::{About, Refused};

#[derive(Deserialize)]
struct Request {
    model: String,
    input: Value,
}

pub(super) async fn answer(asked: Asked) -> Response<Player> {
    let request: Request = match serde_json::from_slice(&asked.body) {
        Ok(request) => request,
        Err(error) => {
            let ticket = asked.ticket("", false);
            return asked
                .reply(ticket)
                .refuse(Refused::plain(400, &format!("Invalid JSON body: {error}")));
        }
    };
    let mut ticket = asked.ticket(&request.model, false);
    if let Some(refusal) = prologue::refused(&asked.shared, &asked.key) {
        return asked
            .reply(ticket)
            .refuse(Refused::new(refusal, &About::default(), &[]));
    }
    let Some(model) = catalogue::find(&request.model) else {
        let message = format!("{} is not a valid model ID", request.model);
        return asked.reply(ticket).refuse(Refused::plain(400, &message));
    };
    let fate = match asked.fate(&request.model) {
        Ok(fate) => fate,
        Err(message) => return asked.reply(ticket).refuse(Refused::plain(400, &message)),
    };
    ticket.note(|attempt| {
        attempt.fault.clone_from(&fate.text);
        attempt.served.clone_from(&request.model);
    });
    before_headers(&asked.line, &mut ticket, &fate.faults).await;
    let about = About {
        model: request.model.clone(),
        provider: model.provider().to_owned(),
        ..About::default()
    };
    let texts = texts(&request.input);
    let tokens: u64 = texts.iter().map(|text| (text.len() as u64).div_ceil(4)).sum();
    let cost = model.price.prompt(tokens, 0);
    if fate.refusal().is_none() {
        ticket.charge(cost);
    }
    let reply = match instead(asked.reply(ticket), &fate, &about) {
        Ok(reply) => reply,
        Err(response) => return response,
    };
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": vector(text)}))
        .collect();
    let document = json!({"object": "list", "model": model.id, "data": data,
                          "usage": {"prompt_tokens": tokens, "total_tokens": tokens, "cost": cost}});
    let track = plain::track(document.to_string().into_bytes(), texts.len() as u64, &fate.faults);
    reply.play(200, "application/json", track)
}

fn texts(input: &Value) -> Vec<String> {
    match input {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect(),
        other => vec![other.to_string()],
    }
}

/// Four numbers that depend on the text alone.
fn vector(text: &str) -> Vec<f64> {
    let sum = |offset: usize| text.bytes().skip(offset).step_by(4).map(u32::from).sum::<u32>() % 1000;
    (0..4).map(|offset| f64::from(sum(offset)) / 1000.0).collect()
}
