//! The models this simulator knows, and what they cost.

mod caching;
mod models;
mod query;
mod show;

use std::borrow::Cow;

pub(crate) use caching::Caching;
pub(crate) use query::list;
pub(crate) use show::{endpoints, model};

use crate::money::Cost;

/// The display name of the models that are in no catalogue.
const SIMULATED: &str = "Simulated";

/// One model of the catalogue.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) id: Cow<'static, str>,
    pub(crate) canonical: Cow<'static, str>,
    pub(crate) name: &'static str,
    pub(crate) created: u64,
    pub(crate) context: u64,
    pub(crate) max_completion: Option<u64>,
    pub(crate) moderated: bool,
    pub(crate) inputs: &'static [&'static str],
    pub(crate) outputs: &'static [&'static str],
    pub(crate) tokenizer: &'static str,
    pub(crate) price: Price,
    pub(crate) parameters: &'static [&'static str],
    pub(crate) reasoning_format: &'static str,
    pub(crate) endpoints: &'static [Endpoint],
    /// The service tier that is billed.
    pub(crate) tier: &'static str,
}

/// One provider's offer of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint {
    pub(crate) provider: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) uptime: f64,
    pub(crate) latency_ms: f64,
    pub(crate) throughput: f64,
    /// In hundredths of the model's price.
    pub(crate) markup: u64,
}

/// Prices of one token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Price {
    pub(crate) prompt: Cost,
    pub(crate) completion: Cost,
    pub(crate) cache_read: Option<Cost>,
    pub(crate) cache_write: Option<Cost>,
    pub(crate) cache_write_1h: Option<Cost>,
    pub(crate) reasoning: Option<Cost>,
    /// Above so many prompt tokens, these prices.
    pub(crate) above: Option<(u64, Cost, Cost)>,
    /// Shown as `-1`.
    pub(crate) varies: bool,
}

impl Price {
    /// The prices of prompt and completion that hold for a prompt of this length.
    pub(crate) fn at(&self, prompt_tokens: u64) -> (Cost, Cost) {
        match self.above {
            Some((limit, prompt, completion)) if prompt_tokens > limit => (prompt, completion),
            _ => (self.prompt, self.completion),
        }
    }

    /// What the prompt costs, with some of its tokens from the cache or into it.
    pub(crate) fn prompt(&self, prompt_tokens: u64, caching: &Caching) -> Cost {
        let read = caching.read.min(prompt_tokens);
        let written = caching.written.min(prompt_tokens - read);
        let price = self.at(prompt_tokens).0;
        let write = if caching.long {
            self.cache_write_1h.or(self.cache_write)
        } else {
            self.cache_write
        };
        price * (prompt_tokens - read - written)
            + self.cache_read.unwrap_or(price) * read
            + write.unwrap_or(price) * written
    }

    fn halved(self) -> Self {
        let half = |cost: Cost| Cost::from_pico(cost.pico() / 2);
        Self {
            prompt: half(self.prompt),
            completion: half(self.completion),
            cache_read: self.cache_read.map(half),
            cache_write: self.cache_write.map(half),
            cache_write_1h: self.cache_write_1h.map(half),
            reasoning: self.reasoning.map(half),
            above: self
                .above
                .map(|(limit, prompt, completion)| (limit, half(prompt), half(completion))),
            varies: self.varies,
        }
    }

    /// What a token of reasoning costs.
    pub(crate) fn thought(&self, prompt_tokens: u64) -> Cost {
        self.reasoning.unwrap_or_else(|| self.at(prompt_tokens).1)
    }
}

impl Model {
    /// The same at the requested tier: flex, also by `:floor`, is half the price if the provider has it.
    pub(crate) fn at_tier(mut self, tier: Option<&str>, name: &str) -> Self {
        let flexible = matches!(self.provider(), "OpenAI" | "Google");
        if flexible && (tier == Some("flex") || name.contains(":floor")) {
            self.price = self.price.halved();
            self.tier = "flex";
        }
        self
    }

    /// Whether it is one of no catalogue, which takes and gives anything.
    pub(crate) fn is_simulated(&self) -> bool {
        self.name == SIMULATED
    }

    /// Whether a request may carry this parameter.
    pub(crate) fn takes(&self, parameter: &str) -> bool {
        self.parameters.contains(&parameter)
    }

    /// The display name of the provider that serves it.
    pub(crate) fn provider(&self) -> &'static str {
        self.endpoints
            .first()
            .map_or("DemoProvider", |endpoint| endpoint.provider)
    }
}

/// Finds a model by id or dated slug. Every id that begins with `sim/` is one, priced like `openai/gpt-4o-mini`; routing
/// suffixes (`:nitro`, `:floor`, `:exacto`, `:online`) are taken off; an alias `~author/family-latest` is resolved.
pub(crate) fn find(id: &str) -> Option<Model> {
    if let Some(fault) = id.strip_prefix("sim/") {
        let mut model = models::all().into_iter().find(|m| m.id == "openai/gpt-4o-mini")?;
        model.id = Cow::Owned(id.to_owned());
        model.canonical = Cow::Owned(format!("sim/{fault}"));
        model.name = SIMULATED;
        return Some(model);
    }
    let id = match id {
        "~anthropic/claude-sonnet-latest" => "anthropic/claude-sonnet-4.5",
        "~openai/gpt-latest" => "openai/gpt-5",
        other => other,
    };
    let (mut id, suffixes) = (id, [":nitro", ":floor", ":exacto", ":online"]);
    while let Some(shorter) = suffixes.iter().find_map(|suffix| id.strip_suffix(suffix)) {
        id = shorter;
    }
    models::all()
        .into_iter()
        .find(|model| model.id == id || model.canonical == id)
}
