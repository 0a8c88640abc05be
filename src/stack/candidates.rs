//! What candidates bring along: checked before the first call.

use std::fmt;

use serde::de::IgnoredAny;
use tower_llm_layers::Candidate;

use super::BuildProblem;

/// What the stack itself writes.
const OF_THE_STACK: [&str; 4] = ["model", "models", "messages", "stream"];

/// Candidates with all that they bring along.
pub(super) struct CandidatesDebug<'a>(pub(super) &'a [Candidate]);

impl fmt::Debug for CandidatesDebug<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = |candidate: &Candidate| -> Vec<_> {
            let own = candidate.parameters();
            own.map(|(name, json)| (name.to_owned(), json.map(str::to_owned)))
                .collect()
        };
        let whole = self
            .0
            .iter()
            .map(|candidate| (candidate, candidate.timeouts(), parameters(candidate)));
        f.debug_list().entries(whole).finish()
    }
}

/// Adds what would never work.
pub(super) fn check<'a>(candidates: impl Iterator<Item = &'a Candidate>, wrong: &mut Vec<BuildProblem>) {
    for candidate in candidates {
        if candidate.timeouts().has_zero() {
            wrong.push(BuildProblem::ZeroLimit { field: "with_timeouts" });
        }
        for (name, json) in candidate.parameters() {
            let problem = if OF_THE_STACK.contains(&name) {
                "the stack sets it by itself"
            } else if json.is_some_and(|json| serde_json::from_str::<IgnoredAny>(json).is_err()) {
                "its value is not JSON: text stands in quotes, e.g. `\"low\"`"
            } else {
                continue;
            };
            wrong.push(BuildProblem::Parameter {
                candidate: candidate.clone(),
                name: name.to_owned(),
                problem,
            });
        }
    }
}
