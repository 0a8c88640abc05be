//! Which setting a problem of the build is about.

use tower_llm_layers::{Candidate, budget::BudgetError, fallback::ChainError};

use super::{CandidateSettings, Settings};
use crate::{
    stack::{BuildProblem, known_as, named},
    transport::TransportProblem,
};

/// The path of the setting; empty if it cannot be determined.
pub(super) fn key_of(problem: &BuildProblem, settings: &Settings) -> String {
    match problem {
        BuildProblem::Key(_) => "upstream".to_owned(),
        BuildProblem::Candidate { field, place, .. } => format!("{field}[{}]", place.saturating_sub(1)),
        BuildProblem::Chain(ChainError::Twice { candidate }) => last("chain", &settings.chain, candidate),
        BuildProblem::Chain(_) => "chain".to_owned(),
        BuildProblem::Transport(problem) => of_transport(problem, settings),
        BuildProblem::Circuit(_) => "circuit_breaker".to_owned(),
        BuildProblem::Budget(
            BudgetError::Name { name } | BudgetError::Twice { name } | BudgetError::NotPositive { name },
        ) => {
            let place = settings.budget.iter().rposition(|budget| budget.name == *name);
            place.map_or_else(|| "budget".to_owned(), |place| format!("budget[{place}].name"))
        }
        BuildProblem::Budget(_) | BuildProblem::BudgetsTwice | BuildProblem::NoPrices | BuildProblem::BudgetsForget => {
            "budget".to_owned()
        }
        BuildProblem::FinishReason { reason, .. } => {
            let mut entries = settings.fail_on_finish_reason.iter();
            let place = entries.rposition(|entry| named(&known_as(entry.reason.as_str().into())) == *reason);
            place.map_or_else(
                || "fail_on_finish_reason".to_owned(),
                |place| format!("fail_on_finish_reason[{place}].reason"),
            )
        }
        BuildProblem::NegativePrice => "unknown_price".to_owned(),
        BuildProblem::NoChain => "cheaper".to_owned(),
        BuildProblem::CheaperTwice(candidate) | BuildProblem::CheaperInChain(candidate) => {
            last("cheaper", &settings.cheaper, candidate)
        }
        BuildProblem::UnknownUpstream { candidate, .. } => of_candidate(candidate, settings),
        BuildProblem::Parameter { candidate, name, .. } => {
            format!("{}.parameters.{name}", of_candidate(candidate, settings))
        }
        BuildProblem::Limits { field, .. }
        | BuildProblem::ZeroAttempts { field }
        | BuildProblem::ZeroLimit { field }
        | BuildProblem::AboveDeadline { field, .. } => (*field).to_owned(),
    }
}

fn of_transport(problem: &TransportProblem, settings: &Settings) -> String {
    let upstream = |name: &str, key: &str| {
        let place = settings
            .upstream
            .iter()
            .rposition(|upstream| upstream.name.trim() == name);
        place.map_or_else(|| "upstream".to_owned(), |place| format!("upstream[{place}].{key}"))
    };
    match problem {
        TransportProblem::BlankName => upstream("", "name"),
        TransportProblem::SameName { upstream: name } => upstream(name, "name"),
        TransportProblem::BaseUrl { upstream: name, .. } => upstream(name, "base_url"),
        TransportProblem::Attribution { field } => format!("attribution.{field}"),
        TransportProblem::Proxy { .. } => "connections.proxy".to_owned(),
        TransportProblem::Setting { field, .. } if ["max_event_bytes", "trailer_timeout"].contains(field) => {
            (*field).to_owned()
        }
        TransportProblem::Setting { field, .. } => format!("connections.{field}"),
        TransportProblem::NoUpstream => "upstream".to_owned(),
        TransportProblem::Client { .. } => "connections".to_owned(),
    }
}

fn of_candidate(candidate: &Candidate, settings: &Settings) -> String {
    if settings.chain.iter().any(|entry| is(entry, candidate)) {
        return last("chain", &settings.chain, candidate);
    }
    last("cheaper", &settings.cheaper, candidate)
}

/// The last entry that is this candidate.
fn last(key: &str, entries: &[CandidateSettings], candidate: &Candidate) -> String {
    let place = entries.iter().rposition(|entry| is(entry, candidate));
    place.map_or_else(|| key.to_owned(), |place| format!("{key}[{place}]"))
}

fn is(entry: &CandidateSettings, candidate: &Candidate) -> bool {
    entry.upstream.trim() == candidate.upstream() && entry.model.trim() == candidate.model()
}
