//! Why a reconciler does not start: the settings that cannot be.

use std::{fmt, time::Duration};

use super::schedule::{MOST_WAIT, SHORTEST_WAIT};

/// Why a reconciler does not start: everything that is wrong with its settings, one [`ReconcilerProblem`] or more. Prints one line for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcilerError {
    /// Never empty.
    problems: Vec<ReconcilerProblem>,
}

impl ReconcilerError {
    /// All that is wrong; never empty.
    #[must_use]
    pub fn problems(&self) -> &[ReconcilerProblem] {
        &self.problems
    }
}

impl fmt::Display for ReconcilerError {
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

impl std::error::Error for ReconcilerError {}

/// One setting that is wrong. Names the field, its value, and the fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReconcilerProblem {
    /// A wait that is too short or too long.
    Wait {
        /// The field's name.
        field: &'static str,
        /// What was set.
        given: Duration,
        /// The longest that it may be; the shortest is 1 ms.
        at_most: Duration,
    },
    /// A count of zero.
    Zero {
        /// The field's name.
        field: &'static str,
    },
}

impl fmt::Display for ReconcilerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait { field, given, at_most } => {
                write!(
                    f,
                    "`{field}` of the reconciler is {given:?}: give {SHORTEST_WAIT:?} to {at_most:?}"
                )?;
                if *field == "first_wait" && *at_most < MOST_WAIT {
                    f.write_str(", or raise `longest_wait`")?;
                }
                Ok(())
            }
            Self::Zero { field } => write!(f, "`{field}` of the reconciler is 0: give 1 or more"),
        }
    }
}

impl std::error::Error for ReconcilerProblem {}

/// Checks the settings of a reconciler: its first and longest wait, and the counts by their names.
///
/// # Errors
///
/// Everything that is wrong.
pub(super) fn check(
    first: Duration,
    longest: Duration,
    counts: [(&'static str, usize); 2],
) -> Result<(), ReconcilerError> {
    let range = SHORTEST_WAIT..=MOST_WAIT;
    // A first wait is not compared with a longest one that is itself refused.
    let limit = if range.contains(&longest) { longest } else { MOST_WAIT };
    let waits = [("first_wait", first, limit), ("longest_wait", longest, MOST_WAIT)];
    let mut problems: Vec<_> = waits
        .into_iter()
        .filter(|(_, given, at_most)| !(SHORTEST_WAIT..=*at_most).contains(given))
        .map(|(field, given, at_most)| ReconcilerProblem::Wait { field, given, at_most })
        .collect();
    let zeros = counts.into_iter().filter(|(_, count)| *count == 0);
    problems.extend(zeros.map(|(field, _)| ReconcilerProblem::Zero { field }));
    if problems.is_empty() {
        return Ok(());
    }
    Err(ReconcilerError { problems })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: [(&str, usize); 2] = [("max_pending", 1), ("max_requests", 1)];
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_within_their_bounds_are_taken() {
        for (first, longest) in [
            (SHORTEST_WAIT, SHORTEST_WAIT),
            (SHORTEST_WAIT, MOST_WAIT),
            (MOST_WAIT, MOST_WAIT),
            (SECOND, SECOND),
        ] {
            assert_eq!(check(first, longest, FINE), Ok(()), "{first:?} {longest:?}");
        }
    }

    #[test]
    fn a_wait_out_of_its_bounds_is_refused_with_its_value_and_the_fix() {
        let short = Duration::from_micros(999);
        for (first, longest, field, message) in [
            (
                Duration::ZERO,
                SECOND,
                "first_wait",
                "is 0ns: give 1ms to 1s, or raise `longest_wait`",
            ),
            (short, SECOND, "first_wait", "is 999µs: give 1ms to 1s"),
            (2 * SECOND, SECOND, "first_wait", "is 2s: give 1ms to 1s, or raise"),
            (SECOND, Duration::ZERO, "longest_wait", "is 0ns: give 1ms to 86400s"),
            (
                SECOND,
                MOST_WAIT + SECOND,
                "longest_wait",
                "is 86401s: give 1ms to 86400s",
            ),
        ] {
            let error = check(first, longest, FINE).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.problems().len(), 1, "{text}");
            assert!(text.starts_with(&format!("`{field}` of the reconciler")), "{text}");
            assert!(text.contains(message), "{text}");
        }
    }

    #[test]
    fn every_wrong_setting_is_named_at_once() {
        let counts = [("max_pending", 0), ("max_requests", 0)];
        let error = check(Duration::ZERO, Duration::MAX, counts).unwrap_err();
        let text = error.to_string();
        assert_eq!((error.problems().len(), text.lines().count()), (4, 4), "{text}");
        for field in ["first_wait", "longest_wait", "max_pending", "max_requests"] {
            assert!(text.contains(&format!("`{field}` of the reconciler is ")), "{text}");
        }
    }
}
