//! What is billed beside one turn of the model: further answers, server tools, plugins.
//!
//! A server tool is called once in each step, until its `max_uses` are spent; the loop stops after the step that reaches `step_count`, or passes
//! `max_cost`, and one more turn ends it.

use serde_json::Value;

use super::Tally;
use crate::catalogue::Model;
use crate::money::Cost;
use crate::request::Request;

/// A search of up to five results.
const SEARCH: Cost = Cost::from_pico(5_000_000_000);

/// The tokens of five results.
const RESULTS: u64 = 2_000;

/// A fetched page.
const FETCH: Cost = Cost::from_pico(1_000_000_000);

/// What another model costs that is called on the way: one of a panel, an advisor, a painter.
const MODEL: Cost = Cost::from_pico(1_000_000_000_000);

/// A document, parsed by the page.
const DOCUMENT: Cost = Cost::from_pico(2_000_000_000_000);

/// Steps of the loop if the request does not say, and the most.
const STEPS: u64 = 30;

/// What one call of a tool adds.
struct Tool {
    cost: Cost,
    tokens: u64,
    uses: u64,
}

/// The bill beside `tally`'s own turn.
pub(super) fn of(request: &Request, model: &Model, tally: &Tally) -> Cost {
    let choices = request.n.unwrap_or(1).max(1);
    let answers = tally.completion_cost() * choices;
    let (mut bill, found) = plugins(request);
    let mut prompt = tally.prompt + found;
    let turn = |prompt: u64| model.price.at(prompt).0 * prompt + answers;
    let mut tools: Vec<Tool> = request.tools.iter().filter_map(server_tool).collect();
    let (steps, max_cost) = limits(request);
    if !tools.is_empty() && steps > 0 {
        for _ in 0..steps {
            bill += turn(prompt);
            let is_over = max_cost.is_some_and(|most| bill > most);
            for tool in tools.iter_mut().filter(|tool| tool.uses > 0) {
                tool.uses -= 1;
                bill += tool.cost;
                prompt += tool.tokens;
            }
            prompt += tally.completion * choices;
            if is_over {
                break;
            }
        }
    }
    // The last turn, beside what the tally has counted of it.
    let grown = prompt.saturating_sub(tally.prompt);
    bill + model.price.at(prompt).0 * grown + tally.completion_cost() * (choices - 1)
}

/// What plugins cost, and the tokens that they add to the prompt.
fn plugins(request: &Request) -> (Cost, u64) {
    let (mut bill, mut tokens) = (Cost::ZERO, 0);
    let mut parser = "mistral-ocr";
    for plugin in request.plugins.as_array().into_iter().flatten() {
        let id = plugin.get("id").and_then(Value::as_str).unwrap_or_default();
        let is_off = plugin.get("enabled") == Some(&Value::Bool(false));
        match id {
            "file-parser" if is_off => parser = "native",
            "file-parser" => {
                let engine = plugin.pointer("/pdf/engine").and_then(Value::as_str);
                parser = engine.map_or(parser, |engine| if engine == "mistral-ocr" { engine } else { "native" });
            }
            _ if is_off => {}
            "web" => {
                let uses = number(plugin, "max_uses").unwrap_or(1);
                let fives = number(plugin, "max_results").unwrap_or(5).div_ceil(5);
                bill += SEARCH * uses * fives;
                tokens += RESULTS * uses * fives;
            }
            "fusion" => {
                let panel = plugin
                    .get("analysis_models")
                    .and_then(Value::as_array)
                    .map_or(3, Vec::len);
                bill += MODEL * (panel as u64 + 1);
            }
            _ => {}
        }
    }
    if parser == "mistral-ocr" && request.messages.iter().any(crate::request::Message::has_file) {
        bill += DOCUMENT;
    }
    (bill, tokens)
}

fn server_tool(tool: &Value) -> Option<Tool> {
    let kind = tool.get("type").and_then(Value::as_str)?;
    let name = kind.strip_prefix("openrouter:")?;
    let options = tool.get("parameters").unwrap_or(&Value::Null);
    let uses = number(options, "max_uses").unwrap_or(u64::MAX);
    let (cost, tokens) = match name {
        "datetime" => (Cost::ZERO, 20),
        "web_search" => {
            let fives = number(options, "max_results").unwrap_or(5).div_ceil(5);
            (SEARCH * fives, RESULTS * fives)
        }
        "web_fetch" => (FETCH, number(options, "max_content_tokens").unwrap_or(50_000)),
        _ => (MODEL, 500),
    };
    Some(Tool { cost, tokens, uses })
}

/// The steps of the loop, and the cost after which it stops.
fn limits(request: &Request) -> (u64, Option<Cost>) {
    let Some(conditions) = request.stop_server_tools_when.as_array() else {
        return (request.max_tool_calls.unwrap_or(STEPS).min(STEPS), None);
    };
    let of_type = |kind: &'static str| {
        let is_it = move |condition: &&Value| condition.get("type").and_then(Value::as_str) == Some(kind);
        conditions.iter().filter(is_it)
    };
    let steps = of_type("step_count_is")
        .filter_map(|condition| number(condition, "step_count"))
        .min();
    let costs = of_type("max_cost").filter_map(|condition| {
        let dollars = condition.get("max_cost_in_dollars")?;
        dollars.to_string().trim_matches('"').parse::<Cost>().ok()
    });
    (steps.unwrap_or(STEPS * 10), costs.min())
}

fn number(object: &Value, name: &str) -> Option<u64> {
    object.get(name).and_then(Value::as_u64)
}
