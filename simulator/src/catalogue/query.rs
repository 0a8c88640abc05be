//! `GET /models`: filters and pages.

use serde_json::{Value, json};

use super::{Model, models, show};
use crate::fault::text::decode;

/// The list under a query string; `Err` says what is wrong with it.
pub(crate) fn list(query: &str) -> Result<Value, String> {
    let pairs: Vec<(String, String)> = query.split('&').filter_map(pair).collect();
    let get = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let number = |name: &str| -> Result<Option<usize>, String> {
        get(name)
            .map(|v| v.parse().map_err(|_| format!("Invalid value for '{name}'")))
            .transpose()
    };
    let context = number("context")?.unwrap_or(0);
    let matching: Vec<Model> = models::all()
        .into_iter()
        .filter(|m| usize::try_from(m.context).is_ok_and(|c| c >= context))
        .filter(|m| get("q").is_none_or(|q| says(m, q)))
        .filter(|m| get("supported_parameters").is_none_or(|list| list.split(',').all(|p| m.takes(p.trim()))))
        .filter(|m| get("input_modalities").is_none_or(|list| list.split(',').all(|p| m.inputs.contains(&p))))
        .filter(|m| match get("output_modalities").unwrap_or("text") {
            "all" => true,
            list => list.split(',').any(|p| m.outputs.contains(&p)),
        })
        .collect();
    let total = matching.len();
    let (offset, limit) = (number("offset")?, number("limit")?);
    if limit.is_some_and(|l| l == 0 || l > 1000) {
        return Err("Invalid value for 'limit'".to_owned());
    }
    let paging = offset.is_some() || limit.is_some();
    let (offset, limit) = (
        offset.unwrap_or(0),
        limit.unwrap_or(if paging { 500 } else { usize::MAX }),
    );
    let data: Vec<Value> = matching.iter().skip(offset).take(limit).map(show::model).collect();
    let end = offset.saturating_add(data.len());
    let next = (end < total && !data.is_empty()).then(|| {
        let kept = query
            .split('&')
            .filter(|p| !p.is_empty() && !p.starts_with("offset=") && !p.starts_with("limit="));
        let kept: String = kept.map(|p| format!("&{p}")).collect();
        format!("/api/v1/models?offset={end}&limit={limit}{kept}")
    });
    Ok(json!({"data": data, "total_count": total, "links": {"next": next}}))
}

fn says(model: &Model, words: &str) -> bool {
    let words = words.to_lowercase();
    model.id.to_lowercase().contains(&words) || model.name.to_lowercase().contains(&words)
}

fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    Some((name.to_owned(), decode(&value.replace('+', " "))?))
}
