//! Which APIs the upstreams speak, beside what the catalogue knows of their models.

use std::sync::Arc;

use tower_llm_layers::{Apis, Candidate, Capability, fallback::Capabilities};

/// What is known of a candidate: by its upstream, and by the catalogue if there is one.
pub(super) struct UpstreamCapabilities {
    /// The upstreams that do not support all.
    pub(super) upstreams: Vec<(Box<str>, Apis)>,
    pub(super) catalogue: Option<Arc<dyn Capabilities>>,
}

impl Capabilities for UpstreamCapabilities {
    fn capability(&self, candidate: &Candidate) -> Option<Capability> {
        let known = self
            .catalogue
            .as_ref()
            .and_then(|catalogue| catalogue.capability(candidate));
        let mut upstreams = self.upstreams.iter();
        let Some((_, apis)) = upstreams.find(|(name, _)| **name == *candidate.upstream()) else {
            return known;
        };
        let mut capability = known.unwrap_or_default();
        capability.apis = Some(*apis);
        Some(capability)
    }
}
