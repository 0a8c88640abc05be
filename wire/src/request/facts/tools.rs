//! What the upstream may run by itself for a request, and whether its cost has a bound.

use super::content::is_long;
use super::{LINKED_MEDIA_TOKENS, RequestFacts, SEARCH_TOKENS, ServerToolLoop, is_there, number};
use crate::{
    Modalities,
    document::Document,
    json::{Cursor, JsonError, member, raw_member},
};

/// The most steps of the loop in which OpenRouter runs tools, and their number if the request does not say.
const MOST_STEPS: u64 = 30;

/// So many results of a search are priced and counted as one search.
const RESULTS: u64 = 5;

/// Plugins that add nothing to the bill.
const FREE_PLUGINS: [&str; 7] = [
    "response-healing",
    "context-compression",
    "moderation",
    "armor",
    "auto-router",
    "auto-beta-router",
    "pareto-router",
];

/// Tools that OpenRouter runs and that cost no more than the tokens of their results.
const FREE_TOOLS: [&str; 5] = [
    "datetime",
    "tool_search",
    "experimental__search_models",
    "apply_patch",
    "text_editor",
];

/// Anthropic's tools that the caller runs; a date follows. OpenAI's `computer_use_preview` is another.
const OF_THE_CALLER: [&str; 4] = ["bash_", "text_editor_", "computer_", "memory_"];

/// OpenAI's tools that the caller runs.
const OF_THE_CALLER_BY_NAME: [&str; 4] = ["function", "custom", "local_shell", "computer"];

/// How deep namespaces of tools may stand in each other.
const DEEPEST: u32 = 4;

/// The facts of the tools.
#[derive(Default)]
pub(super) struct Tools {
    pub(super) count: usize,
    /// How long they are, in bytes; nothing if there are none.
    pub(super) bytes: usize,
    pub(super) long_cache: bool,
    /// OpenRouter runs some of them.
    runs: bool,
    /// Searches, and what is priced like them, that have a number of their own.
    searches: u64,
    /// The same for each step of the loop.
    searches_each_step: u64,
    /// Whether the cost of one has no bound.
    is_unbounded: bool,
}

/// Who runs a tool, and at what cost.
enum Runs {
    /// The caller.
    Caller,
    /// OpenRouter, for the price of so many searches a call.
    Upstream(u64),
    /// OpenRouter, at a price that is not known beforehand.
    Unbounded,
}

impl Tools {
    pub(super) fn read(tools: &[u8]) -> Self {
        let mut read = Self::default();
        let walked = each(tools, DEEPEST, &mut |raw| {
            read.count += 1;
            read.long_cache |= raw_member(raw, "cache_control").is_some_and(is_long);
            read.add(raw);
        });
        if walked.is_err() || read.count == 0 {
            return Self::default();
        }
        read.bytes = tools.len();
        read
    }

    fn add(&mut self, tool: &[u8]) {
        let searches = match runs(tool) {
            Runs::Caller => return,
            Runs::Unbounded => {
                self.is_unbounded = true;
                0
            }
            Runs::Upstream(searches) => searches,
        };
        self.runs = true;
        // Anthropic's tools have their options beside the type.
        match count(raw_member(tool, "parameters").unwrap_or(tool), "max_uses") {
            Some(uses) => self.searches = self.searches.saturating_add(uses.saturating_mul(searches)),
            None => self.searches_each_step = self.searches_each_step.saturating_add(searches),
        }
    }
}

impl RequestFacts {
    /// Reads searches, the loop of tools, and whether any cost has no bound.
    pub(super) fn read_tools(&mut self, document: &Document, tools: &Tools) {
        let plugins = Plugins::read(document, self.input);
        let stops = Stops::read(document);
        let steps = if tools.runs || plugins.runs { stops.steps } else { 0 };
        self.tool_loop = (tools.runs || plugins.runs).then_some(ServerToolLoop {
            steps,
            is_bounded: stops.is_bounded,
        });
        let preset = document.get("preset").is_some_and(is_there);
        let native = document.get("web_search_options").is_some_and(is_there);
        let once = u64::from(preset || native).max(plugins.searches);
        let each_step = tools.searches_each_step.saturating_add(plugins.searches_each_step);
        self.searches = once
            .saturating_add(tools.searches)
            .saturating_add(steps.saturating_mul(each_step));
        self.unbounded_tools = tools.is_unbounded || plugins.is_unbounded;
    }
}

/// The first tool or plugin whose cost has no bound, by its name.
#[must_use]
pub fn unbounded_tool(document: &Document, input: Modalities) -> Option<String> {
    let mut found = None;
    if let Some(tools) = document.get("tools") {
        let read = each(tools, DEEPEST, &mut |raw| {
            if found.is_none() && matches!(runs(raw), Runs::Unbounded) {
                found = Some(named(raw, "type"));
            }
        });
        if read.is_err() && found.is_none() {
            found = Some("a tool that cannot be read".to_owned());
        }
    }
    found.or_else(|| Plugins::read(document, input).unbounded_tool)
}

/// Gives each tool, those of a namespace in its place. A namespace that cannot be read, or is too deep, is given itself.
fn each(tools: &[u8], deepest: u32, give: &mut impl FnMut(&[u8])) -> Result<(), JsonError> {
    Cursor::new(tools).array_or_skip(|tool| {
        let raw = tool.raw()?;
        let is_namespace = deepest > 0 && member(raw, "type").is_some_and(|kind| kind.is("namespace"));
        let inner = raw_member(raw, "tools").filter(|inner| is_namespace && inner.first() == Some(&b'['));
        match inner {
            Some(inner) => each(inner, deepest - 1, give)?,
            None => give(raw),
        }
        Ok(())
    })
}

fn named(object: &[u8], name: &str) -> String {
    const LONGEST: usize = 64;
    let name = member(object, name).map(|name| name.to_str().chars().take(LONGEST).collect());
    name.unwrap_or_else(|| "a tool without a type".to_owned())
}

fn runs(tool: &[u8]) -> Runs {
    let Some(kind) = member(tool, "type") else {
        // A tool of Anthropic's API needs no type if the caller runs it.
        let is_the_callers = raw_member(tool, "input_schema").is_some();
        return if is_the_callers { Runs::Caller } else { Runs::Unbounded };
    };
    let kind = kind.to_str();
    if OF_THE_CALLER_BY_NAME.contains(&&*kind) || OF_THE_CALLER.iter().any(|tool| kind.starts_with(tool)) {
        return Runs::Caller;
    }
    // The other environments are the upstream's, and billed by their time.
    let is_local = |environment| member(environment, "type").is_some_and(|kind| kind.is("local"));
    if kind == "shell" && raw_member(tool, "environment").is_some_and(is_local) {
        return Runs::Caller;
    }
    let name = kind.strip_prefix("openrouter:").unwrap_or(&kind);
    let options = raw_member(tool, "parameters").unwrap_or(tool);
    // Anthropic's searches of tools have a date.
    if FREE_TOOLS.contains(&name) || name.starts_with("tool_search_") {
        Runs::Upstream(0)
    } else if name.starts_with("web_search") {
        Runs::Upstream(per_search(options))
    } else if name.starts_with("web_fetch") {
        Runs::Upstream(per_fetch(options))
    } else {
        Runs::Unbounded
    }
}

/// One search in searches of the usual number and length of results.
fn per_search(options: &[u8]) -> u64 {
    let results = count(options, "max_results").unwrap_or(RESULTS).max(1);
    let characters = count(options, "max_characters").unwrap_or(0);
    let by_length = results.saturating_mul(characters).div_ceil(SEARCH_TOKENS);
    results.div_ceil(RESULTS).max(by_length)
}

/// One fetched page in searches.
fn per_fetch(options: &[u8]) -> u64 {
    let tokens = count(options, "max_content_tokens").unwrap_or(LINKED_MEDIA_TOKENS);
    tokens.div_ceil(SEARCH_TOKENS).max(1)
}

fn count(options: &[u8], name: &str) -> Option<u64> {
    raw_member(options, name).and_then(number)
}

/// The facts of the plugins.
#[derive(Default)]
struct Plugins {
    runs: bool,
    searches: u64,
    searches_each_step: u64,
    is_unbounded: bool,
    unbounded_tool: Option<String>,
}

impl Plugins {
    fn read(document: &Document, input: Modalities) -> Self {
        let mut read = Self::default();
        // A document that is sent is parsed by an engine that is paid by the page, unless the request says otherwise.
        let mut parses = input.contains(Modalities::FILE);
        if let Some(plugins) = document.get("plugins") {
            let walked = Cursor::new(plugins).array_or_skip(|plugin| {
                let raw = plugin.raw()?;
                let id = member(raw, "id").map(|id| id.to_str().into_owned());
                if id.as_deref() == Some("file-parser") {
                    parses &= !is_free_parser(raw);
                } else if raw_member(raw, "enabled") != Some(b"false") {
                    read.add(id.as_deref().unwrap_or("a plugin without an id"), raw);
                }
                Ok(())
            });
            if walked.is_err() {
                read.refuse("plugins that cannot be read");
            }
        }
        if parses {
            read.refuse("file-parser");
        }
        read
    }

    fn add(&mut self, id: &str, plugin: &[u8]) {
        match id {
            "web" => {
                let uses = count(plugin, "max_uses").unwrap_or(1).max(1);
                self.searches = self.searches.saturating_add(uses.saturating_mul(per_search(plugin)));
            }
            "web-fetch" => {
                self.runs = true;
                match count(plugin, "max_uses") {
                    Some(uses) => self.searches = self.searches.saturating_add(uses.saturating_mul(per_fetch(plugin))),
                    None => self.searches_each_step = self.searches_each_step.saturating_add(per_fetch(plugin)),
                }
            }
            free if FREE_PLUGINS.contains(&free) => {}
            other => self.refuse(other),
        }
    }

    fn refuse(&mut self, name: &str) {
        self.is_unbounded = true;
        self.unbounded_tool
            .get_or_insert_with(|| name.chars().take(64).collect());
    }
}

/// Whether documents are parsed at no price of its own: by the model itself, or by the free engine, or not at all.
fn is_free_parser(plugin: &[u8]) -> bool {
    let engine = raw_member(plugin, "pdf").and_then(|pdf| member(pdf, "engine"));
    raw_member(plugin, "enabled") == Some(b"false")
        || engine.is_some_and(|engine| engine.is("native") || engine.is("cloudflare-ai"))
}

/// When the loop of tools stops.
struct Stops {
    steps: u64,
    is_bounded: bool,
}

impl Stops {
    fn read(document: &Document) -> Self {
        let Some(conditions) = document.get("stop_server_tools_when").filter(|raw| is_there(raw)) else {
            let steps = document.get("max_tool_calls").and_then(number).unwrap_or(MOST_STEPS);
            return Self {
                steps: steps.min(MOST_STEPS),
                is_bounded: true,
            };
        };
        // Conditions replace the number of calls; any one of them stops the loop.
        let mut steps: Option<u64> = None;
        let walked = Cursor::new(conditions).array_or_skip(|condition| {
            let raw = condition.raw()?;
            let kind = member(raw, "type");
            if kind.is_some_and(|kind| kind.is("step_count_is")) {
                let own = count(raw, "step_count");
                steps = own.map(|own| steps.map_or(own, |known| known.min(own))).or(steps);
            }
            Ok(())
        });
        Self {
            steps: steps.unwrap_or(MOST_STEPS),
            is_bounded: walked.is_ok() && steps.is_some(),
        }
    }
}
