//! Refusals of callers: counted by reason, and logged, a line a second at most with how many there were, so that a stranger cannot fill the disk.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The least time between two lines.
const EVERY: Duration = Duration::from_secs(1);

/// The time after which a refusal is a single one again.
const QUIET: Duration = Duration::from_secs(60);

/// The most of a text of a caller in a line, in letters.
const LONGEST: usize = 200;

/// The reasons, each of which has a series from the start.
const REASONS: [&str; 7] = [
    "missing_api_key",
    "invalid_api_key",
    "api_key_expired",
    "api_key_revoked",
    "cross_site",
    "admin_token",
    "admin_off",
];

/// How many there were in this process, by reason.
static REFUSED: Mutex<BTreeMap<&str, u64>> = Mutex::new(BTreeMap::new());

/// Counts and logs refusals. Cheap to clone; clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct RefusalLog(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    logged: Option<Instant>,
    refused: u64,
}

impl RefusalLog {
    /// A caller is refused for this reason; `key` is the name of its client key, if it has one.
    pub(crate) fn refused(&self, reason: &'static str, key: Option<&str>, path: &str) {
        let mut all = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(reason).or_default();
        *count = count.saturating_add(1);
        drop(all);
        let path = cut(path);
        match self.count() {
            None => {}
            Some((refused, false)) => {
                tracing::info!(target: "gateway::keys", reason, key, path, refused, "caller refused");
            }
            // Callers that are refused again and again may all have a key that this gateway does not have.
            Some((refused, true)) => {
                tracing::warn!(target: "gateway::keys", reason, key, path, refused, "caller refused");
            }
        }
    }

    /// Counts one. Says how many there were since the last line if it is time for another, and whether there was one a short time ago.
    fn count(&self) -> Option<(u64, bool)> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.refused = counted.refused.saturating_add(1);
        let now = Instant::now();
        let since = counted.logged.map(|logged| now.duration_since(logged));
        if since.is_some_and(|since| since < EVERY) {
            return None;
        }
        counted.logged = Some(now);
        let is_again = since.is_some_and(|since| since < QUIET);
        Some((std::mem::take(&mut counted.refused), is_again))
    }
}

/// How many callers were refused, as Prometheus reads it.
pub(crate) fn refusals() -> String {
    let mut text =
        "# HELP gateway_refusals Requests that were refused for their client key or the admin's token, by reason\n\
                    # TYPE gateway_refusals counter\n"
            .to_owned();
    let refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    for reason in REASONS {
        let count = refused.get(reason).copied().unwrap_or(0);
        text.push_str(&format!("gateway_refusals{{reason=\"{reason}\"}} {count}\n"));
    }
    text
}

/// The beginning of a text of a caller.
pub(crate) fn cut(text: &str) -> &str {
    text.char_indices()
        .nth(LONGEST)
        .and_then(|(end, _)| text.get(..end))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_a_second_has_the_count_of_all() {
        let log = RefusalLog::default();
        let mut told = Vec::new();
        for _ in 0..100 {
            told.extend(log.count());
            advance(EVERY / 20).await;
        }
        let refused: Vec<_> = told.iter().map(|(refused, _)| *refused).collect();
        assert_eq!(refused, [1, 20, 20, 20, 20]);
        let warns: Vec<_> = told.iter().map(|(_, is_again)| *is_again).collect();
        assert_eq!(warns, [false, true, true, true, true], "one alone is no warning");
        advance(QUIET * 2).await;
        assert_eq!(log.count().map(|(_, is_again)| is_again), Some(false));
    }

    #[test]
    fn each_reason_has_a_series_from_the_start() {
        let log = RefusalLog::default();
        let count = |text: &str| -> u64 {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("gateway_refusals{reason=\"api_key_revoked\"} "));
            line.unwrap().parse().unwrap()
        };
        let before = count(&refusals());
        log.refused("api_key_revoked", Some("acme"), "/v1/models");
        assert_eq!(count(&refusals()), before + 1);
        for reason in REASONS {
            assert!(refusals().contains(&format!("{{reason=\"{reason}\"}} ")), "{reason}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ä".repeat(300)), "ä".repeat(200));
    }
}
