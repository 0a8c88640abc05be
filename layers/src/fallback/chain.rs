//! The chain: candidates in their order, and which of them a request may use.

use std::{any::Any, collections::HashSet, fmt, sync::Arc};

use crate::{Candidate, Capability, LlmRequest};

/// What is known of candidates: a catalogue.
pub trait Capabilities: Any + Send + Sync {
    /// What this candidate can do; `None` if it is not in the catalogue, which never excludes it.
    fn capability(&self, candidate: &Candidate) -> Option<Capability>;
}

/// What to do with the model that the request names itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RequestedModel {
    /// It goes first, at the first candidate's upstream; the chain follows.
    #[default]
    First,
    /// The chain alone decides.
    Ignored,
}

/// Why a chain could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainError {
    /// There is no candidate in it.
    Empty,
    /// A candidate is in it twice.
    Twice {
        /// The candidate.
        candidate: Candidate,
    },
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "`chain` is an empty list: name at least one candidate, or give none at all (by hand: `Chain::asked`) to call what each \
                 request names",
            ),
            Self::Twice { candidate } => write!(
                f,
                "{candidate} is in the chain twice: name it once; how often it is tried is set by `attempts_per_candidate`"
            ),
        }
    }
}

impl std::error::Error for ChainError {}

/// The candidates, in order. Cheap to clone.
#[derive(Clone)]
pub struct Chain {
    candidates: Arc<[Candidate]>,
    /// How many of them, from the first on, are not of the cheaper class.
    full_class: usize,
    upstream: Arc<str>,
    asked: RequestedModel,
    fallback_on_refusal: bool,
    fallback_for_embeddings: bool,
    /// How many models the upstream tries by itself for one request, the first included.
    server_side: usize,
    capabilities: Option<Arc<dyn Capabilities>>,
}

impl Chain {
    /// These candidates, in this order.
    ///
    /// # Errors
    ///
    /// If there is none, or one is there twice.
    pub fn new(candidates: impl IntoIterator<Item = Candidate>) -> Result<Self, ChainError> {
        let candidates: Arc<[Candidate]> = candidates.into_iter().collect();
        let upstream = candidates.first().ok_or(ChainError::Empty)?.upstream().into();
        let mut known = HashSet::new();
        if let Some(twice) = candidates.iter().find(|candidate| !known.insert(*candidate)) {
            let candidate = twice.clone();
            return Err(ChainError::Twice { candidate });
        }
        Ok(Self {
            full_class: candidates.len(),
            candidates,
            ..Self::asked(upstream)
        })
    }

    /// No fixed candidates: each request's own model, at this upstream.
    #[must_use]
    pub fn asked(upstream: Arc<str>) -> Self {
        Self {
            candidates: Arc::new([]),
            full_class: 0,
            upstream,
            asked: RequestedModel::First,
            fallback_on_refusal: false,
            fallback_for_embeddings: false,
            server_side: 1,
            capabilities: None,
        }
    }

    /// Cheaper models, to be tried when all others have failed: the last of the chain. Their answers carry
    /// [`Degraded`](crate::Degraded) and [`NoStore`](crate::NoStore). None by default.
    #[must_use]
    pub fn cheaper(mut self, candidates: impl IntoIterator<Item = Candidate>) -> Self {
        let full_class = self.candidates.iter().take(self.full_class).cloned();
        self.candidates = full_class.chain(candidates).collect();
        self
    }

    /// What to do with the model that the request names itself; [`First`](RequestedModel::First) by default.
    #[must_use]
    pub const fn requested_model(mut self, asked: RequestedModel) -> Self {
        self.asked = asked;
        self
    }

    /// Whether another candidate may answer what one has refused on moderation or policy. Off by default.
    #[must_use]
    pub const fn fallback_on_refusal(mut self, moves: bool) -> Self {
        self.fallback_on_refusal = moves;
        self
    }

    /// Whether another model may answer a request that [is bound to its model](crate::LlmRequest::is_bound_to_model). Off by default: vectors of
    /// another model are silently wrong beside those of the first.
    ///
    /// Then the same model at another upstream may answer: the one that the request names, or, if the chain alone decides
    /// ([`RequestedModel::Ignored`]) or the request names none, the chain's first. A name without its author, `text-embedding-3-small`, is the
    /// same as that with one, `openai/text-embedding-3-small`. Of a chain that has neither, only the requested model itself is called.
    #[must_use]
    pub const fn fallback_for_embeddings(mut self, moves: bool) -> Self {
        self.fallback_for_embeddings = moves;
        self
    }

    /// How many models of one upstream, the first included, go to it in one request, as a list that it tries by itself
    /// ([`LlmRequest::set_alternatives`](crate::LlmRequest::set_alternatives)): no more than it accepts. It saves a round trip if the router is
    /// up and a model is down. 1 by default, which is no list, since the router then reports less of what failed.
    #[must_use]
    pub const fn server_side(mut self, models: usize) -> Self {
        self.server_side = models;
        self
    }

    /// Passes over candidates that cannot take a request.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Arc<dyn Capabilities>) -> Self {
        self.capabilities = Some(capabilities);
        self
    }

    /// The fixed candidates, in order.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The upstream at which a request's own model is called.
    #[must_use]
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    pub(super) const fn may_move_on_refusal(&self) -> bool {
        self.fallback_on_refusal
    }

    /// The only model that may answer this request, if there is just one.
    pub(super) fn only_model<R: LlmRequest>(&self, request: &R) -> Option<String> {
        if self.fallback_for_embeddings || !request.is_bound_to_model() {
            return None;
        }
        let named = request.model().filter(|_| self.takes_asked_model());
        let first = || self.candidates.first().map(Candidate::model);
        named.or_else(first).map(str::to_owned)
    }

    /// Whether it is a cheaper model, for use when the others have failed.
    pub(super) fn is_cheaper(&self, candidate: &Candidate) -> bool {
        let (full, cheaper) = self.candidates.split_at_checked(self.full_class).unwrap_or_default();
        cheaper.contains(candidate) && !full.contains(candidate)
    }

    /// How many candidates go along with the first.
    pub(super) const fn along(&self) -> usize {
        self.server_side.saturating_sub(1)
    }

    pub(super) fn takes_asked_model(&self) -> bool {
        self.asked == RequestedModel::First
    }

    pub(super) const fn has_capabilities(&self) -> bool {
        self.capabilities.is_some()
    }

    pub(super) fn capability(&self, candidate: &Candidate) -> Option<Capability> {
        self.capabilities.as_ref()?.capability(candidate)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("candidates", &self.candidates)
            .field("full_class", &self.full_class)
            .field("upstream", &self.upstream)
            .field("asked", &self.asked)
            .field("fallback_on_refusal", &self.fallback_on_refusal)
            .field("fallback_for_embeddings", &self.fallback_for_embeddings)
            .field("server_side", &self.server_side)
            .field("capabilities", &self.capabilities.is_some())
            .finish()
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.asked == RequestedModel::First {
            write!(f, "the request's own model at {}", self.upstream)?;
        }
        for (index, candidate) in self.candidates.iter().enumerate() {
            let arrow = if index > 0 || self.asked == RequestedModel::First {
                ", then "
            } else {
                ""
            };
            write!(f, "{arrow}{candidate}")?;
        }
        Ok(())
    }
}
