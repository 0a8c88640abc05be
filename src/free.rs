//! OpenRouter's free models: how they are named, and the quota that they share.

use tower_llm_layers::Candidate;

/// The variant that makes a model free.
const VARIANT: &str = "free";

/// The router over the free models: it answers by one of them, and counts against their quota.
const ROUTER: &str = "openrouter/free";

/// Whether a model is free, by its name: by any of its variants, whatever preset stands behind it.
pub(crate) fn is_free(model: &str) -> bool {
    if !model.as_bytes().contains(&b':') && !model.starts_with(ROUTER) {
        return false;
    }
    let (model, _preset) = model.split_once('@').unwrap_or((model, ""));
    let mut parts = model.split(':');
    let is_router = parts.next() == Some(ROUTER);
    is_router || parts.any(|variant| variant == VARIANT)
}

/// The pool of a free model, which has one quota with all others of its upstream; `None` for any other model.
pub(crate) fn pool_of(upstream: &str, model: &str) -> Option<String> {
    is_free(model).then(|| pool(upstream))
}

/// The pool that the free models of an upstream share.
fn pool(upstream: &str) -> String {
    format!("{upstream}:{VARIANT}")
}

/// The pool that a free model's quota is counted by, if a candidate that is not free has met it: a preset, a list of models or a router may
/// lead any name to a free model. `None` if it is the candidate's own pool.
pub(crate) fn pool_behind(candidate: &Candidate) -> Option<String> {
    let own = pool(candidate.upstream());
    (!is_free(candidate.model()) && candidate.pool() != own).then_some(own)
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

    fn of(model: &str) -> Candidate {
        Candidate::new("openrouter", model).unwrap()
    }

    #[test]
    fn free_models_share_a_pool_unless_another_one_is_set() {
        let (free, other) = (of("a/b:free"), of("a/b"));
        assert_eq!(in_its_pool(free.clone()).pool(), "openrouter:free");
        assert_eq!(in_its_pool(other).pool(), "openrouter");
        assert_eq!(in_its_pool(free.with_pool("team")).pool(), "team");
    }

    #[test]
    fn a_model_is_free_wherever_its_name_says_so() {
        for free in [
            "a/b:free",
            "a/b:free:online",
            "a/b:online:free",
            "a/b:free@preset/mine",
            "openrouter/free",
            "openrouter/free:online",
        ] {
            assert!(is_free(free), "{free}");
        }
        for other in [
            "a/b",
            "a/free",
            "a/b:freedom",
            "a/b@preset/x:free",
            "openrouter/auto",
            "free",
            "",
        ] {
            assert!(!is_free(other), "{other}");
        }
    }

    #[test]
    fn the_free_quota_behind_another_model_is_not_that_models_own_pool() {
        assert_eq!(pool_behind(&of("@preset/mine")).as_deref(), Some("openrouter:free"));
        assert_eq!(
            pool_behind(&of("a/b").with_pool("team")).as_deref(),
            Some("openrouter:free")
        );
        assert_eq!(pool_behind(&in_its_pool(of("a/b:free"))), None);
        assert_eq!(pool_behind(&of("a/b:free").with_pool("team")), None);
    }
}
