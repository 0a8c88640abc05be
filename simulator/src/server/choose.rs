//! Which of the models a request names serves it.

use serde_json::{Value, json};

use super::{call::Call, providers};
use crate::catalogue::{self, Caching, Model};
use crate::fault::{Fault, Refusal};
use crate::plans::Fate;
use crate::request::{Message, Request};
use crate::wire::error::{About, Refused};
use crate::wire::{Api, shape_of};

/// What serves the request: a model and its faults, or the last error.
pub(crate) enum Choosing {
    Served(Box<Served>),
    Refused(Refused, Fate),
}

/// The model that answers, and what goes wrong.
pub(crate) struct Served {
    pub(crate) model: Model,
    pub(crate) fate: Fate,
    /// The prompt is longer than the context, and the API says so by an answer that ends by length, with nothing to pay.
    pub(crate) is_overlong: bool,
}

/// The first candidate without an error before the commit, or the last error.
pub(crate) fn choose(call: &Call, request: &Request, candidates: &[String], tried: &mut Vec<Value>) -> Choosing {
    let mut last = None;
    for name in candidates {
        let Some(model) = known(call, name).map(|model| model.at_tier(request.service_tier.as_deref(), name)) else {
            let about = About {
                model: name.clone(),
                ..About::default()
            };
            last = Some((Refused::new(Refusal::Model, &about, &[]), Fate::well()));
            continue;
        };
        let fate = call.fate(name);
        let Some((model, fate)) = providers::route(call, request, model, fate, tried) else {
            let about = About {
                model: name.clone(),
                ..About::default()
            };
            last = Some((Refused::new(Refusal::NoEndpoints, &about, &[]), Fate::well()));
            continue;
        };
        let about = About {
            model: name.clone(),
            provider: model.provider().to_owned(),
            context: model.context,
            prompt_tokens: request.prompt_tokens(),
            limit: request.limit(),
        };
        let Some(refusal) = fate.refusal().or_else(|| natural(call, request, &model, &fate)) else {
            tried.push(json!({"provider": model.provider(), "model": model.id, "status": 200}));
            return Choosing::Served(Box::new(Served {
                model,
                fate,
                is_overlong: false,
            }));
        };
        if refusal == Refusal::Context && call.api == Api::Responses && shape_of(&fate.faults).is_none() {
            tried.push(json!({"provider": model.provider(), "model": model.id, "status": 200}));
            return Choosing::Served(Box::new(overlong(model, fate)));
        }
        tried.push(json!({"provider": model.provider(), "model": model.id, "status": refusal.status()}));
        last = Some((Refused::new(refusal, &about, &fate.faults), fate));
    }
    let (refused, fate) = last.unwrap_or_else(|| (Refused::plain(400, "No models provided"), Fate::well()));
    Choosing::Refused(refused, fate)
}

/// The end by length that stands for a context that is too short.
fn overlong(model: Model, mut fate: Fate) -> Served {
    fate.faults.retain(|fault| !matches!(fault, Fault::Refuse(_)));
    let nothing = [
        Fault::Text(String::new()),
        Fault::NoTool,
        Fault::Reasoning(0),
        Fault::Finish("length".to_owned()),
    ];
    fate.faults.splice(0..0, nothing);
    Served {
        model,
        fate,
        is_overlong: true,
    }
}

/// The model of that name. One that is not in the catalogue, but has a plan, is like `openai/gpt-4o-mini`.
fn known(call: &Call, name: &str) -> Option<Model> {
    let planned = call.shared.lock().plans.has(name);
    match name.strip_prefix("sim/") {
        Some(text) if !planned && text.parse::<crate::Plan>().is_err() => None,
        Some(_) => catalogue::find(name),
        None => catalogue::find(name).or_else(|| {
            let mut model = catalogue::find("sim/ok").filter(|_| planned)?;
            model.id = name.to_owned().into();
            model.canonical = model.id.clone();
            Some(model)
        }),
    }
}

/// Errors that are in no plan: the request is one that this model, or this account, cannot serve.
fn natural(call: &Call, request: &Request, model: &Model, fate: &Fate) -> Option<Refusal> {
    if fate.faults.contains(&Fault::NoPrefill) && request.prefill().is_some() {
        return Some(Refusal::Prefill);
    }
    let output = if call.api == Api::Embeddings {
        "embeddings"
    } else {
        "text"
    };
    if !model.outputs.contains(&output) && !model.is_simulated() {
        return Some(Refusal::NoEndpoints);
    }
    let (prompt_price, answer_price) = model.price.at(request.prompt_tokens());
    let too_dear = |kind, price| request.max_price(kind).is_some_and(|most| price > most);
    if too_dear("prompt", prompt_price) || too_dear("completion", answer_price) {
        return Some(Refusal::Constraint);
    }
    if !request.tools.is_empty() && !model.takes("tools") {
        return Some(Refusal::NoTools);
    }
    if request.messages.iter().any(Message::has_image) && !model.inputs.contains(&"image") {
        return Some(Refusal::NoImages);
    }
    let prompt = request.prompt_tokens();
    if prompt.saturating_add(request.limit().unwrap_or(0)) > model.context {
        return Some(Refusal::Context);
    }
    let (credits, billed) = {
        let state = call.shared.lock();
        (state.config.credits?, state.billed)
    };
    let left = credits.saturating_sub(billed);
    let (prompt_cost, piece) = (
        model.price.prompt(prompt, &Caching::default()),
        model.price.at(prompt).1,
    );
    if left.pico() == 0 {
        return Some(Refusal::Balance);
    }
    let asked = request.limit()?;
    if prompt_cost + piece * asked > left {
        let tokens = left
            .saturating_sub(prompt_cost)
            .pico()
            .checked_div(piece.pico())
            .unwrap_or(0);
        return Some(Refusal::Afford(u32::try_from(tokens).unwrap_or(u32::MAX)));
    }
    None
}

/// `openrouter_metadata`.
pub(crate) fn metadata(wanted: &str, served: Option<&Model>, tried: &[Value]) -> Value {
    let provider = served.map(Model::provider);
    let available: Vec<Value> = served.map_or_else(Vec::new, |model| {
        let offers = model.endpoints.iter().enumerate();
        offers
            .map(|(n, o)| json!({"provider": o.provider, "model": model.id, "selected": n == 0}))
            .collect()
    });
    json!({
        "requested": wanted,
        "strategy": if tried.len() > 1 { "fallback" } else { "direct" },
        "region": "ams",
        "summary": format!("available={}, selected={}", available.len(), provider.unwrap_or("none")),
        "attempt": tried.len(),
        "is_byok": false,
        "endpoints": {"total": available.len(), "available": available},
        "attempts": tried,
    })
}
