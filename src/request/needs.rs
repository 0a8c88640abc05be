//! What a request asks of a model, as the layers know it.

use openrouter_wire::Modalities;
use tower_llm_layers::{MediaKinds, Needs, ToolLoop};

use super::body::RequestBody;

impl RequestBody {
    /// What a model must be able to do to serve this.
    pub(crate) fn needs(&self) -> Needs {
        let (facts, money) = (self.facts(), self.money());
        let mut needs = Needs::default();
        needs.prompt_tokens = facts.prompt_tokens;
        needs.most_prompt_tokens = facts.most_prompt_tokens;
        needs.images = facts.images;
        needs.searches = facts.searches;
        needs.choices = facts.choices;
        needs.tool_loop = facts.tool_loop.map(|told| {
            let mut tool_loop = ToolLoop::of_steps(told.steps);
            tool_loop.is_bounded = told.is_bounded;
            tool_loop.max_cost = money.max_tool_cost;
            tool_loop
        });
        needs.long_cache = facts.long_cache;
        needs.priority = facts.priority;
        needs.ceiling = money.ceiling;
        needs.max_tokens = self.max_tokens().unwrap_or(0);
        needs.tools = facts.tools;
        needs.tool_choice = facts.forced_tool_choice;
        needs.structured_outputs = facts.structured_outputs;
        needs.json_mode = facts.json_mode;
        needs.prefill = facts.prefill;
        needs.input = beside_text(facts.input);
        needs.output = beside_text(facts.output);
        needs
    }
}

fn beside_text(kinds: Modalities) -> MediaKinds {
    [
        (Modalities::IMAGE, MediaKinds::IMAGE),
        (Modalities::AUDIO, MediaKinds::AUDIO),
        (Modalities::FILE, MediaKinds::FILE),
        (Modalities::VIDEO, MediaKinds::VIDEO),
    ]
    .into_iter()
    .filter(|(kind, _)| kinds.contains(*kind))
    .fold(MediaKinds::default(), |set, (_, needed)| set.with(needed))
}
