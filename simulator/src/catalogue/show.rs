//! Models and endpoints as JSON.

use serde_json::{Value, json};

use super::{Endpoint, Model, Price};
use crate::money::Cost;

/// The Model object of `/models`.
pub(crate) fn model(model: &Model) -> Value {
    let reasons = model.takes("reasoning");
    let mut shown = json!({
        "id": model.id,
        "canonical_slug": model.canonical,
        "name": model.name,
        "created": model.created,
        "description": "",
        "context_length": model.context,
        "architecture": architecture(model),
        "pricing": pricing(&model.price, 100),
        "top_provider": {
            "context_length": if model.price.varies { Value::Null } else { model.context.into() },
            "max_completion_tokens": model.max_completion,
            "is_moderated": model.moderated,
        },
        "per_request_limits": null,
        "supported_parameters": model.parameters,
        "default_parameters": null,
        "supported_voices": null,
        "expiration_date": if model.id.ends_with(":free") { json!("2026-12-31") } else { Value::Null },
        "knowledge_cutoff": null,
        "hugging_face_id": null,
        "links": {"details": format!("/api/v1/models/{}/endpoints", model.id)},
    });
    if reasons && let Some(object) = shown.as_object_mut() {
        object.insert(
            "reasoning".to_owned(),
            json!({"mandatory": model.id == "openai/gpt-5", "default_enabled": false, "default_effort": "medium",
                   "supported_efforts": ["high", "medium", "low"], "supports_max_tokens": model.id != "openai/gpt-5"}),
        );
    }
    shown
}

/// The body of `/models/{author}/{slug}/endpoints`.
pub(crate) fn endpoints(model: &Model) -> Value {
    let offers: Vec<Value> = model.endpoints.iter().map(|offer| endpoint(model, offer)).collect();
    json!({"data": {
        "id": model.id,
        "name": model.name,
        "created": model.created,
        "description": "",
        "architecture": architecture(model),
        "endpoints": offers,
    }})
}

fn endpoint(model: &Model, offer: &Endpoint) -> Value {
    let mut pricing = pricing(&model.price, offer.markup);
    if let Some(object) = pricing.as_object_mut() {
        object.insert("discount".to_owned(), 0.into());
    }
    let spread = |p50: f64| json!({"p50": p50, "p75": p50 * 1.5, "p90": p50 * 2.0, "p99": p50 * 6.0});
    let slower = |p50: f64| json!({"p50": p50, "p75": p50 * 1.25, "p90": p50 * 1.5, "p99": p50 * 1.75});
    json!({
        "name": format!("{} | {}", offer.provider, model.id),
        "model_id": model.canonical,
        "model_name": model.name,
        "provider_name": offer.provider,
        "tag": offer.tag,
        "quantization": offer.tag.split_once('/').map(|(_, q)| q).filter(|q| q.starts_with("fp")).unwrap_or("unknown"),
        "context_length": model.context,
        "max_completion_tokens": model.max_completion,
        "max_prompt_tokens": null,
        "pricing": pricing,
        "supported_parameters": model.parameters,
        "status": 0,
        "uptime_last_5m": offer.uptime,
        "uptime_last_30m": offer.uptime,
        "uptime_last_1d": offer.uptime,
        "latency_last_30m": spread(offer.latency_ms),
        "throughput_last_30m": slower(offer.throughput),
        "supports_implicit_caching": model.price.cache_read.is_some(),
        "supports_voice_cloning": false,
    })
}

fn architecture(model: &Model) -> Value {
    let modality = format!("{}->{}", model.inputs.join("+"), model.outputs.join("+"));
    json!({"modality": modality, "input_modalities": model.inputs, "output_modalities": model.outputs,
           "tokenizer": model.tokenizer, "instruct_type": null})
}

/// Decimal strings, at so many hundredths of the price.
fn pricing(price: &Price, hundredths: u64) -> Value {
    if price.varies {
        return json!({"prompt": "-1", "completion": "-1"});
    }
    let show = |cost: Cost| Value::from(Cost::from_pico(cost.pico() * hundredths / 100).to_string());
    let mut shown = json!({"prompt": show(price.prompt), "completion": show(price.completion)});
    if let Some(object) = shown.as_object_mut() {
        if let Some(read) = price.cache_read {
            object.insert("input_cache_read".to_owned(), show(read));
        }
        if let Some(write) = price.cache_write {
            object.insert("input_cache_write".to_owned(), show(write));
        }
        if let Some(write) = price.cache_write_1h {
            object.insert("input_cache_write_1h".to_owned(), show(write));
        }
        if let Some(reasoning) = price.reasoning {
            object.insert("internal_reasoning".to_owned(), show(reasoning));
        }
        if let Some((limit, prompt, completion)) = price.above {
            let entry = json!({"min_prompt_tokens": limit, "prompt": show(prompt), "completion": show(completion)});
            object.insert("overrides".to_owned(), Value::Array(vec![entry]));
        }
    }
    shown
}
