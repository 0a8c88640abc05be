//! What models can take.

use tower_llm_layers::{Candidate, Capability, ContinueBy, MediaKinds, fallback::Capabilities};

use super::Catalogue;
use crate::response::ToUsd as _;
use crate::{request::way_of, transport::OPENROUTER};
use openrouter_wire::catalogue::Model;

impl Capabilities for Catalogue {
    fn capability(&self, candidate: &Candidate) -> Option<Capability> {
        if candidate.upstream() != OPENROUTER {
            return None;
        }
        self.table()
            .row(OPENROUTER, candidate.model())?
            .model
            .as_ref()
            .map(|model| capability(candidate, model))
    }
}

fn capability(candidate: &Candidate, model: &Model) -> Capability {
    let takes = |parameter: &str| {
        // A missing list has no meaning.
        (!model.supported_parameters.is_empty()).then(|| model.supports(parameter))
    };
    let sides =
        |names: &[String]| (!names.is_empty()).then(|| names.iter().map(String::as_str).collect::<MediaKinds>());
    let price = model.pricing.completion.as_ref().and_then(|price| price.to_usd().ok()?);
    let mut able = Capability::default();
    // The headline may exceed what the provider really serves.
    able.context_length = model.top_provider.context_length.or(model.context_length);
    able.max_output = model.top_provider.max_completion_tokens;
    able.tools = takes("tools");
    able.tool_choice = takes("tool_choice");
    able.structured_outputs = takes("structured_outputs");
    able.json_mode = takes("response_format");
    // The list of parameters does not say it.
    able.prefill = (way_of(candidate) != ContinueBy::Prefill).then_some(false);
    able.input = sides(&model.architecture.input_modalities);
    able.output = sides(&model.architecture.output_modalities);
    able.price = price.and_then(|price| u64::try_from(price.pico()).ok());
    able
}
