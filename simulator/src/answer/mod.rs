//! What the model says: text, reasoning or a tool call, in pieces, with the count of each.

mod extra;
mod schema;
mod shown;
mod tally;
mod text;
mod tool;

pub(crate) use shown::Shown;
pub(crate) use tally::Tally;

use crate::catalogue::{Caching, Model};
use crate::fault::{Fault, Surrogate, given};
use crate::request::Request;

/// Stands for the first half of a surrogate pair, which no string can hold.
pub(crate) const HIGH_HALF: char = '\u{f0000}';
/// Stands for the second half.
pub(crate) const LOW_HALF: char = '\u{f0001}';

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
    pub(crate) fn new(request: &Request, model: &Model, caching: Caching, faults: &[Fault], seed: u64) -> Self {
        let mut pieces: Vec<Piece> = thoughts(request, model, faults);
        let mut finish = "stop";
        match tool::called(request, faults) {
            Some((id, name, arguments)) => {
                finish = "tool_calls";
                pieces.push(Piece::Call(id, name));
                pieces.extend(text::chop(&arguments, 10).into_iter().map(Piece::Arguments));
            }
            None if request.is_embedding() => pieces.clear(),
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
        let finish = given!(faults, Fault::Finish).unwrap_or_else(|| finish.to_owned());
        Self {
            tally: tally(request, model, caching, &pieces, faults),
            pieces,
            native: given!(faults, Fault::Native).unwrap_or_else(|| native(model, &finish).to_owned()),
            finish,
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

fn thoughts(request: &Request, model: &Model, faults: &[Fault]) -> Vec<Piece> {
    let planned = given!(faults, Fault::Reasoning);
    let asked = (request.wants_reasoning() && model.takes("reasoning")).then(|| request.thinking());
    let words = usize::try_from(planned.or(asked).unwrap_or(0)).unwrap_or(0);
    text::words(&text::thinking(words))
        .into_iter()
        .map(Piece::Reasoning)
        .collect()
}

fn said(request: &Request, faults: &[Fault], seed: u64) -> Vec<String> {
    if let Some(bytes) = given!(faults, Fault::BigEvent) {
        return vec!["x".repeat(usize::try_from(bytes).unwrap_or(0))];
    }
    let text = given!(faults, Fault::Text);
    if text.is_none()
        && let Some(value) = schema::asked(&request.response_format)
    {
        return text::chop(&value.to_string(), 12);
    }
    let words = || given!(faults, Fault::Words).map(|count| text::of_words(usize::try_from(count).unwrap_or(0)));
    let whole = text
        .or_else(words)
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
    let mut words = text::words(&rest.unwrap_or(whole));
    match given!(faults, Fault::Surrogate) {
        Some(Surrogate::Lone) => words.push(HIGH_HALF.to_string()),
        Some(Surrogate::Split) => words.extend([HIGH_HALF, LOW_HALF].map(String::from)),
        None => {}
    }
    words
}

fn tally(request: &Request, model: &Model, caching: Caching, pieces: &[Piece], faults: &[Fault]) -> Tally {
    let prompt = request.prompt_tokens();
    let planned = given!(faults, Fault::Cached);
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
        token_cost: price.at(prompt).1,
        thought_cost: price.thought(prompt),
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
