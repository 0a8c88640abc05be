use std::{fmt, time::Duration};

use tower_llm_layers::{
    Candidate, CandidateError, auth::KeyError, budget::BudgetError, circuit_breaker::CircuitError,
    fallback::ChainError, rate_limit::LimitsError,
};

use crate::transport::TransportError;

/// Why a stack could not be built. Names the setting, what is wrong with it, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// A key.
    Key(KeyError),
    /// A candidate of the chain.
    Candidate(CandidateError),
    /// The chain as a whole.
    Chain(ChainError),
    /// An upstream, or the transport.
    Transport(TransportError),
    /// Limits.
    Limits(LimitsError),
    /// The circuit breaker.
    Circuit(CircuitError),
    /// A budget.
    Budget(BudgetError),
    /// Budgets are given whole, and one by one or with a store besides.
    BudgetsTwice,
    /// There are budgets, and no price list that a hold could be reckoned by.
    NoPrices,
    /// A candidate names an upstream that the transport does not know.
    UnknownUpstream {
        /// Which.
        candidate: Candidate,
        /// Those that are there.
        known: Vec<String>,
    },
    /// There are cheaper models, and no chain that they could stand behind.
    NoChain,
    /// A model of the chain is given as a cheaper one, too: its answers would be marked or not as it comes.
    CheaperInChain(Candidate),
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

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::Candidate(error) => error.fmt(f),
            Self::Chain(error) => error.fmt(f),
            Self::Transport(error) => error.fmt(f),
            Self::Limits(error) => error.fmt(f),
            Self::Circuit(error) => error.fmt(f),
            Self::Budget(error) => error.fmt(f),
            Self::BudgetsTwice => f.write_str(
                "`budgets` is given, and `budget` or `budget_store` besides: put all of them into the one `Budgets`, with its store",
            ),
            Self::NoPrices => f.write_str(
                "there are budgets and no prices: give the stack a catalogue with `.prices(…)`, or say with `.unknown_price(…)` what a \
                 call is taken to cost",
            ),
            Self::UnknownUpstream { candidate, known } => {
                let (model, upstream) = (candidate.model(), candidate.upstream());
                write!(
                    f,
                    "`{model}` is to be asked at the upstream `{upstream}`, which is not there: add it with `.upstream(…)`, or name \
                     one that is with `Candidate::new(\"…\", \"{model}\")`: {}. A bare model's upstream is `openrouter`",
                    known.join(", ")
                )
            }
            Self::NoChain => f.write_str(
                "`cheaper` is given without `chain`: name the models that it is to stand behind with `.chain(…)`",
            ),
            Self::CheaperInChain(candidate) => write!(
                f,
                "`{}` is given in `chain` and in `cheaper`: name it once, in `cheaper` if its answers are to be marked",
                candidate.model()
            ),
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

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::Candidate(error) => Some(error),
            Self::Chain(error) => Some(error),
            Self::Transport(error) => Some(error),
            Self::Limits(error) => Some(error),
            Self::Circuit(error) => Some(error),
            Self::Budget(error) => Some(error),
            _ => None,
        }
    }
}

impl From<KeyError> for BuildError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<CandidateError> for BuildError {
    fn from(error: CandidateError) -> Self {
        Self::Candidate(error)
    }
}

impl From<ChainError> for BuildError {
    fn from(error: ChainError) -> Self {
        Self::Chain(error)
    }
}

impl From<BudgetError> for BuildError {
    fn from(error: BudgetError) -> Self {
        Self::Budget(error)
    }
}

impl From<CircuitError> for BuildError {
    fn from(error: CircuitError) -> Self {
        Self::Circuit(error)
    }
}

impl From<LimitsError> for BuildError {
    fn from(error: LimitsError) -> Self {
        Self::Limits(error)
    }
}

impl From<TransportError> for BuildError {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}
