//! What the model says: text, reasoning or a tool call, in pieces, with the count of each.

mod extra;
mod schema;
mod text;
mod tool;

use crate::catalogue::Model;
use crate::fault::Fault;
use crate::prompt_cache::Caching;
use crate::wire::request::ChatRequest;
use crate::wire::usage::Tally;

/// One token of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A word of reasoning.
    Reasoning(String),
    /// A word of the answer.
    Text(String),
    /// The head of a tool call: id and name.
    Call(String, String),
    /// A part of its arguments.
    Arguments(String),
}

/// A whole answer, before anything goes wrong with it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) finish: String,
    pub(crate) native: String,
    pub(crate) tally: Tally,
    /// Reasoning is counted, but not shown.
    pub(crate) hidden: bool,
    pub(crate) format: &'static str,
}

impl Answer {
    /// The answer to a request, under the shaping clauses among `faults`.
    pub(crate) fn new(request: &ChatRequest, model: &Model, caching: Caching, faults: &[Fault], seed: u64) -> Self {
        let mut pieces: Vec<Piece> = thoughts(request, model, faults);
        let mut finish = "stop";
        match tool::called(request, faults) {
            Some((id, name, arguments)) => {
                finish = "tool_calls";
                pieces.push(Piece::Call(id, name));
                pieces.extend(text::chop(&arguments, 10).into_iter().map(Piece::Arguments));
            }
            None => pieces.extend(said(request, faults, seed).into_iter().map(Piece::Text)),
        }
        let limit = usize::try_from(request.limit().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        if faults.contains(&Fault::ReasoningOnly) {
            let budget = if limit == usize::MAX { 256 } else { limit.min(100_000) };
            pieces = text::words(&text::thinking(budget))
                .into_iter()
                .map(Piece::Reasoning)
                .collect();
            finish = "length";
        } else if pieces.len() > limit {
            pieces.truncate(limit);
            finish = "length";
        }
        let given = faults.iter().find_map(|f| {
            if let Fault::Finish(reason) = f {
                Some(reason.as_str())
            } else {
                None
            }
        });
        let finish = given.unwrap_or(finish);
        Self {
            tally: tally(request, model, caching, &pieces, faults),
            pieces,
            native: native(model, finish).to_owned(),
            finish: finish.to_owned(),
            hidden: request.hides_reasoning(),
            format: model.reasoning_format,
        }
    }

    /// The text of its first `n` pieces that are text.
    pub(crate) fn text(&self, pieces: usize) -> String {
        self.pieces
            .iter()
            .take(pieces)
            .filter_map(|p| if let Piece::Text(t) = p { Some(t.as_str()) } else { None })
            .collect()
    }

    /// All its reasoning, unless that is hidden.
    pub(crate) fn reasoning(&self) -> Option<String> {
        let all: String = self
            .pieces
            .iter()
            .filter_map(|p| {
                if let Piece::Reasoning(t) = p {
                    Some(t.as_str())
                } else {
                    None
                }
            })
            .collect();
        (!all.is_empty() && !self.hidden).then_some(all)
    }

    /// Its tool call: id, name, arguments.
    pub(crate) fn call(&self) -> Option<(&str, &str, String)> {
        let (id, name) = self.pieces.iter().find_map(|p| {
            if let Piece::Call(id, name) = p {
                Some((id, name))
            } else {
                None
            }
        })?;
        let arguments = self
            .pieces
            .iter()
            .filter_map(|p| {
                if let Piece::Arguments(t) = p {
                    Some(t.as_str())
                } else {
                    None
                }
            })
            .collect();
        Some((id, name, arguments))
    }
}

fn thoughts(request: &ChatRequest, model: &Model, faults: &[Fault]) -> Vec<Piece> {
    let planned = faults.iter().find_map(|f| {
        if let Fault::Reasoning(words) = f {
            Some(*words)
        } else {
            None
        }
    });
    let asked = (request.wants_reasoning() && model.takes("reasoning")).then(|| request.thinking());
    let words = usize::try_from(planned.or(asked).unwrap_or(0)).unwrap_or(0);
    text::words(&text::thinking(words))
        .into_iter()
        .map(Piece::Reasoning)
        .collect()
}

fn said(request: &ChatRequest, faults: &[Fault], seed: u64) -> Vec<String> {
    if let Some(bytes) = faults
        .iter()
        .find_map(|f| if let Fault::BigEvent(n) = f { Some(*n) } else { None })
    {
        return vec!["x".repeat(usize::try_from(bytes).unwrap_or(0))];
    }
    if let Some(value) = schema::asked(&request.response_format) {
        return text::chop(&value.to_string(), 12);
    }
    let whole = faults
        .iter()
        .find_map(|fault| match fault {
            Fault::Text(text) => Some(text.clone()),
            Fault::Words(count) => Some(text::of_words(usize::try_from(*count).unwrap_or(0))),
            _ => None,
        })
        .unwrap_or_else(|| text::paragraph(&request.question(), seed));
    let rest = request.prefill().and_then(|prefill| {
        let rest = whole.strip_prefix(prefill.as_str())?;
        let again = faults.contains(&Fault::SayAgain).then(|| text::last_sentence(&prefill));
        Some(format!("{}{rest}", again.unwrap_or_default()))
    });
    let rest = rest.or_else(|| {
        let (begun, last) = request
            .instructed_to_continue()
            .filter(|_| faults.contains(&Fault::Obey))?;
        Some(format!("{last}{}", whole.strip_prefix(begun.as_str())?))
    });
    text::words(&rest.unwrap_or(whole))
}

fn tally(request: &ChatRequest, model: &Model, caching: Caching, pieces: &[Piece], faults: &[Fault]) -> Tally {
    let prompt = request.prompt_tokens();
    let planned = faults
        .iter()
        .find_map(|f| if let Fault::Cached(n) = f { Some(*n) } else { None });
    let caching = planned.map_or(caching, |read| Caching {
        read: read.min(prompt),
        ..Caching::default()
    });
    let completion = pieces.len() as u64;
    let reasoning = pieces.iter().filter(|p| matches!(p, Piece::Reasoning(_))).count() as u64;
    let price = &model.price;
    let mut tally = Tally {
        prompt,
        caching,
        completion,
        reasoning,
        prompt_cost: price.prompt(prompt, &caching),
        completion_cost: price.at(prompt).1 * (completion - reasoning) + price.thought(prompt) * reasoning,
        ..Tally::default()
    };
    tally.extra = extra::of(request, model, &tally);
    tally
}

/// The provider's own word for a finish reason.
fn native<'a>(model: &Model, finish: &'a str) -> &'a str {
    match (model.tokenizer, finish) {
        ("Claude", "stop") => "end_turn",
        ("Claude", "length") => "max_tokens",
        ("Claude", "tool_calls") => "tool_use",
        ("Gemini", "stop" | "tool_calls") => "STOP",
        ("Gemini", "length") => "MAX_TOKENS",
        ("Gemini", "content_filter") => "SAFETY",
        (_, other) => other,
    }
}
