//! Logs refusals of callers: a line a second at most, with how many there were, so that a stranger cannot fill the disk.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The least time between two lines.
const EVERY: Duration = Duration::from_secs(1);

/// The most of a text of a caller in a line, in letters.
const LONGEST: usize = 200;

/// Logs refusals. Cheap to clone; clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct RefusalLog(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    logged: Option<Instant>,
    refused: u64,
}

impl RefusalLog {
    /// A caller is refused for this reason.
    pub(crate) fn refused(&self, reason: &str, path: &str) {
        if let Some(refused) = self.count() {
            let path = cut(path);
            tracing::info!(target: "gateway::keys", reason, path, refused, "caller refused");
        }
    }

    /// Counts one. Says how many there were since the last line if it is time for another.
    fn count(&self) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.refused = counted.refused.saturating_add(1);
        let now = Instant::now();
        if counted.logged.is_some_and(|logged| now.duration_since(logged) < EVERY) {
            return None;
        }
        counted.logged = Some(now);
        Some(std::mem::take(&mut counted.refused))
    }
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
        assert_eq!(told, [1, 20, 20, 20, 20]);
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ä".repeat(300)), "ä".repeat(200));
    }
}
