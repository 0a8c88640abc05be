//! What is known of models: who can take which request.

use std::{collections::HashMap, fmt};

use tower_llm_layers::{Candidate, Capability, Modalities, fallback::Capabilities};

use crate::{response::Model, transport::OPENROUTER};

/// OpenRouter's models by name, for passing over candidates that cannot take a request.
///
/// A candidate at another upstream is unknown to it, and never passed over.
#[derive(Clone, Default)]
pub struct Catalogue {
    models: HashMap<String, Model>,
}

impl Catalogue {
    /// From the answer of [`Account::models`](crate::Account::models).
    #[must_use]
    pub fn new(models: impl IntoIterator<Item = Model>) -> Self {
        let mut by_name = HashMap::new();
        for model in models {
            if !model.canonical_slug.is_empty() {
                by_name
                    .entry(model.canonical_slug.clone())
                    .or_insert_with(|| model.clone());
            }
            by_name.insert(model.id.clone(), model);
        }
        Self { models: by_name }
    }

    /// A model by its id, its dated slug, or either with a routing variant such as `:nitro`.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        // `:free` and other variants with rows of their own are found whole.
        let base = || self.models.get(name.rsplit_once(':')?.0);
        self.models.get(name).or_else(base)
    }
}

impl Capabilities for Catalogue {
    fn capability(&self, candidate: &Candidate) -> Option<Capability> {
        if candidate.upstream() != OPENROUTER {
            return None;
        }
        self.model(candidate.model()).map(capability)
    }
}

fn capability(model: &Model) -> Capability {
    let takes = |parameter: &str| {
        // A list that is missing says nothing.
        (!model.supported_parameters.is_empty()).then(|| model.supports(parameter))
    };
    let sides =
        |names: &[String]| (!names.is_empty()).then(|| Modalities::from_names(names.iter().map(String::as_str)));
    let price = model.pricing.completion.as_ref().and_then(|price| price.to_usd().ok()?);
    let mut able = Capability::default();
    // The headline may exceed what the provider really serves.
    able.context_length = model.top_provider.context_length.or(model.context_length);
    able.max_output = model.top_provider.max_completion_tokens;
    able.tools = takes("tools");
    able.tool_choice = takes("tool_choice");
    able.structured_outputs = takes("structured_outputs");
    able.json_mode = takes("response_format");
    able.input = sides(&model.architecture.input_modalities);
    able.output = sides(&model.architecture.output_modalities);
    able.price = price.and_then(|price| u64::try_from(price.pico()).ok());
    able
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogue").field("names", &self.models.len()).finish()
    }
}
