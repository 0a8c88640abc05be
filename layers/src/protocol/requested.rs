//! The candidate of a model that a request names itself.

use std::cell::RefCell;

use super::LlmRequest;
use crate::{Candidate, CandidateError};

/// Candidates that a thread keeps: calls name few models, and making a candidate takes four allocations and three hashes.
const KEPT: usize = 8;

/// The longest model that is kept, in bytes.
const LONGEST: usize = 256;

thread_local! {
    static RECENT: RefCell<[Option<Candidate>; KEPT]> = const { RefCell::new([const { None }; KEPT]) };
}

/// The candidate of a model that a request names.
///
/// # Errors
///
/// If a name is none.
pub(crate) fn requested<R: LlmRequest>(upstream: &str, model: &str) -> Result<Candidate, CandidateError> {
    let kept = RECENT.try_with(|recent| {
        let recent = recent.try_borrow().ok()?;
        let known = recent.get(place(model))?.as_ref()?;
        let is_same = known.model() == model && known.upstream() == upstream;
        (is_same && known.pool() == R::pool_of(upstream, model).as_deref().unwrap_or(upstream)).then(|| known.clone())
    });
    kept.ok().flatten().map_or_else(|| new::<R>(upstream, model), Ok)
}

fn place(model: &str) -> usize {
    let last = model.as_bytes().last().copied().unwrap_or_default();
    (model.len() + usize::from(last)) % KEPT
}

#[cold]
fn new<R: LlmRequest>(upstream: &str, model: &str) -> Result<Candidate, CandidateError> {
    let mut candidate = Candidate::new(upstream, model)?;
    if let Some(pool) = R::pool_of(candidate.upstream(), candidate.model()) {
        candidate = candidate.with_pool(&pool);
    }
    if model.len() <= LONGEST {
        // The one before is dropped when the table is free again.
        let _before = RECENT.try_with(|recent| {
            let mut recent = recent.try_borrow_mut().ok()?;
            recent.get_mut(place(model))?.replace(candidate.clone())
        });
    }
    Ok(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, Needs};

    #[derive(Clone, Default)]
    struct Of<const POOLED: bool>(Call);

    impl<const POOLED: bool> LlmRequest for Of<POOLED> {
        fn call(&self) -> &Call {
            &self.0
        }

        fn call_mut(&mut self) -> &mut Call {
            &mut self.0
        }

        fn model(&self) -> Option<&str> {
            None
        }

        fn set_model(&mut self, _: &str) {}

        fn needs(&self) -> Needs {
            Needs::default()
        }

        fn pool_of(upstream: &str, model: &str) -> Option<String> {
            (POOLED && model.ends_with('m')).then(|| format!("{upstream}-shared"))
        }
    }

    #[test]
    fn a_candidate_that_is_kept_is_that_of_the_same_names_and_pool() {
        for _ in 0..2 {
            // All of one place in the table.
            for (upstream, model) in [("a", "m"), ("b", "m"), ("a", "em"), ("a", "longnamem")] {
                let pooled = requested::<Of<true>>(upstream, model).unwrap();
                let apart = requested::<Of<false>>(upstream, model).unwrap();
                assert_eq!((pooled.upstream(), pooled.model()), (upstream, model));
                assert_eq!(
                    (pooled.pool(), apart.pool()),
                    (&*format!("{upstream}-shared"), upstream)
                );
                assert_eq!(apart, Candidate::new(upstream, model).unwrap());
            }
        }
        assert_eq!(requested::<Of<true>>("a", " "), Err(CandidateError::BlankModel));
        let error = CandidateError::NameTooLong { field: "model" };
        assert_eq!(requested::<Of<true>>("a", &"m".repeat(401)), Err(error));
        assert_eq!(requested::<Of<false>>(" a ", " m ").unwrap().model(), "m");
    }
}
