//! OpenRouter's free models: how they are named, and the quota that they share.

use tower_llm_layers::Candidate;

/// What the slug of a free model ends in.
const SUFFIX: &str = ":free";

/// Whether a model is free, by its slug.
pub(crate) fn is_free(model: &str) -> bool {
    model.ends_with(SUFFIX)
}

/// The pool of a free model, which has one quota with all others of its upstream; `None` for any other model.
pub(crate) fn pool_of(upstream: &str, model: &str) -> Option<String> {
    is_free(model).then(|| format!("{upstream}{SUFFIX}"))
}

/// A free model in the pool of its upstream's free models, unless it has a pool of its own already.
pub(crate) fn in_its_pool(candidate: Candidate) -> Candidate {
    let is_default = candidate.pool() == candidate.upstream();
    match pool_of(candidate.upstream(), candidate.model()) {
        Some(pool) if is_default => candidate.with_pool(&pool),
        _ => candidate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_models_share_a_pool_unless_another_one_is_set() {
        let of = |model| Candidate::new("openrouter", model).unwrap();
        let (free, other) = (of("a/b:free"), of("a/b"));
        assert_eq!(in_its_pool(free.clone()).pool(), "openrouter:free");
        assert_eq!(in_its_pool(other).pool(), "openrouter");
        assert_eq!(in_its_pool(free.with_pool("team")).pool(), "team");
    }
}
