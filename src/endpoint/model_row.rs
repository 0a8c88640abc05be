//! One row of the list of models.

use serde_json::{Map, Value, json};

use super::Envelope;
use openrouter_wire::catalogue::Model;

/// A model as a client of this API reads it; `model` is what the catalogue knows of it.
pub(super) fn row(envelope: Envelope, id: &str, model: Option<&Model>) -> Value {
    match envelope {
        Envelope::OpenAi => json!({
            "id": id,
            "object": "model",
            "created": model.map_or(0, |model| model.created),
            "owned_by": author(id),
        }),
        Envelope::OpenRouter => whole(id, model),
    }
}

/// The author of a model: the part of its name before the slash.
fn author(model: &str) -> &str {
    model.split_once('/').map_or(model, |(author, _)| author)
}

/// A row of OpenRouter's, with every member that its SDKs require.
fn whole(id: &str, model: Option<&Model>) -> Value {
    let known = model.and_then(|model| serde_json::to_value(model).ok());
    let mut row = match known {
        Some(Value::Object(row)) => row,
        _ => Map::new(),
    };
    row.insert("id".to_owned(), id.into());
    fill(&mut row, required(id));
    Value::Object(row)
}

/// OpenRouter's answer to `/models/{id}/endpoints`, as far as its row says: the provider that is tried first. What is not known of it is `null`.
pub(super) fn endpoints(row: &Value) -> Value {
    let provider = &row["top_provider"];
    let prices = &row["pricing"];
    let endpoint = json!({
        "name": row["name"],
        "model_id": row["id"],
        "model_name": row["name"],
        "provider_name": "OpenRouter",
        "tag": "openrouter",
        "context_length": provider["context_length"].as_u64().or_else(|| row["context_length"].as_u64()).unwrap_or(0),
        "max_completion_tokens": provider["max_completion_tokens"],
        "max_prompt_tokens": null,
        "pricing": prices,
        "quantization": null,
        "supported_parameters": row["supported_parameters"],
        "uptime_last_5m": null,
        "uptime_last_30m": null,
        "uptime_last_1d": null,
        "latency_last_30m": null,
        "throughput_last_30m": null,
        "supports_implicit_caching": prices.get("input_cache_read").is_some(),
    });
    json!({
        "id": row["id"],
        "name": row["name"],
        "created": row["created"],
        "description": row.get("description").cloned().unwrap_or_else(|| "".into()),
        "architecture": row["architecture"],
        "endpoints": [endpoint],
    })
}

/// Adds what is not there or an empty text, in the objects of the row too.
fn fill(row: &mut Map<String, Value>, required: Value) {
    let Value::Object(required) = required else { return };
    for (name, value) in required {
        match row.get_mut(&name) {
            Some(Value::Object(inner)) if value.is_object() => fill(inner, value),
            Some(Value::String(text)) if text.is_empty() => row[&name] = value,
            Some(_) => {}
            None => {
                row.insert(name, value);
            }
        }
    }
}

/// The row of a model of which nothing is known. A price of -1 is OpenRouter's own for one that varies.
fn required(id: &str) -> Value {
    json!({
        "canonical_slug": id,
        "name": id,
        "created": 0,
        "context_length": null,
        "architecture": {
            "modality": null,
            "input_modalities": [],
            "output_modalities": [],
            "tokenizer": "Other",
            "instruct_type": null,
        },
        "pricing": { "prompt": "-1", "completion": "-1" },
        "top_provider": { "context_length": null, "max_completion_tokens": null, "is_moderated": false },
        "per_request_limits": null,
        "supported_parameters": [],
        "supported_voices": null,
        "default_parameters": null,
        "links": { "details": format!("/api/v1/models/{id}/endpoints") },
    })
}
