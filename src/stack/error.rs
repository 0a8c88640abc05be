//! What can be wrong with the settings of a stack.

use std::{fmt, time::Duration};

use tower_llm_layers::{
    Candidate, CandidateError, auth::KeyError, budget::BudgetError, circuit_breaker::CircuitProblem,
    fallback::ChainError, rate_limit::LimitsError,
};

use crate::{problems::write_lines, transport::TransportProblem};

/// Why a stack could not be built: everything that is wrong, one [`BuildProblem`] or more. Prints one line for each.
///
/// ```
/// use std::time::Duration;
/// use tower_openrouter::{ApiKey, Stack};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let error = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
///     .chain(["openai/gpt-5"])
///     .attempts(0)
///     .idle_timeout(Duration::ZERO)
///     .build()
///     .unwrap_err();
/// assert_eq!(error.problems().len(), 2);
/// assert_eq!(
///     error.to_string(),
///     "`attempts` is 0: at least 1 is needed to make a call at all\n\
///      `idle_timeout` is 0: give it some time, or `None` for no limit"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError {
    /// Never empty.
    problems: Vec<BuildProblem>,
}

impl BuildError {
    /// All that is wrong; never empty.
    #[must_use]
    pub fn problems(&self) -> &[BuildProblem] {
        &self.problems
    }

    /// Of these problems, of which there is one at least.
    pub(super) const fn of(problems: Vec<BuildProblem>) -> Self {
        Self { problems }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_lines(f, &self.problems)
    }
}

impl std::error::Error for BuildError {
    /// What lies under the problem, if there is but one.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.problems.as_slice() {
            [problem] => problem.source(),
            _ => None,
        }
    }
}

/// Each becomes a problem, and an error of one problem.
macro_rules! problem_from {
    ($($error:ty => $variant:ident),* $(,)?) => {$(
        impl From<$error> for BuildProblem {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }

        impl From<$error> for BuildError {
            fn from(error: $error) -> Self {
                BuildProblem::from(error).into()
            }
        }
    )*};
}

problem_from! {
    KeyError => Key,
    ChainError => Chain,
    BudgetError => Budget,
    CircuitProblem => Circuit,
}

impl From<BuildProblem> for BuildError {
    fn from(problem: BuildProblem) -> Self {
        Self::of(vec![problem])
    }
}

/// One setting of a stack that is wrong: which, what is wrong with it, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildProblem {
    /// A key.
    Key(KeyError),
    /// A model that was named.
    Candidate {
        /// In which setting.
        field: &'static str,
        /// In which place of it, from 1.
        place: usize,
        /// What is wrong with it.
        error: CandidateError,
    },
    /// The chain as a whole.
    Chain(ChainError),
    /// An upstream, or the transport.
    Transport(TransportProblem),
    /// Limits.
    Limits {
        /// In which setting.
        field: &'static str,
        /// What is wrong with them.
        error: LimitsError,
    },
    /// The circuit breaker.
    Circuit(CircuitProblem),
    /// A budget.
    Budget(BudgetError),
    /// A finish reason that is to count as a failure.
    FinishReason {
        /// Which.
        reason: String,
        /// What is wrong with it, and the fix.
        problem: &'static str,
    },
    /// Both `budgets`, and `budget` or `budget_store`, are set.
    BudgetsTwice,
    /// There are budgets, and no price list that a reservation could be computed by.
    NoPrices,
    /// `unknown_price` assumes a price with a part below zero.
    NegativePrice,
    /// The accounts of the budgets are in this process, which forgets them, beside a ledger that does not.
    BudgetsForget,
    /// A candidate names an upstream that is not configured.
    UnknownUpstream {
        /// Which.
        candidate: Candidate,
        /// Those that are there.
        known: Vec<String>,
    },
    /// There are cheaper models, and no chain that they could stand behind.
    NoChain,
    /// A cheaper model is given twice.
    CheaperTwice(Candidate),
    /// A model of the chain is given as a cheaper one, too: its answers would be marked or not as it comes.
    CheaperInChain(Candidate),
    /// A parameter of a candidate cannot be set.
    Parameter {
        /// Whose.
        candidate: Candidate,
        /// Which.
        name: String,
        /// Why not.
        problem: &'static str,
    },
    /// A number of attempts is zero.
    ZeroAttempts {
        /// Which setting.
        field: &'static str,
    },
    /// A limit is zero.
    ZeroLimit {
        /// Which setting.
        field: &'static str,
    },
    /// A timeout of an attempt is longer than the whole call may take.
    AboveDeadline {
        /// Which timeout.
        field: &'static str,
        /// How long it is.
        limit: Duration,
        /// How long the whole call may take.
        deadline: Duration,
    },
}

impl fmt::Display for BuildProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::Candidate { field, place, error } => write!(f, "{error} (entry {place} of `{field}`)"),
            Self::Chain(error) => error.fmt(f),
            Self::Transport(problem) => problem.fmt(f),
            Self::Limits { field, error } => write!(f, "`{field}`: {error}"),
            Self::Circuit(error) => error.fmt(f),
            Self::Budget(error) => error.fmt(f),
            Self::FinishReason { reason, problem } => {
                write!(f, "the finish reason `{reason}` of `fail_on_finish_reason` {problem}")
            }
            Self::BudgetsTwice => f.write_str(
                "`budgets` is set, and also `budget` or `budget_store`: put all of them into the one `Budgets`, with its store",
            ),
            Self::NoPrices => f.write_str(
                "there are budgets and no prices: give the stack a catalogue with `.prices(…)`, or say with `.unknown_price(…)` what a \
                 call is taken to cost",
            ),
            Self::NegativePrice => f.write_str(
                "`unknown_price` assumes a price below zero: no reservation can be computed by it; give each part of it as zero or more",
            ),
            Self::BudgetsForget => f.write_str(
                "the budgets begin empty after each restart, although a durable ledger knows what was spent: create them with \
                 `Budgets::new(…)`, call `ledger.restore(&budgets).await` before the first call, and give them with `.budgets(…)`; or keep \
                 their accounts in a shared store with `.budget_store(…)`",
            ),
            Self::UnknownUpstream { candidate, known } => {
                let (model, upstream) = (candidate.model(), candidate.upstream());
                write!(
                    f,
                    "`{model}` is to be called at the upstream `{upstream}`, which is not configured: add it with `.upstream(…)`, or name \
                     one that is with `Candidate::new(\"…\", \"{model}\")`: {}. A bare model's upstream is `openrouter`",
                    known.join(", ")
                )
            }
            Self::NoChain => f.write_str(
                "`cheaper` is given without `chain`: name the models before it with `.chain(…)`",
            ),
            Self::CheaperTwice(candidate) => write!(f, "{candidate} is given in `cheaper` twice: name it once"),
            Self::CheaperInChain(candidate) => write!(
                f,
                "`{}` is given in `chain` and in `cheaper`: name it once, in `cheaper` if its answers are to be marked",
                candidate.model()
            ),
            Self::Parameter {
                candidate,
                name,
                problem,
            } => write!(f, "parameter `{name}` of `{}`: {problem}", candidate.model()),
            Self::ZeroAttempts { field } => {
                write!(f, "`{field}` is 0: at least 1 is needed to make a call at all")
            }
            Self::ZeroLimit { field } => {
                write!(f, "`{field}` is 0: give it some time, or `None` for no limit")
            }
            Self::AboveDeadline { field, limit, deadline } => write!(
                f,
                "`{field}` of {limit:?} is above `deadline` of {deadline:?}, and would never run out: shorten it, or give the call \
                 more time"
            ),
        }
    }
}

impl std::error::Error for BuildProblem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::Candidate { error, .. } => Some(error),
            Self::Chain(error) => Some(error),
            Self::Transport(problem) => Some(problem),
            Self::Limits { error, .. } => Some(error),
            Self::Circuit(error) => Some(error),
            Self::Budget(error) => Some(error),
            _ => None,
        }
    }
}
