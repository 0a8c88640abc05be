//! Which calls are wanted.

use std::{fmt, time::Duration};

use serde::Deserialize;
use tower_openrouter::layers::UtcTime;

use super::{CallOutcome, CallRecord};

/// Which calls are wanted: all by default. As the query of a URL; a blank value is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Those of this client key.
    pub key: String,
    /// Those with this tag: `name=value`, or any of its values with `name`.
    pub tag: String,
    /// Those whose requested or answering model has this text in it.
    pub model: String,
    /// Those with this outcome: the name of a [`CallOutcome`], `ok`, `bad`, `rescued`, `degraded` or `cached`.
    pub outcome: String,
    /// Those that began so long ago or later: `15m`, `24h`, `7d`, or an instant, `2026-11-25T06:00:00Z`.
    pub since: String,
}

/// Why a filter cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError(String);

/// The outcomes that a filter knows.
const OUTCOMES: [&str; 11] = [
    "running",
    "answered",
    "failed",
    "interrupted",
    "refused",
    "left",
    "ok",
    "bad",
    "rescued",
    "degraded",
    "cached",
];

impl Filter {
    /// The same if all its values can be read.
    ///
    /// # Errors
    ///
    /// If the outcome or the time cannot be read.
    pub fn checked(self) -> Result<Self, FilterError> {
        if !self.outcome.is_empty() && !OUTCOMES.contains(&self.outcome.as_str()) {
            let known = OUTCOMES.join("`, `");
            return Err(FilterError(format!("unknown outcome: use one of `{known}`")));
        }
        since(&self.since)?;
        Ok(self)
    }

    /// Whether nothing is left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it wants this call.
    #[must_use]
    pub fn takes(&self, call: &CallRecord) -> bool {
        let has = |text: &Option<Box<str>>| text.as_deref().is_some_and(|text| text.contains(&*self.model));
        let key = self.key.is_empty() || call.key.as_deref() == Some(&*self.key);
        let model = self.model.is_empty() || has(&call.requested) || has(&call.model);
        let recent = since(&self.since).ok().flatten().is_none_or(|since| call.at >= since);
        key && model && recent && self.takes_tag(call) && self.takes_outcome(call)
    }

    /// Whether it may want a call in progress.
    pub(super) fn takes_running(&self) -> bool {
        matches!(&*self.outcome, "" | "running" | "degraded" | "cached")
    }

    fn takes_tag(&self, call: &CallRecord) -> bool {
        let (name, value) = match self.tag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (&*self.tag, None),
        };
        let found = call.tags.get(name);
        self.tag.is_empty() || found.is_some_and(|found| value.is_none_or(|value| value == found))
    }

    fn takes_outcome(&self, call: &CallRecord) -> bool {
        match &*self.outcome {
            "" => true,
            "ok" => call.outcome == CallOutcome::Answered,
            "bad" => matches!(call.outcome, CallOutcome::Failed | CallOutcome::Interrupted),
            "rescued" => call.rescued,
            "degraded" => call.degraded.is_some(),
            "cached" => call.cached.is_some(),
            outcome => call.outcome.as_str() == outcome,
        }
    }
}

/// An instant, or a time before now; `None` if the text is blank.
///
/// # Errors
///
/// If it is neither.
pub(crate) fn since(text: &str) -> Result<Option<UtcTime>, FilterError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(window) = window(text) {
        return Ok(Some(UtcTime::now().before(window)));
    }
    let wrong =
        || FilterError("`since` is not a time: use e.g. `15m`, `24h`, `7d` or `2026-11-25T06:00:00Z`".to_owned());
    text.parse().map(Some).map_err(|_| wrong())
}

/// A length of time: `30s`, `15m`, `24h`, `7d`.
pub(crate) fn window(text: &str) -> Option<Duration> {
    let unit = match text.chars().next_back()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u64 = text.get(..text.len() - 1)?.parse().ok()?;
    // A longer time than a hundred years is a mistake.
    let seconds = count.checked_mul(unit).filter(|seconds| *seconds <= 36_500 * 86_400)?;
    Some(Duration::from_secs(seconds))
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FilterError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_progress_are_looked_at_only_for_an_outcome_that_they_may_have() {
        let running = CallRecord {
            degraded: Some("error".into()),
            cached: Some("shared".into()),
            ..CallRecord::at(UtcTime::now(), CallOutcome::Running)
        };
        for outcome in OUTCOMES.iter().chain([&""]) {
            let filter = Filter {
                outcome: (*outcome).to_owned(),
                ..Filter::default()
            };
            assert_eq!(filter.takes_running(), filter.takes(&running), "{outcome}");
        }
    }

    #[test]
    fn times_are_read_or_refused() {
        assert_eq!(window("15m"), Some(Duration::from_secs(900)));
        for wrong in ["", "m", "15", "-1h", "99999999999999999999d", "1ü"] {
            assert_eq!(window(wrong), None, "{wrong}");
        }
        assert!(since("2026-11-25T06:00:00Z").unwrap().is_some());
        assert!(since("yesterday").is_err());
        let odd = Filter {
            outcome: "lost".to_owned(),
            ..Filter::default()
        };
        assert!(odd.checked().unwrap_err().to_string().contains("`rescued`"));
    }
}
