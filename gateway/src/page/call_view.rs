//! One call as the page shows it.

use askama::Template;

use super::show;
use crate::calls::{AttemptRecord, CallOutcome, CallRecord};

/// A call in the list: a line, and its attempts behind it.
#[derive(Debug, Template)]
#[template(path = "call.html")]
pub(super) struct CallView {
    id: u64,
    at: String,
    clock: String,
    /// The word of its badge, and the class of its colour.
    word: &'static str,
    class: &'static str,
    key: String,
    requested: String,
    /// The model that answered, if it is another one.
    answered: String,
    provider: String,
    cost: String,
    duration: String,
    reason: String,
    marks: Vec<(&'static str, String)>,
    facts: Vec<(&'static str, String)>,
    attempts: Vec<AttemptView>,
}

#[derive(Debug)]
struct AttemptView {
    number: String,
    model: String,
    place: String,
    word: String,
    class: &'static str,
    reason: String,
    times: String,
    cost: String,
}

impl CallView {
    pub(super) fn new(call: &CallRecord) -> Self {
        let (word, class) = badge(call);
        let model = call.model.as_deref().unwrap_or_default();
        let requested = call.requested.as_deref().unwrap_or(model);
        let about = if call.cost_is_estimate { "≈ " } else { "" };
        Self {
            id: call.id,
            at: call.at.to_string(),
            clock: show::clock(call.at),
            word,
            class,
            key: call.key.as_deref().unwrap_or_default().to_owned(),
            requested: if requested.is_empty() { "no model" } else { requested }.to_owned(),
            answered: if model == requested {
                String::new()
            } else {
                model.to_owned()
            },
            provider: call.provider.as_deref().unwrap_or_default().to_owned(),
            cost: call
                .cost
                .map(|cost| format!("{about}{}", show::usd(cost)))
                .unwrap_or_default(),
            duration: match call.outcome {
                CallOutcome::Running => String::new(),
                _ => show::millis(call.duration_ms),
            },
            reason: call.reason.as_deref().unwrap_or_default().to_owned(),
            marks: marks(call),
            facts: facts(call),
            attempts: call.attempts.iter().map(AttemptView::new).collect(),
        }
    }

    pub(super) const fn id(&self) -> u64 {
        self.id
    }
}

const fn badge(call: &CallRecord) -> (&'static str, &'static str) {
    match call.outcome {
        CallOutcome::Running => ("running", "busy"),
        CallOutcome::Answered if call.rescued => ("rescued", "rescue"),
        CallOutcome::Answered if call.degraded.is_some() => ("degraded", "warn"),
        CallOutcome::Answered => ("answered", "ok"),
        CallOutcome::Failed => ("failed", "bad"),
        CallOutcome::Interrupted => ("interrupted", "bad"),
        CallOutcome::Refused => ("refused", "quiet"),
        CallOutcome::Left => ("left", "quiet"),
    }
}

/// What is special about it, beside its badge.
fn marks(call: &CallRecord) -> Vec<(&'static str, String)> {
    let mut marks = Vec::new();
    if call.rescued && call.degraded.is_some() {
        marks.push(("warn", "degraded".to_owned()));
    }
    if call.cached.is_some() {
        marks.push(("quiet", "cached".to_owned()));
    }
    let sent = call.attempts.iter().filter(|attempt| attempt.number > 0).count();
    if sent > 1 {
        marks.push(("quiet", format!("{sent} attempts")));
    }
    marks
}

fn facts(call: &CallRecord) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    add(
        "API",
        Some(format!("{}{}", call.api, if call.streamed { ", streamed" } else { "" })),
    );
    add("Status", call.status.map(|status| status.to_string()));
    add(
        "First token",
        call.first_token_ms.filter(|_| call.streamed).map(show::millis),
    );
    add(
        "Tokens",
        call.tokens.map(|tokens| {
            let cached = if tokens.cached > 0 {
                format!(" ({} cached)", show::grouped(tokens.cached))
            } else {
                String::new()
            };
            format!(
                "{} in{cached}, {} out",
                show::grouped(tokens.prompt),
                show::grouped(tokens.answer)
            )
        }),
    );
    add("Estimate", call.estimate.map(show::usd));
    let kind = if call.cost_is_estimate { "estimated" } else { "billed" };
    add("Cost", call.cost.map(|cost| format!("{} {kind}", show::usd(cost))));
    add("Degraded", call.degraded.as_deref().map(str::to_owned));
    add("Cache", call.cached.as_deref().map(str::to_owned));
    add("Tags", (!call.tags.is_empty()).then(|| call.tags.to_string()));
    facts
}

impl AttemptView {
    fn new(attempt: &AttemptRecord) -> Self {
        let class = match attempt.outcome {
            "answered" => "ok",
            "waiting" | "answering" => "busy",
            "dropped" | "skipped" => "quiet",
            _ => "bad",
        };
        let first = attempt
            .first_token_ms
            .map(|first| format!("first token {}", show::millis(first)));
        let took = attempt.duration_ms.map(|took| format!("took {}", show::millis(took)));
        let status = attempt.status.map(|status| format!("{status} ")).unwrap_or_default();
        let about = if attempt.cost_is_estimate { "≈ " } else { "" };
        Self {
            number: match attempt.number {
                0 => "–".to_owned(),
                number => number.to_string(),
            },
            model: attempt.model.to_string(),
            place: match &attempt.provider {
                Some(provider) => format!("{provider} via {}", attempt.upstream),
                None => attempt.upstream.to_string(),
            },
            word: format!("{status}{}", attempt.outcome.replace('_', " ")),
            class,
            reason: attempt.reason.as_deref().unwrap_or_default().to_owned(),
            times: [Some(format!("at +{}", show::millis(attempt.started_ms))), first, took]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" · "),
            cost: attempt
                .cost
                .map(|cost| format!("{about}{}", show::usd(cost)))
                .unwrap_or_default(),
        }
    }
}
