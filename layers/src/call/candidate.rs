//! A candidate: an upstream and a model.

use super::TimeoutOverrides;
use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Arc, OnceLock},
};

/// The longest name of a model or an upstream, in bytes: far longer than any there is. Names are keys of tables, and stand in logs and metrics.
const LONGEST_NAME: usize = 400;

/// One place in a chain: a model at an upstream. Cheap to clone, to compare and to look up.
#[derive(Clone)]
pub struct Candidate(Arc<Names>);

#[derive(Clone)]
struct Names {
    upstream: Box<str>,
    model: Box<str>,
    pool: Box<str>,
    /// Of the three, so that a table of candidates need not read them at each look.
    hash: u64,
    /// Of its pool alone, and of its upstream alone: what is known of all candidates of either is found by it.
    quota: u64,
    key: u64,
    timeouts: TimeoutOverrides,
    /// Names and JSON texts; without a text the parameter is left out.
    parameters: Vec<(Box<str>, Option<Box<str>>)>,
}

impl Names {
    fn new(upstream: &str, model: &str, pool: &str) -> Self {
        static KEYED: OnceLock<RandomState> = OnceLock::new();
        let keyed = KEYED.get_or_init(RandomState::new);
        Self {
            upstream: upstream.into(),
            model: model.into(),
            pool: pool.into(),
            hash: keyed.hash_one((upstream, model, pool)),
            quota: keyed.hash_one(("pool", pool)),
            key: keyed.hash_one(("upstream", upstream)),
            timeouts: TimeoutOverrides::new(),
            parameters: Vec::new(),
        }
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        let (own, other) = (&self.0, &other.0);
        Arc::ptr_eq(own, other)
            || own.hash == other.hash
                && own.model == other.model
                && own.upstream == other.upstream
                && own.pool == other.pool
    }
}

impl Eq for Candidate {}

impl Hash for Candidate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

/// Why a candidate could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CandidateError {
    /// The model is blank.
    BlankModel,
    /// The upstream is blank.
    BlankUpstream,
    /// A name is longer than 400 bytes.
    NameTooLong {
        /// `model` or `upstream`.
        field: &'static str,
    },
    /// A name has a control character in it.
    ControlCharacter {
        /// `model` or `upstream`.
        field: &'static str,
    },
}

impl CandidateError {
    /// Whether a name was given at all.
    pub(crate) const fn is_blank(&self) -> bool {
        matches!(self, Self::BlankModel | Self::BlankUpstream)
    }
}

impl fmt::Display for CandidateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlankModel => f.write_str("`model` of a candidate is blank: name one, e.g. `openai/gpt-5`"),
            Self::BlankUpstream => f.write_str("`upstream` of a candidate is blank: name one, e.g. `openrouter`"),
            Self::NameTooLong { field } => write!(
                f,
                "`{field}` of a candidate is a name of over {LONGEST_NAME} bytes: give a shorter one"
            ),
            Self::ControlCharacter { field } => write!(
                f,
                "`{field}` of a candidate is a name with control characters: give one without"
            ),
        }
    }
}

impl std::error::Error for CandidateError {}

impl Candidate {
    /// A model at an upstream. Its pool is the upstream's name: see [`with_pool`](Self::with_pool).
    ///
    /// # Errors
    ///
    /// If a name is blank, has a control character in it, or is longer than 400 bytes. Blanks around it do not count.
    pub fn new(upstream: &str, model: &str) -> Result<Self, CandidateError> {
        let (upstream, model) = (upstream.trim(), model.trim());
        if upstream.is_empty() {
            return Err(CandidateError::BlankUpstream);
        }
        if model.is_empty() {
            return Err(CandidateError::BlankModel);
        }
        for (field, name) in [("upstream", upstream), ("model", model)] {
            if name.len() > LONGEST_NAME {
                return Err(CandidateError::NameTooLong { field });
            }
            if name.contains(char::is_control) {
                return Err(CandidateError::ControlCharacter { field });
            }
        }
        Ok(Self(Arc::new(Names::new(upstream, model, upstream))))
    }

    /// The same candidate, paid from another pool: a quota that is gone is gone for the whole pool.
    #[must_use]
    pub fn with_pool(mut self, pool: &str) -> Self {
        let Names {
            timeouts,
            ref parameters,
            ..
        } = *self.0;
        self.0 = Arc::new(Names {
            timeouts,
            parameters: parameters.clone(),
            ..Names::new(&self.0.upstream, &self.0.model, pool)
        });
        self
    }

    /// The same candidate with timeouts of its own. They do not tell it apart from another of the same names.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: TimeoutOverrides) -> Self {
        Arc::make_mut(&mut self.0).timeouts = timeouts;
        self
    }

    /// The same candidate, whose requests have this parameter: a member of the request's document and its value as JSON, e.g.
    /// `("reasoning", r#"{"effort":"low"}"#)`. It goes before what the caller asked for.
    #[must_use]
    pub fn with_parameter(self, name: &str, json: &str) -> Self {
        self.parameter(name, Some(json.into()))
    }

    /// The same candidate, whose requests leave this parameter out, since its upstream does not take it.
    #[must_use]
    pub fn without_parameter(self, name: &str) -> Self {
        self.parameter(name, None)
    }

    fn parameter(mut self, name: &str, json: Option<Box<str>>) -> Self {
        let parameters = &mut Arc::make_mut(&mut self.0).parameters;
        parameters.retain(|(known, _)| **known != *name);
        parameters.push((name.into(), json));
        self
    }

    /// Its own timeouts.
    #[must_use]
    pub fn timeouts(&self) -> TimeoutOverrides {
        self.0.timeouts
    }

    /// The parameters that its requests have, as JSON, or with `None` leave out.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.parameters.iter().map(|(name, json)| (&**name, json.as_deref()))
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

    /// A keyed hash of the three names; [`quota_hash`](Self::quota_hash) of the pool alone, [`upstream_hash`](Self::upstream_hash) of the
    /// upstream alone.
    pub(crate) fn own_hash(&self) -> u64 {
        self.0.hash
    }

    pub(crate) fn quota_hash(&self) -> u64 {
        self.0.quota
    }

    pub(crate) fn upstream_hash(&self) -> u64 {
        self.0.key
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_be_is_refused_with_its_field() {
        let long = "é".repeat(LONGEST_NAME / 2);
        assert_eq!(Candidate::new(&long, &format!(" {long}\n")).unwrap().model(), long);
        let (longer, control) = (format!("{long}x"), "a\u{0}b");
        for (upstream, model, error, name) in [
            ("u", &*longer, CandidateError::NameTooLong { field: "model" }, "model"),
            (
                &*longer,
                "m",
                CandidateError::NameTooLong { field: "upstream" },
                "upstream",
            ),
            (
                "u",
                control,
                CandidateError::ControlCharacter { field: "model" },
                "model",
            ),
            (
                control,
                "m",
                CandidateError::ControlCharacter { field: "upstream" },
                "upstream",
            ),
            ("u", " ", CandidateError::BlankModel, "model"),
            ("", "m", CandidateError::BlankUpstream, "upstream"),
        ] {
            let found = Candidate::new(upstream, model).unwrap_err();
            assert_eq!(found, error);
            let text = found.to_string();
            assert!(text.contains(&format!("`{name}`")) && text.len() < 200, "{text}");
        }
    }
}
