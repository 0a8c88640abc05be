//! `POST /chat/completions`.

use http::{Response, StatusCode};

use super::call::Call;
use super::choose::{Choosing, choose, metadata};
use crate::answer::Answer;
use crate::catalogue::{Model, Price};
use crate::fault::{Fault, Refusal};
use crate::generation::{Constant, Record, iso, provider_response};
use crate::stage::Player;
use crate::stage::sse::{self, Head};
use crate::ticket::Meter;
use crate::wire::completion::completion;
use crate::wire::error::{About, Refused};
use crate::wire::request::ChatRequest;
use crate::wire::usage::Tally;

/// The model of an account that names none.
const DEFAULT_MODEL: &str = "openai/gpt-4o-mini";

/// Answers a chat request.
pub(crate) async fn answer(mut call: Call) -> Response<Player> {
    let request: ChatRequest = match serde_json::from_slice(&call.body) {
        Ok(request) => request,
        Err(wrong) if wrong.is_data() => {
            return call.refuse(Refused::plain(400, &format!("Invalid input: {wrong}")), &[]);
        }
        Err(_) => return call.refuse_plain(400, "Malformed JSON in request body"),
    };
    let streams = request.stream == Some(true);
    let wanted = request.model.clone().or_else(|| request.models.first().cloned());
    let wanted = wanted.unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    call.ticket.note(|attempt| {
        attempt.model.clone_from(&wanted);
        attempt.stream = streams;
    });
    if request.models.len() > 3 {
        return call.refuse(Refused::new(Refusal::Models, &About::default(), &[]), &[]);
    }
    if request.messages.is_empty() {
        return call.refuse_plain(400, "Input required: specify \"prompt\" or \"messages\"");
    }
    let mut candidates: Vec<String> = request.model.iter().chain(&request.models).cloned().collect();
    candidates.dedup();
    if candidates.is_empty() {
        candidates.push(wanted.clone());
    }
    let mut tried = Vec::new();
    let chosen = choose(&call, &request, &candidates, &mut tried);
    let (model, fate) = match chosen {
        Choosing::Served(model, fate) => (*model, fate),
        Choosing::Refused(mut refused, fate) => {
            call.ticket.note(|attempt| attempt.fault.clone_from(&fate.text));
            call.before_headers(&fate.faults).await;
            let routed = !tried.is_empty() && refused.status != 500;
            if call.wants_metadata()
                && routed
                && let Some(body) = refused.json.as_object_mut()
            {
                body.insert("openrouter_metadata".to_owned(), metadata(&wanted, None, &tried));
            }
            return call.refuse(refused, &fate.faults);
        }
    };
    call.ticket.note(|attempt| {
        attempt.fault.clone_from(&fate.text);
        attempt.served = model.id.to_string();
    });
    let (seed, piece_delay, (id, created), caching) = {
        let state = &mut *call.shared.lock();
        let named = state.generation_id();
        let caching = state.prompt_cache.look(&call.key, &model, &request);
        (state.config.seed, state.config.piece_delay, named, caching)
    };
    let mut answer = Answer::new(&request, &model, caching, &fate.faults, seed);
    let mut model = model;
    if call.is_kept() {
        answer.tally = Tally::default();
        model.price = Price::NOTHING;
    }
    let dated = fate.faults.contains(&Fault::Dated);
    let head = Head {
        id,
        created,
        model: if dated { &model.canonical } else { &model.id }.to_string(),
        provider: model.provider().to_owned(),
        tier: model.tier,
        metadata: call.wants_metadata().then(|| metadata(&wanted, Some(&model), &tried)),
        delay: piece_delay,
    };
    remember(&mut call, &request, &head, &model, &answer, streams);
    if streams {
        streamed(call, &head, &model, &answer, &fate.faults).await
    } else {
        plain(call, &head, &answer, &fate.faults).await
    }
}

/// What `/generation` will say.
fn remember(call: &mut Call, request: &ChatRequest, head: &Head, model: &Model, answer: &Answer, streamed: bool) {
    let record = Record {
        id: head.id.clone(),
        request_id: format!("req-{}-demo", head.created),
        session_id: request.session_id.clone().or_else(|| call.header("x-session-id")),
        created_at: iso(head.created).unwrap_or_default(),
        model: head.model.clone(),
        provider_name: head.provider.clone(),
        api_type: "completions",
        streamed,
        finish_reason: Some(answer.finish.clone()),
        native_finish_reason: Some(answer.native.clone()),
        native_tokens_prompt: answer.tally.prompt,
        native_tokens_completion: answer.tally.completion,
        native_tokens_reasoning: answer.tally.reasoning,
        native_tokens_cached: answer.tally.caching.read,
        total_cost: answer.tally.cost(),
        http_referer: call.header("http-referer"),
        user_agent: call.header("user-agent"),
        provider_responses: vec![provider_response(&head.provider, &model.canonical, 200)],
        rest: Constant::default(),
        ..Record::default()
    };
    call.ticket.remember(record);
}

async fn streamed(mut call: Call, head: &Head, model: &Model, answer: &Answer, faults: &[Fault]) -> Response<Player> {
    call.before_headers(faults).await;
    if faults.contains(&Fault::Html) {
        call.ticket.void();
        return call.body(Vec::new(), 0, faults, None);
    }
    call.ticket.meter(Meter {
        prompt: answer.tally.prompt_cost + answer.tally.extra,
        piece: model.price.at(answer.tally.prompt).1,
        reasoning: answer.tally.reasoning,
        thought: model.price.thought(answer.tally.prompt),
    });
    let track = sse::track(head, answer, faults);
    call.send(StatusCode::OK, "text/event-stream", track, Some(&head.id))
}

async fn plain(mut call: Call, head: &Head, answer: &Answer, faults: &[Fault]) -> Response<Player> {
    let (body, billed) = completion(head, answer, faults);
    if billed && !unmade(faults) {
        call.ticket.charge(answer.tally.cost());
    } else {
        call.ticket.void();
    }
    call.before_headers(faults).await;
    let delay = faults.iter().find_map(|f| {
        if let Fault::Delay(length) = f {
            Some(*length)
        } else {
            None
        }
    });
    let delay = delay.unwrap_or(head.delay);
    if !delay.is_zero() {
        tokio::time::sleep(delay.saturating_mul(u32::try_from(answer.pieces.len()).unwrap_or(u32::MAX))).await;
    }
    call.body(body, answer.tally.completion, faults, Some(&head.id))
}

/// Whether these clauses keep an answer from being generated at all.
fn unmade(faults: &[Fault]) -> bool {
    let nothing = |fault: &Fault| {
        matches!(
            fault,
            Fault::Hang
                | Fault::Reset
                | Fault::Close
                | Fault::Html
                | Fault::EmptyStream
                | Fault::Comments
                | Fault::DripCut(..)
        )
    };
    faults.iter().any(nothing)
}
