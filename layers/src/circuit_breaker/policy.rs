//! When a circuit opens and closes, and what is wrong with such settings.

use std::{fmt, time::Duration};

use crate::MAX_DURATION;

/// When a circuit opens, and how it closes again. The same for every candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CircuitPolicy {
    pub(super) window_calls: usize,
    pub(super) window_time: Duration,
    pub(super) min_calls: u32,
    pub(super) error_ratio: f64,
    pub(super) slow: Option<(Duration, f64)>,
    pub(super) open_for: Duration,
    pub(super) open_at_most: Duration,
    pub(super) probes: u32,
    pub(super) probe_successes: u32,
    pub(super) return_over: Duration,
    pub(super) last_resorts: u32,
}

/// Why a policy makes no sense: everything that is wrong with it, one [`CircuitProblem`] or more. Prints one line for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircuitError {
    /// Never empty.
    problems: Vec<CircuitProblem>,
}

impl CircuitError {
    /// All that is wrong; never empty.
    #[must_use]
    pub fn problems(&self) -> &[CircuitProblem] {
        &self.problems
    }
}

impl fmt::Display for CircuitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for CircuitError {}

/// One field that is wrong. Names the field, what is wrong with it, and the fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CircuitProblem {
    /// A ratio that is no share.
    Ratio {
        /// The field's name.
        field: &'static str,
    },
    /// A count or a time of zero.
    Zero {
        /// The field's name.
        field: &'static str,
    },
    /// More attempts are needed than the window holds, so that it would never open.
    NeverOpens,
}

impl fmt::Display for CircuitProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio { field } => write!(
                f,
                "the ratio `{field}` of the circuit breaker is not a ratio: give more than 0 and at most 1, e.g. 0.5"
            ),
            Self::Zero { field } => write!(f, "`{field}` of the circuit breaker is 0: give more"),
            Self::NeverOpens => f.write_str(
                "`min_calls` of the circuit breaker is above `window_calls`, so it would never open: raise the window",
            ),
        }
    }
}

impl std::error::Error for CircuitProblem {}

impl CircuitPolicy {
    /// Opens if half of the last attempts failed (100 at most, none older than 30 s, at least 5); probes after 5 s, then 10,
    /// then 20, with one attempt at a time; closes after two good ones and returns to full traffic over 10 s.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            window_calls: 100,
            window_time: Duration::from_secs(30),
            min_calls: 5,
            error_ratio: 0.5,
            slow: None,
            open_for: Duration::from_secs(5),
            open_at_most: Duration::from_secs(20),
            probes: 1,
            probe_successes: 2,
            return_over: Duration::from_secs(10),
            last_resorts: 50,
        }
    }

    /// How many of the last attempts count, and for how long each does; 100 and 30 s by default.
    #[must_use]
    pub const fn window(mut self, calls: usize, time: Duration) -> Self {
        self.window_calls = calls;
        self.window_time = time;
        self
    }

    /// The fewest attempts in the window before the rate counts; 5 by default.
    #[must_use]
    pub const fn min_calls(mut self, calls: u32) -> Self {
        self.min_calls = calls;
        self
    }

    /// The share of failures at which it opens; 0.5 by default.
    #[must_use]
    pub const fn error_ratio(mut self, ratio: f64) -> Self {
        self.error_ratio = ratio;
        self
    }

    /// Opens also if at least this share of the attempts took longer than `after` to begin their answer: the streamed ones, since
    /// a plain answer begins when it is whole. Off by default.
    #[must_use]
    pub const fn slow(mut self, after: Duration, ratio: f64) -> Self {
        self.slow = Some((after, ratio));
        self
    }

    /// How long it stays open at first; twice as long after each probe that fails, up to `at_most`. 5 s and 20 s by default.
    #[must_use]
    pub const fn open_for(mut self, first: Duration, at_most: Duration) -> Self {
        self.open_for = first;
        self.open_at_most = at_most;
        self
    }

    /// How many probes may run at once, and how many must go well before it closes; 1 and 2 by default.
    #[must_use]
    pub const fn probes(mut self, at_once: u32, successes: u32) -> Self {
        self.probes = at_once;
        self.probe_successes = successes;
        self
    }

    /// How long the return to full traffic takes once it has closed: the share let through rises in a straight line. 10 s by
    /// default; zero for all at once.
    #[must_use]
    pub const fn return_over(mut self, time: Duration) -> Self {
        self.return_over = time;
        self
    }

    /// How many attempts may be in flight at an open circuit if the call has [no other candidate
    /// left](crate::Call::is_last_resort); 50 by default. Zero refuses them at once, however the others ended.
    #[must_use]
    pub const fn last_resorts(mut self, at_once: u32) -> Self {
        self.last_resorts = at_once;
        self
    }

    /// # Errors
    ///
    /// If it would never open, or never close.
    pub(super) fn check(&self) -> Result<(), CircuitError> {
        let is_share = |ratio: f64| ratio > 0.0 && ratio <= 1.0;
        let ratios = [
            ("error_ratio", is_share(self.error_ratio)),
            ("slow", self.slow.is_none_or(|(_, ratio)| is_share(ratio))),
        ];
        let counts = [
            ("window_time", self.window_time.is_zero()),
            ("min_calls", self.min_calls == 0),
            ("probes", self.probes == 0),
            ("probe_successes", self.probe_successes == 0),
            ("open_for", self.open_for.is_zero()),
        ];
        let no_shares = ratios.into_iter().filter(|(_, is_share)| !is_share);
        let zeros = counts.into_iter().filter(|(_, is_zero)| *is_zero);
        let mut problems: Vec<_> = no_shares.map(|(field, _)| CircuitProblem::Ratio { field }).collect();
        problems.extend(zeros.map(|(field, _)| CircuitProblem::Zero { field }));
        if usize::try_from(self.min_calls).is_ok_and(|calls| calls > self.window_calls) {
            problems.push(CircuitProblem::NeverOpens);
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(CircuitError { problems })
    }

    /// How long it stays open after so many failed probes.
    pub(super) fn open_after(&self, failed_probes: u32) -> Duration {
        let twice = 2_u32.saturating_pow(failed_probes);
        self.open_for.saturating_mul(twice).min(self.longest_open())
    }

    fn longest_open(&self) -> Duration {
        self.open_at_most.max(self.open_for).min(MAX_DURATION)
    }

    /// The longest that a circuit is open or recovering: one that was unused for longer may as well be closed.
    pub(super) fn longest_state(&self) -> Duration {
        self.longest_open().saturating_add(self.return_over)
    }
}

impl Default for CircuitPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for CircuitPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "opens if {:.0} % of the last {} attempts in {:?} failed ({} at least)",
            self.error_ratio * 100.0,
            self.window_calls,
            self.window_time,
            self.min_calls
        )?;
        if let Some((after, ratio)) = self.slow {
            write!(f, ", or {:.0} % took over {after:?} to begin", ratio * 100.0)?;
        }
        write!(
            f,
            "; probes after {:?}, closes after {} good ones, back to full traffic over {:?}",
            self.open_for, self.probe_successes, self.return_over
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_never_open_or_close_is_refused() {
        let policy = CircuitPolicy::new();
        assert_eq!(policy.check(), Ok(()));
        let second = Duration::from_secs(1);
        let ratio = |field| CircuitProblem::Ratio { field };
        let zero = |field| CircuitProblem::Zero { field };
        for (policy, problem) in [
            (policy.error_ratio(0.0), ratio("error_ratio")),
            (policy.error_ratio(1.1), ratio("error_ratio")),
            (policy.error_ratio(f64::NAN), ratio("error_ratio")),
            (policy.slow(second, 0.0), ratio("slow")),
            (policy.min_calls(0), zero("min_calls")),
            (policy.probes(0, 1), zero("probes")),
            (policy.probes(1, 0), zero("probe_successes")),
            (policy.window(9, Duration::ZERO), zero("window_time")),
            (policy.open_for(Duration::ZERO, second), zero("open_for")),
            (policy.window(4, second), CircuitProblem::NeverOpens),
        ] {
            let error = policy.check().unwrap_err();
            assert_eq!(error.problems(), [problem]);
            assert!(error.to_string().contains("give") || error.to_string().contains("raise"));
        }
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let policy = CircuitPolicy::new()
            .error_ratio(2.0)
            .probes(0, 0)
            .window(1, Duration::ZERO);
        let error = policy.check().unwrap_err();
        assert_eq!(error.problems().len(), 5, "{error}");
        let told = error.to_string();
        assert_eq!(told.lines().count(), 5, "{told}");
        for field in [
            "error_ratio",
            "probes",
            "probe_successes",
            "window_time",
            "window_calls",
        ] {
            assert!(told.contains(field), "{told}");
        }
    }

    #[test]
    fn it_stays_open_twice_as_long_each_time_up_to_the_most() {
        let policy = CircuitPolicy::new();
        let seconds: Vec<_> = [0, 1, 2, 3, 99]
            .map(|probes| policy.open_after(probes).as_secs())
            .into();
        assert_eq!(seconds, [5, 10, 20, 20, 20]);
    }
}
