//! Which of a model's providers serves a request: by the request's own preferences, and by the plans of providers.

use serde_json::{Value, json};

use super::call::Call;
use crate::{catalogue::Model, plans::Fate, request::Request};

/// The model as one provider offers it, and what befalls the request there; nothing if no provider may serve it. Those that refuse before
/// are passed over.
pub(super) fn route(
    call: &Call,
    request: &Request,
    model: Model,
    mut fate: Fate,
    tried: &mut Vec<Value>,
) -> Option<(Model, Fate)> {
    if model.endpoints.is_empty() {
        return Some((model, fate));
    }
    let places = order(&model, request);
    let falls_back = request.provider.get("allow_fallbacks").and_then(Value::as_bool) != Some(false);
    for (nth, place) in places.iter().enumerate() {
        let mut one = model.clone();
        one.endpoints = model.endpoints.get(*place..=*place).unwrap_or_default();
        let Some(own) = call.fate_of_provider(one.provider()) else {
            return Some((one, fate));
        };
        match own.refusal() {
            Some(refusal) if falls_back && nth + 1 < places.len() => {
                tried.push(json!({"provider": one.provider(), "model": one.id, "status": refusal.status()}));
            }
            _ => {
                fate.faults.extend(own.faults);
                return Some((one, fate));
            }
        }
    }
    None
}

/// The places of the model's endpoints that may serve it, in the order in which they are tried.
fn order(model: &Model, request: &Request) -> Vec<usize> {
    let slugs = |name: &str| -> Vec<&str> {
        let list = request.provider.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let (first, only, ignored) = (slugs("order"), slugs("only"), slugs("ignore"));
    let place_in = |list: &[&str], at: usize| {
        let tag = model.endpoints.get(at).map_or("", |endpoint| endpoint.tag);
        let base = tag.split('/').next().unwrap_or_default();
        list.iter().position(|slug| *slug == tag || *slug == base)
    };
    let may = |at: &usize| place_in(&ignored, *at).is_none() && (only.is_empty() || place_in(&only, *at).is_some());
    let mut places: Vec<_> = (0..model.endpoints.len()).filter(may).collect();
    places.sort_by_key(|at| place_in(&first, *at).unwrap_or(usize::MAX));
    places
}
