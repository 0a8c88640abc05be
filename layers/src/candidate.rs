//! Who may answer: an upstream and a model.

use std::{fmt, sync::Arc};

/// One place in a chain: a model at an upstream. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Candidate(Arc<Names>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Names {
    upstream: Box<str>,
    model: Box<str>,
    pool: Box<str>,
}

/// Why a candidate could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CandidateError {
    /// The model is blank.
    BlankModel,
    /// The upstream is blank.
    BlankUpstream,
}

impl fmt::Display for CandidateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BlankModel => "`model` of a candidate is blank: name one, e.g. `openai/gpt-5`",
            Self::BlankUpstream => "`upstream` of a candidate is blank: name one, e.g. `openrouter`",
        })
    }
}

impl std::error::Error for CandidateError {}

impl Candidate {
    /// A model at an upstream.
    ///
    /// Its pool is the upstream's name; for a model whose slug ends in `:free` it is a pool of its own, since free
    /// models share one quota.
    ///
    /// # Errors
    ///
    /// Where a name is blank.
    pub fn new(upstream: &str, model: &str) -> Result<Self, CandidateError> {
        let (upstream, model) = (upstream.trim(), model.trim());
        if upstream.is_empty() {
            return Err(CandidateError::BlankUpstream);
        }
        if model.is_empty() {
            return Err(CandidateError::BlankModel);
        }
        let pool = if model.ends_with(":free") {
            format!("{upstream}:free")
        } else {
            upstream.to_owned()
        };
        Ok(Self(Arc::new(Names {
            upstream: upstream.into(),
            model: model.into(),
            pool: pool.into(),
        })))
    }

    /// The same candidate, paid from another pool: a quota that is gone is gone for the whole pool.
    #[must_use]
    pub fn with_pool(mut self, pool: &str) -> Self {
        Arc::make_mut(&mut self.0).pool = pool.into();
        self
    }

    /// The upstream's name.
    #[must_use]
    pub fn upstream(&self) -> &str {
        &self.0.upstream
    }

    /// The model's name at that upstream.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.0.model
    }

    /// What it is paid from.
    #[must_use]
    pub fn pool(&self) -> &str {
        &self.0.pool
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.0.model, self.0.upstream)
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Candidate({} at {}, pool {})",
            self.0.model, self.0.upstream, self.0.pool
        )
    }
}
