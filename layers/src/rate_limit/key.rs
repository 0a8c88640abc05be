//! What a limit counts by: the candidate, a tenant, or all calls together.

use std::sync::Arc;

use http::Request;

use crate::{KeyExtractor, LlmRequest};

/// A limit for each candidate: a model at an upstream. Stands inside fallback.
#[derive(Debug, Clone, Copy, Default)]
pub struct PerCandidate;

impl<R: LlmRequest> KeyExtractor<R> for PerCandidate {
    fn key(&self, request: &Request<R>) -> Option<Arc<str>> {
        let body = request.body();
        let candidate = body.call().candidate();
        let upstream = candidate.map_or("", |candidate| candidate.upstream());
        let model = candidate.map(crate::Candidate::model).or_else(|| body.model())?;
        // A slug has no white space, so that two pairs never make the same key.
        Some(format!("{upstream} {model}").into())
    }
}
