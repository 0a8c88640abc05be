//! One call as the page shows it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use askama::Template;

use tower_openrouter::UsdAmount;

use super::{lately::called, show};
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
    /// What a call in progress waits for; blank once it has ended.
    now: String,
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
            requested: match call.attempts.first() {
                _ if !requested.is_empty() => requested.to_owned(),
                Some(_) => called(call),
                None => "no model".to_owned(),
            },
            answered: if model == requested {
                String::new()
            } else {
                model.to_owned()
            },
            provider: call.provider.as_deref().unwrap_or_default().to_owned(),
            cost: cost(call)
                .map(|cost| format!("{about}{}", show::usd(cost)))
                .unwrap_or_default(),
            duration: match call.outcome {
                CallOutcome::Running => elapsed(call),
                _ => show::millis(call.duration_ms),
            },
            now: now(call),
            reason: show::with_moments(call.reason.as_deref().unwrap_or_default(), call.at),
            marks: marks(call),
            facts: facts(call),
            attempts: call
                .attempts
                .iter()
                .map(|attempt| AttemptView::new(attempt, call))
                .collect(),
        }
    }

    pub(super) const fn id(&self) -> u64 {
        self.id
    }
}

/// How long a call in progress has taken.
pub(super) fn elapsed(call: &CallRecord) -> String {
    show::duration(Duration::from_millis(call.duration_ms))
}

/// Changes with what is shown of a call in progress, but not with the time that it has taken.
pub(super) fn state(call: &CallRecord) -> u64 {
    let mut hasher = DefaultHasher::new();
    (call.status, &call.model).hash(&mut hasher);
    for attempt in &call.attempts {
        (attempt.number, attempt.outcome, attempt.first_token_ms).hash(&mut hasher);
    }
    hasher.finish()
}

/// What a call in progress waits for.
fn now(call: &CallRecord) -> String {
    if call.outcome != CallOutcome::Running {
        return String::new();
    }
    match call.attempts.iter().rev().find(|attempt| attempt.number > 0) {
        Some(last) if last.outcome == "waiting" => format!("Waits for {} at {}", last.model, last.upstream),
        Some(last) if last.outcome == "answering" => format!("Receives from {} at {}", last.model, last.upstream),
        Some(_) => "Waits for its next attempt".to_owned(),
        None => "Waits for its first attempt".to_owned(),
    }
}

/// What it cost; of a call in progress, once something is recorded.
fn cost(call: &CallRecord) -> Option<UsdAmount> {
    let is_known = |cost: &UsdAmount| call.outcome != CallOutcome::Running || *cost > UsdAmount::ZERO;
    call.cost.filter(is_known)
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
    let sent = call.attempts.iter().filter(|attempt| attempt.is_sent).count();
    if sent > 1 {
        marks.push(("quiet", format!("{sent} attempts")));
    } else if call.rescued {
        // Its first candidates were down, and nothing was sent to them.
        let skipped = call.attempts.iter().filter(|attempt| !attempt.is_sent).count();
        marks.push(("quiet", format!("{skipped} skipped")));
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
    add("Cost", cost(call).map(|cost| format!("{} {kind}", show::usd(cost))));
    add("Degraded", call.degraded.as_deref().map(str::to_owned));
    add("Cache", call.cached.as_deref().map(str::to_owned));
    add("Tags", (!call.tags.is_empty()).then(|| call.tags.to_string()));
    facts
}

impl AttemptView {
    fn new(attempt: &AttemptRecord, call: &CallRecord) -> Self {
        let class = match attempt.outcome {
            "answered" => "ok",
            "waiting" | "answering" => "busy",
            "dropped" | "skipped" => "quiet",
            _ => "bad",
        };
        // A plain response comes whole.
        let first = attempt
            .first_token_ms
            .filter(|_| call.streamed)
            .map(|first| format!("first token {}", show::millis(first)));
        // What was refused at once took no time.
        let took = attempt.duration_ms.filter(|took| attempt.is_sent || *took > 0);
        let took = took.map(|took| format!("took {}", show::millis(took)));
        let status = attempt.status.map(|status| format!("{status} ")).unwrap_or_default();
        let about = if attempt.cost_is_estimate { "≈ " } else { "" };
        let reason = attempt.reason.as_deref().unwrap_or_default();
        // The badge has the kind already.
        let kind = reason.strip_prefix(attempt.outcome);
        let reason = kind.and_then(|rest| rest.strip_prefix(": ")).unwrap_or(reason);
        let is_of_call = !attempt.is_sent && call.reason.as_deref() == Some(reason);
        Self {
            number: match attempt.number {
                0 => "–".to_owned(),
                _ if !attempt.is_sent && attempt.outcome != "waiting" => "–".to_owned(),
                number => number.to_string(),
            },
            model: attempt.model.to_string(),
            place: match &attempt.provider {
                Some(provider) => format!("{provider} via {}", attempt.upstream),
                None => attempt.upstream.to_string(),
            },
            word: format!("{status}{}", attempt.outcome.replace('_', " ")),
            class,
            reason: if is_of_call {
                String::new()
            } else {
                show::with_moments(reason, call.at)
            },
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

#[cfg(test)]
mod tests {
    use tower_openrouter::layers::UtcTime;

    use super::*;

    fn call(outcome: CallOutcome) -> CallRecord {
        CallRecord::at(UtcTime::from_millis(0), outcome)
    }

    #[test]
    fn a_call_without_a_model_is_one_to_the_chain_once_it_has_attempts() {
        assert_eq!(CallView::new(&call(CallOutcome::Refused)).requested, "no model");
        let view = CallView::new(&call(CallOutcome::Failed).attempted("upstream", ""));
        assert_eq!(
            (&*view.requested, &*view.answered),
            ("the chain (a/b first)", ""),
            "{view:?}"
        );
    }

    #[test]
    fn what_refused_a_call_is_shown_once_and_its_attempt_has_no_number() {
        let reason = "the budget is full again at 1970-01-02T00:00:00.000Z";
        let mut call = call(CallOutcome::Refused).attempted("budget_exceeded", &format!("budget_exceeded: {reason}"));
        call.reason = Some(reason.into());
        (call.attempts[0].is_sent, call.attempts[0].duration_ms) = (false, Some(0));
        let view = CallView::new(&call);
        assert_eq!(view.reason, "the budget is full again at 2 Jan 00:00 UTC");
        let attempt = &view.attempts[0];
        assert_eq!(
            (&*attempt.number, &*attempt.reason, &*attempt.times),
            ("–", "", "at +0 ms")
        );
    }

    #[test]
    fn a_sent_attempt_has_its_number_and_its_reason_without_the_kind() {
        let view = CallView::new(&call(CallOutcome::Failed).attempted("overloaded", "overloaded: try again"));
        let attempt = &view.attempts[0];
        assert_eq!((&*attempt.number, &*attempt.reason), ("1", "try again"));
    }

    #[test]
    fn a_call_in_progress_has_no_cost_before_something_is_recorded() {
        for (outcome, cost) in [(CallOutcome::Running, ""), (CallOutcome::Answered, "$0.00")] {
            let mut call = call(outcome);
            call.cost = Some(UsdAmount::ZERO);
            assert_eq!(CallView::new(&call).cost, cost);
        }
    }
}
