//! `POST /chat/completions`.

use http::{HeaderValue, Response};
use serde_json::{Value, json};

use super::prologue;
use super::reply::Reply;
use super::route::{Asked, before_headers, instead};
use crate::answer::Answer;
use crate::catalogue::{self, Model};
use crate::fault::{Fault, Refusal};
use crate::generation::{Record, provider_response};
use crate::money::Cost;
use crate::plans::Fate;
use crate::stage::sse::{self, Head};
use crate::stage::{Player, plain};
use crate::ticket::{Meter, Ticket};
use crate::wire::completion::{Choice, Completion, Message};
use crate::wire::error::{About, Refused};
use crate::wire::request::ChatRequest;

/// The model of an account that names none.
const DEFAULT_MODEL: &str = "demo/model";

pub(super) async fn answer(asked: Asked) -> Response<Player> {
    let request: ChatRequest = match serde_json::from_slice(&asked.body) {
        Ok(request) => request,
        Err(error) => {
            let ticket = asked.ticket("", false);
            return asked
                .reply(ticket)
                .refuse(Refused::plain(400, &format!("Invalid JSON body: {error}")));
        }
    };
    let stream = request.stream == Some(true);
    let first = request.model.clone().unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let mut ticket = asked.ticket(&first, stream);
    if let Some(refusal) = prologue::refused(&asked.shared, &asked.key).or_else(|| malformed(&request)) {
        return asked
            .reply(ticket)
            .refuse(Refused::new(refusal, &About::default(), &[]));
    }
    // The model asked for, then the router's own fallbacks: the first that is not refused answers.
    let mut refused = None;
    for name in std::iter::once(&first).chain(&request.models) {
        let fate = match asked.fate(name) {
            Ok(fate) => fate,
            Err(message) => return asked.reply(ticket).refuse(Refused::plain(400, &message)),
        };
        ticket.note(|attempt| {
            attempt.fault.clone_from(&fate.text);
            attempt.served.clone_from(name);
        });
        before_headers(&asked.line, &mut ticket, &fate.faults).await;
        let Some(model) = catalogue::find(name) else {
            let about = About {
                model: name.clone(),
                ..About::default()
            };
            let unknown = Refused::plain(400, &format!("{} is not a valid model ID", about.model));
            refused = Some(unknown);
            continue;
        };
        let about = about(&request, &model);
        if let Some(refusal) = fate.refusal().or_else(|| cannot(&asked, &request, &model, &fate)) {
            refused = Some(Refused::new(refusal, &about, &fate.faults));
            continue;
        }
        return respond(&asked, &request, &model, &fate, ticket);
    }
    let refused = refused.unwrap_or_else(|| Refused::plain(404, "No endpoints found."));
    asked.reply(ticket).refuse(refused)
}

fn malformed(request: &ChatRequest) -> Option<Refusal> {
    if request.messages.is_empty() {
        return Some(Refusal::Zod);
    }
    (request.models.len() > 3).then_some(Refusal::Models)
}

fn about(request: &ChatRequest, model: &Model) -> About {
    About {
        model: model.id.to_string(),
        provider: model.provider().to_owned(),
        context: model.context,
        prompt_tokens: request.prompt_tokens(),
        limit: request.limit(),
    }
}

/// Why this model cannot take this request, or the account cannot pay for it.
fn cannot(asked: &Asked, request: &ChatRequest, model: &Model, fate: &Fate) -> Option<Refusal> {
    if fate.faults.contains(&Fault::NoPrefill) && request.prefill().is_some() {
        return Some(Refusal::Prefill);
    }
    if request.prompt_tokens().saturating_add(request.limit().unwrap_or(0)) > model.context {
        return Some(Refusal::Context);
    }
    if !request.tools.is_empty() && !model.takes("tools") {
        return Some(Refusal::NoTools);
    }
    if !model.inputs.contains(&"image") && request.messages.iter().any(crate::wire::request::Message::has_image) {
        return Some(Refusal::NoImages);
    }
    let state = asked.shared.lock();
    let left = state.config.credits?.saturating_sub(state.billed);
    let (prompt, piece) = model.price.at(request.prompt_tokens());
    let worst = prompt * request.prompt_tokens() + piece * request.limit().unwrap_or(0);
    if left == Cost::ZERO {
        Some(Refusal::Balance)
    } else if worst > left {
        let tokens = left.saturating_sub(prompt * request.prompt_tokens()).pico() / piece.pico().max(1);
        Some(Refusal::Afford(u32::try_from(tokens).unwrap_or(u32::MAX)))
    } else {
        None
    }
}

fn respond(asked: &Asked, request: &ChatRequest, model: &Model, fate: &Fate, mut ticket: Ticket) -> Response<Player> {
    let faults = fate.faults.as_slice();
    let (id, created, seed, delay) = {
        let mut state = asked.shared.lock();
        let (id, created) = state.generation_id();
        (id, created, state.config.seed, state.config.piece_delay)
    };
    let answer = Answer::new(request, model, faults, seed);
    let named = if faults.contains(&Fault::Dated) {
        &model.canonical
    } else {
        &model.id
    };
    let head = Head {
        id: id.clone(),
        created,
        model: named.to_string(),
        provider: model.provider().to_owned(),
        metadata: metadata(asked, request, model),
        delay,
    };
    ticket.note(|attempt| attempt.generation_id = Some(id.clone()));
    ticket.remember(record(asked, request, model, &head, &answer));
    let reply = |ticket: Ticket| asked.reply(ticket);
    let mut response = if request.stream == Some(true) {
        let (_, piece) = model.price.at(answer.tally.prompt);
        ticket.meter(Meter {
            prompt: answer.tally.prompt_cost,
            piece,
            reasoning: answer.tally.reasoning,
        });
        match instead(reply(ticket), fate, &About::default()) {
            Err(page) => return page,
            Ok(reply) => reply.play(200, "text/event-stream", sse::track(&head, &answer, faults)),
        }
    } else {
        let (document, paid) = plain_document(&head, &answer, faults);
        if paid {
            // A plain answer is made to its end, and billed, whether or not anybody waits for it.
            ticket.charge(answer.tally.cost());
        } else {
            ticket.void();
        }
        match instead(reply(ticket), fate, &About::default()) {
            Err(page) => return page,
            Ok(reply) => play_plain(reply, &document, &answer, faults),
        }
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-generation-id", id);
    }
    headers.insert("cache-control", HeaderValue::from_static("no-cache"));
    response
}

fn play_plain(reply: Reply, document: &Value, answer: &Answer, faults: &[Fault]) -> Response<Player> {
    let track = plain::track(document.to_string().into_bytes(), answer.pieces.len() as u64, faults);
    reply.play(200, "application/json", track)
}

/// The plain answer under the faults that change what it says, and whether it is paid for.
fn plain_document(head: &Head, answer: &Answer, faults: &[Fault]) -> (Value, bool) {
    let mut document = whole(head, answer);
    let nothing = json!({"prompt_tokens": answer.tally.prompt, "completion_tokens": 0, "total_tokens": answer.tally.prompt, "cost": 0});
    let mut paid = true;
    for fault in faults {
        let choice = json!({"index": 0, "logprobs": null, "finish_reason": null, "native_finish_reason": null,
                            "message": {"role": "assistant", "content": ""}});
        match fault {
            Fault::Error(code) => {
                document = json!({"error": sse::error_object(code), "user_id": "user_2demo"});
                paid = false;
            }
            Fault::ErrorAt(code, at) => {
                let said = answer.text(usize::try_from(*at).unwrap_or(usize::MAX));
                set(&mut document, "/choices/0/message/content", said.into());
                set(&mut document, "/choices/0/finish_reason", "error".into());
                if let Some(choice) = document.pointer_mut("/choices/0").and_then(Value::as_object_mut) {
                    choice.insert("error".to_owned(), sse::error_object(code));
                }
                remove(&mut document, "usage");
                paid = false;
            }
            Fault::FinishError => {
                let mut choice = choice;
                set(&mut choice, "/finish_reason", "error".into());
                set(&mut choice, "/native_finish_reason", "MALFORMED_FUNCTION_CALL".into());
                set(&mut document, "/choices", json!([choice]));
                set(&mut document, "/usage", nothing.clone());
                paid = false;
            }
            Fault::EmptyChoices | Fault::RoleOnly => {
                set(&mut document, "/choices", json!([]));
                set(&mut document, "/usage", nothing.clone());
                paid = false;
            }
            Fault::EmptyContent => {
                set(&mut document, "/choices", json!([choice]));
                set(&mut document, "/usage", nothing.clone());
                paid = false;
            }
            Fault::NoUsage => remove(&mut document, "usage"),
            Fault::NoFinish => set(&mut document, "/choices/0/finish_reason", Value::Null),
            _ => {}
        }
    }
    (document, paid)
}

fn set(document: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = document.pointer_mut(pointer) {
        *place = value;
    }
}

fn remove(document: &mut Value, name: &str) {
    if let Some(document) = document.as_object_mut() {
        document.remove(name);
    }
}

fn whole(head: &Head, answer: &Answer) -> Value {
    let text = answer.text(usize::MAX);
    let reasoning = answer.reasoning();
    let details = reasoning
        .as_ref()
        .map(|text| json!([{"type": "reasoning.text", "text": text, "format": answer.format, "index": 0}]));
    let calls = answer.call().map(|(id, name, arguments)| {
        json!([{"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}])
    });
    let message = Message {
        role: "assistant",
        content: &text,
        refusal: None,
        reasoning: reasoning.as_deref(),
        reasoning_details: details,
        tool_calls: calls,
    };
    let choice = Choice {
        index: 0,
        logprobs: None,
        finish_reason: Some(&answer.finish),
        native_finish_reason: Some(&answer.native),
        message,
        error: None,
    };
    let completion = Completion {
        id: &head.id,
        provider: &head.provider,
        model: &head.model,
        object: "chat.completion",
        created: head.created,
        system_fingerprint: Some("fp_demo"),
        service_tier: Some("default"),
        choices: vec![choice],
        usage: Some(answer.tally.usage()),
        openrouter_metadata: head.metadata.as_ref(),
    };
    // Of plain data: it always has a form.
    serde_json::to_value(completion).unwrap_or_default()
}

/// The router's own account, where it was asked for.
fn metadata(asked: &Asked, request: &ChatRequest, model: &Model) -> Option<Value> {
    let wanted = asked.parts.headers.get("x-openrouter-metadata")?.to_str().ok()?;
    if !wanted.eq_ignore_ascii_case("enabled") {
        return None;
    }
    let requested = request.model.as_deref().unwrap_or(DEFAULT_MODEL);
    let fell_back = requested != model.id;
    Some(json!({
        "requested": requested,
        "strategy": if fell_back { "fallback" } else { "direct" },
        "region": "sim", "summary": format!("available=1, selected={}", model.provider()),
        "attempt": if fell_back { 2 } else { 1 }, "is_byok": false,
        "endpoints": {"total": 1, "available": [{"provider": model.provider(), "model": model.id, "selected": true}]},
    }))
}

fn record(asked: &Asked, request: &ChatRequest, model: &Model, head: &Head, answer: &Answer) -> Record {
    let header = |name: &str| {
        asked
            .parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    Record {
        id: head.id.clone(),
        request_id: head.id.replace("gen-", "req-"),
        session_id: request.session_id.clone(),
        created_at: "2026-11-23T05:39:05.120Z".to_owned(),
        model: head.model.clone(),
        provider_name: head.provider.clone(),
        api_type: "completions",
        streamed: request.stream == Some(true),
        finish_reason: Some(answer.finish.clone()),
        native_finish_reason: Some(answer.native.clone()),
        native_tokens_prompt: answer.tally.prompt,
        native_tokens_completion: answer.tally.completion,
        native_tokens_reasoning: answer.tally.reasoning,
        native_tokens_cached: answer.tally.cached,
        total_cost: answer.tally.cost(),
        http_referer: header("http-referer"),
        user_agent: header("user-agent"),
        provider_responses: vec![provider_response(&head.provider, &model.id, 200)],
        ..Record::default()
    }
}
