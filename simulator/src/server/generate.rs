//! The calls that generate something: one course for every API.

use http::{Response, StatusCode};
use serde_json::Value;

use super::call::Call;
use super::choose::{Choosing, Served, choose, metadata};
use crate::answer::{Answer, Shown, Tally};
use crate::catalogue::Model;
use crate::fault::{Fault, Refusal, given};
use crate::generation::{Constant, Record, iso, provider_response};
use crate::request::Request;
use crate::stage::{Player, stream};
use crate::wire::error::{About, Refused};
use crate::wire::{Api, Head, Odd};

/// The model of an account that names none.
const DEFAULT_MODEL: &str = "openai/gpt-4o-mini";

/// Answers a request.
pub(crate) async fn answer(mut call: Call) -> Response<Player> {
    let api = call.api;
    let request = match api.read(&call.body) {
        Ok(request) => request,
        Err(wrong) => return call.refuse_plain(400, &wrong),
    };
    let asked_for_stream = request.stream == Some(true) && api != Api::Embeddings;
    let wanted = request.model.clone().or_else(|| request.models.first().cloned());
    let wanted = wanted.unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    call.ticket.note(|attempt| {
        attempt.model.clone_from(&wanted);
        attempt.stream = asked_for_stream;
    });
    if request.models.len() > 3 {
        return call.refuse(Refused::new(Refusal::Models, &About::default(), &[]), &[]);
    }
    if let Some(missing) = api.missing(&request) {
        return call.refuse_plain(400, missing);
    }
    let mut candidates: Vec<String> = request.model.iter().chain(&request.models).cloned().collect();
    candidates.dedup();
    if candidates.is_empty() {
        candidates.push(wanted.clone());
    }
    let mut tried = Vec::new();
    let served = match choose(&call, &request, &candidates, &mut tried) {
        Choosing::Served(served) => *served,
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
        attempt.fault.clone_from(&served.fate.text);
        attempt.served = served.model.id.to_string();
        served.model.provider().clone_into(&mut attempt.provider);
    });
    let routed = call
        .wants_metadata()
        .then(|| metadata(&wanted, Some(&served.model), &tried));
    let (head, answer) = prepare(&mut call, &request, &served, routed);
    let faults = &served.fate.faults;
    let streams = (asked_for_stream && !faults.contains(&Fault::AsPlain))
        || (api != Api::Embeddings && faults.contains(&Fault::AsStream));
    remember(&mut call, &request, &head, &served.model, &answer, streams);
    if streams {
        streamed(call, &head, &answer, faults).await
    } else {
        plain(call, &head, &answer, faults).await
    }
}

/// The answer, and what all its parts have in common.
fn prepare(call: &mut Call, request: &Request, served: &Served, metadata: Option<Value>) -> (Head, Answer) {
    let (model, faults) = (&served.model, &served.fate.faults);
    let (seed, delay, (id, created), caching) = {
        let state = &mut *call.shared.lock();
        let named = state.generation_id();
        let caching = state.prompt_cache.look(&call.key, model, request);
        (state.config.seed, state.config.piece_delay, named, caching)
    };
    let mut answer = Answer::new(request, model, caching, faults, seed);
    if call.is_kept() {
        answer.tally = Tally::default();
    } else if served.is_overlong {
        answer.tally = answer.tally.nothing();
    }
    let dated = faults.contains(&Fault::Dated);
    let head = Head {
        id,
        created,
        model: if dated { &model.canonical } else { &model.id }.to_string(),
        provider: model.provider().to_owned(),
        tier: model.tier,
        metadata,
        delay,
        seed,
        asked: serde_json::from_slice(&call.body).unwrap_or_default(),
        odd: Odd::new(call.api, faults),
    };
    (head, answer)
}

/// What `/generation` will say.
fn remember(call: &mut Call, request: &Request, head: &Head, model: &Model, answer: &Answer, streamed: bool) {
    let record = Record {
        id: head.id.clone(),
        request_id: format!("req-{}-demo", head.created),
        session_id: request.session_id.clone().or_else(|| call.header("x-session-id")),
        created_at: iso(head.created).unwrap_or_default(),
        model: head.model.clone(),
        provider_name: head.provider.clone(),
        api_type: call.api.generation_type(),
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

async fn streamed(mut call: Call, head: &Head, answer: &Answer, faults: &[Fault]) -> Response<Player> {
    call.before_headers(faults).await;
    if faults.contains(&Fault::Html) {
        call.ticket.void();
        return call.body(Vec::new(), 0, faults, None);
    }
    call.ticket.meter(answer.tally.clone());
    let track = stream::track(call.api, head, answer, faults);
    call.send(StatusCode::OK, "text/event-stream", track, Some(&head.id))
}

async fn plain(mut call: Call, head: &Head, answer: &Answer, faults: &[Fault]) -> Response<Player> {
    let shown = Shown::new(answer, faults);
    let body = call.api.plain(head, &shown, answer, faults);
    match &shown.billed {
        Some(tally) if !unmade(faults) => call.ticket.charge(tally),
        _ => call.ticket.void(),
    }
    call.before_headers(faults).await;
    let delay = given!(faults, Fault::Delay).unwrap_or(head.delay);
    if !delay.is_zero() {
        tokio::time::sleep(delay.saturating_mul(u32::try_from(answer.pieces.len()).unwrap_or(u32::MAX))).await;
    }
    let pieces = if call.api == Api::Embeddings {
        1
    } else {
        answer.tally.completion
    };
    call.body(body, pieces, faults, Some(&head.id))
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
