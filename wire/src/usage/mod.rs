//! What an answer took, and cost: the usage object, typed and as plain counts. Amounts stay the decimal text that came.

mod counts;
mod iterations;
#[cfg(test)]
mod names_tests;
mod tier;

pub(crate) use counts::answer_tokens;
pub use counts::{UsageCounts, usage_counts};
pub use tier::ServedTier;

use std::borrow::Cow;

use counts::ByTotal;
use iterations::Iterations;

use crate::decimal::Decimal;
use crate::json::{Cursor, whole_number};
use crate::view::{Extra, read_whole, wire_struct};

wire_struct! {
    /// What an answer took, in tokens of the model's own tokenizer, and what it cost.
    ///
    /// ```
    /// use openrouter_wire::usage::Usage;
    ///
    /// let usage: Usage = serde_json::from_str(r#"{"prompt_tokens":15,"completion_tokens":9,"total_tokens":24,"cost":0.00000765}"#)?;
    /// assert_eq!(usage.reported_cost().as_deref(), Some("0.00000765"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Usage {
        /// Tokens of the prompt; `None` if the server does not say.
        prompt_tokens: Option<u64> = "prompt_tokens",
        /// Tokens of the answer, reasoning included.
        completion_tokens: Option<u64> = "completion_tokens",
        /// The sum of both.
        total_tokens: Option<u64> = "total_tokens",
        /// US dollars charged to the account. With the account's own key at the provider, OpenRouter's fee alone.
        cost: Option<Decimal> = "cost",
        /// Whether the account's own key at the provider was used.
        is_byok: Option<bool> = "is_byok",
        /// What the cost is made of.
        cost_details: Option<CostDetails> = "cost_details",
        /// What the prompt is made of.
        prompt_tokens_details: Option<PromptTokensDetails> = "prompt_tokens_details",
        /// What the answer is made of.
        completion_tokens_details: Option<CompletionTokensDetails> = "completion_tokens_details",
        /// What tools did that OpenRouter ran.
        server_tool_use_details: Option<ServerToolUse> = "server_tool_use_details",
    }
}

wire_struct! {
    /// What a cost is made of, in US dollars.
    CostDetails {
        /// What the provider charged.
        upstream_inference_cost: Option<Decimal> = "upstream_inference_cost",
        /// Of that, for the prompt.
        upstream_inference_prompt_cost: Option<Decimal> = "upstream_inference_prompt_cost",
        /// Of that, for the answer.
        upstream_inference_completions_cost: Option<Decimal> = "upstream_inference_completions_cost",
        /// What the tools cost that OpenRouter ran.
        server_tool_cost: Option<Decimal> = "server_tool_cost",
    }
}

wire_struct! {
    /// What a prompt is made of, in tokens.
    PromptTokensDetails {
        /// Read from the provider's cache.
        cached_tokens: Option<u64> = "cached_tokens",
        /// Written to the provider's cache.
        cache_write_tokens: Option<u64> = "cache_write_tokens",
        /// Sound.
        audio_tokens: Option<u64> = "audio_tokens",
        /// Moving pictures.
        video_tokens: Option<u64> = "video_tokens",
        /// Pictures.
        image_tokens: Option<u64> = "image_tokens",
    }
}

wire_struct! {
    /// What an answer is made of, in tokens.
    CompletionTokensDetails {
        /// Reasoning, which is part of the answer's tokens.
        reasoning_tokens: Option<u64> = "reasoning_tokens",
        /// Sound.
        audio_tokens: Option<u64> = "audio_tokens",
        /// Pictures.
        image_tokens: Option<u64> = "image_tokens",
        /// Tokens that were predicted, and came.
        accepted_prediction_tokens: Option<u64> = "accepted_prediction_tokens",
        /// Tokens that were predicted, and did not come.
        rejected_prediction_tokens: Option<u64> = "rejected_prediction_tokens",
    }
}

wire_struct! {
    /// What tools did that OpenRouter ran.
    ServerToolUse {
        /// Calls the model asked for.
        tool_calls_requested: Option<u64> = "tool_calls_requested",
        /// Calls that were made.
        tool_calls_executed: Option<u64> = "tool_calls_executed",
        /// Searches.
        web_search_requests: Option<u64> = "web_search_requests",
    }
}

impl Usage {
    /// The usage that an object says, written as leniently as servers write answers; `None` if it is no object.
    #[must_use]
    pub fn from_json(raw: &[u8]) -> Option<Self> {
        read_whole(raw)
    }

    /// The same as plain counts, each under one name.
    ///
    /// Reads the names of other servers as well (`input_tokens`, `output_tokens` and their details). A missing count is derived from
    /// the total if the other one is there; what the total has beyond both is reasoning, which is part of the answer here, and beyond that what
    /// the upstream's tools added to the prompt. If the answer took several rounds (`iterations` of Anthropic's servers), the tokens are those of
    /// all rounds.
    #[must_use]
    pub fn counts(&self) -> UsageCounts<'_> {
        let rounds = self.iterations();
        let (prompt, answer) = self.own_counts();
        let of_prompt = self.prompt_tokens_details.as_ref();
        let of_answer = self.completion_tokens_details.as_ref();
        let of_tools = self.server_tool_use_details.as_ref();
        let of_cost = self.cost_details.as_ref();
        let upstream = of_cost.and_then(|of| of.upstream_inference_cost.as_ref());
        let is_byok = self.is_byok == Some(true);
        let is_fee = is_byok && upstream.is_none();
        UsageCounts {
            prompt: prompt.max(rounds.prompt),
            answer: answer.max(rounds.answer),
            cached: self.cached_tokens().max(rounds.cached),
            cache_written: self.cache_write_tokens().max(rounds.cache_written),
            cache_written_1h: self.cache_written_for_an_hour().max(rounds.cache_written_1h),
            audio: self.audio_tokens(),
            images: of_several([
                of_prompt.and_then(|of| told(of.image_tokens, &of.extra, "image_tokens")),
                self.number_in("input_tokens_details", "image_tokens"),
            ])
            .unwrap_or(0),
            reasoning: self.reasoning_tokens(),
            answer_audio: of_answer
                .and_then(|of| told(of.audio_tokens, &of.extra, "audio_tokens"))
                .unwrap_or(0),
            answer_images: of_answer
                .and_then(|of| told(of.image_tokens, &of.extra, "image_tokens"))
                .unwrap_or(0),
            tier: self.served_tier(),
            searches: of_several([
                of_tools.and_then(|of| of.web_search_requests),
                self.number_in("server_tool_use", "web_search_requests"),
            ])
            .unwrap_or(0),
            cost: self.reported_cost().filter(|_| !is_fee),
            upstream_cost: upstream.filter(|_| is_byok).map(|cost| cost.as_str().into()),
        }
    }

    fn iterations(&self) -> Iterations {
        Iterations::read(self.extra.raw("iterations"))
    }

    /// Tokens of prompt and answer, as far as they are reported beside the rounds.
    fn own_counts(&self) -> (Option<u64>, Option<u64>) {
        const PROMPT: [&str; 5] = [
            "inputTokens",
            "promptTokens",
            "prompt_token_count",
            "promptTokenCount",
            "input_token_count",
        ];
        let prompt = of_several([
            told(self.prompt_tokens, &self.extra, "prompt_tokens"),
            self.input_tokens(),
            self.first_number(&PROMPT),
        ]);
        let answer = self.own_answer();
        let total = of_several([
            told(self.total_tokens, &self.extra, "total_tokens"),
            self.first_number(&["totalTokens", "total_token_count", "totalTokenCount"]),
        ]);
        let by_total = ByTotal {
            total,
            of_tools: self
                .first_number(&[
                    "tool_use_prompt_tokens",
                    "toolUsePromptTokenCount",
                    "tool_use_prompt_token_count",
                ])
                .unwrap_or(0),
            reasoning: self.reasoning_tokens(),
            cache: self.cached_tokens().saturating_add(self.cache_write_tokens()),
            audio: self.audio_tokens(),
        };
        by_total.completes(prompt, answer)
    }

    /// Tokens of the answer, under whatever name; if it took several rounds, those of all.
    #[must_use]
    pub fn reported_output_tokens(&self) -> Option<u64> {
        self.own_answer().max(self.iterations().answer)
    }

    fn own_answer(&self) -> Option<u64> {
        const ANSWER: [&str; 6] = [
            "output_tokens",
            "outputTokens",
            "completionTokens",
            "completion_token_count",
            "candidatesTokenCount",
            "output_token_count",
        ];
        let own = told(self.completion_tokens, &self.extra, "completion_tokens");
        of_several([own, self.first_number(&ANSWER)])
    }

    /// What was charged, in US dollars: as `cost` says, unless that is below nothing, else in xAI's ticks, else as the total of an object,
    /// else as `estimated_cost`, which is `DeepInfra`'s word for it.
    #[must_use]
    pub fn reported_cost(&self) -> Option<Cow<'_, str>> {
        let own = self.cost.as_ref().filter(|cost| !cost.is_negative());
        let own = own.map(|cost| Cow::Borrowed(cost.as_str()));
        let ticks = || Some(Cow::Owned(format!("{}e-10", self.number("cost_in_usd_ticks")?)));
        own.or_else(ticks)
            .or_else(|| self.total_of_cost())
            .or_else(|| self.estimated_cost())
    }

    /// The cost that a server calls an estimate, if it is no other value.
    fn estimated_cost(&self) -> Option<Cow<'_, str>> {
        let told = self.extra.raw("estimated_cost")?.trim_matches('"');
        let cost: Decimal = told.parse().ok()?;
        (!cost.is_negative()).then_some(Cow::Borrowed(told))
    }

    /// The total of a cost that is an object.
    fn total_of_cost(&self) -> Option<Cow<'_, str>> {
        let mut total: Option<Decimal> = None;
        let walked = Cursor::lenient(self.extra.raw("cost")?.as_bytes()).object_or_skip(|key, value| {
            let raw = value.raw()?;
            if key.is("total_cost") || key.is("total") {
                total = std::str::from_utf8(raw)
                    .ok()
                    .and_then(|raw| raw.trim_matches('"').parse().ok());
            }
            Ok(())
        });
        let total = walked.ok().and(total).filter(|total| !total.is_negative())?;
        Some(Cow::Owned(total.as_str().to_owned()))
    }

    /// Anthropic's servers count what concerns the cache beside `input_tokens`; all others within it.
    fn input_tokens(&self) -> Option<u64> {
        let beside = [self.number("cache_read_input_tokens"), self.cache_creation()];
        let beside = beside.into_iter().flatten();
        Some(beside.fold(self.number("input_tokens")?, u64::saturating_add))
    }

    /// Tokens written to the cache as Anthropic's servers say it: in all, or by how long they stay.
    fn cache_creation(&self) -> Option<u64> {
        let told = self.number("cache_creation_input_tokens");
        let parts = || {
            let parts = [FOR_MINUTES, FOR_AN_HOUR].map(|name| self.number_in(CACHE_CREATION, name));
            parts.into_iter().flatten().reduce(u64::saturating_add)
        };
        told.filter(|told| *told > 0).or_else(parts).or(told)
    }

    /// The tier that served it, as Anthropic's servers say it: by its name, or as a speed.
    fn served_tier(&self) -> Option<ServedTier> {
        let told = ["service_tier", "speed"].map(|name| {
            let word = self.extra.raw(name)?.strip_prefix('"')?.strip_suffix('"')?;
            Some(ServedTier::of(word))
        });
        told.into_iter().flatten().reduce(ServedTier::costlier)
    }

    fn first_number(&self, names: &[&str]) -> Option<u64> {
        of_several(names.iter().map(|name| self.number(name)))
    }

    fn number(&self, name: &str) -> Option<u64> {
        count(self.extra.raw(name)?)
    }

    fn number_in(&self, object: &str, name: &str) -> Option<u64> {
        let mut found = None;
        let walked = Cursor::lenient(self.extra.raw(object)?.as_bytes()).object_or_skip(|key, value| {
            if key.is(name) {
                found = std::str::from_utf8(value.raw()?).ok().and_then(count);
                return Ok(());
            }
            value.skip()
        });
        walked.ok().and(found)
    }

    /// Tokens of the prompt that were read from the provider's cache.
    #[must_use]
    pub fn cached_tokens(&self) -> u64 {
        let of_prompt = self.prompt_tokens_details.as_ref();
        of_several([
            of_prompt.and_then(|of| told(of.cached_tokens, &of.extra, "cached_tokens")),
            self.number_in("input_tokens_details", "cached_tokens"),
            self.number("cache_read_input_tokens"),
            self.number_in("prompt_tokens_details", "cached_tokens"),
            self.first_number(&["prompt_cache_hit_tokens", "cacheReadInputTokens"]),
            self.number("cached_tokens"),
        ])
        .unwrap_or(0)
    }

    /// Tokens of the prompt that were written to the provider's cache.
    #[must_use]
    pub fn cache_write_tokens(&self) -> u64 {
        let of_prompt = self.prompt_tokens_details.as_ref();
        of_several([
            of_prompt.and_then(|of| told(of.cache_write_tokens, &of.extra, "cache_write_tokens")),
            self.number_in("input_tokens_details", "cache_write_tokens"),
            self.cache_creation(),
            of_prompt.and_then(|details| count(details.extra.raw("cache_creation_input_tokens")?)),
        ])
        .unwrap_or(0)
    }

    fn cache_written_for_an_hour(&self) -> u64 {
        self.number_in(CACHE_CREATION, FOR_AN_HOUR).unwrap_or(0)
    }

    fn audio_tokens(&self) -> u64 {
        let of_prompt = self.prompt_tokens_details.as_ref();
        of_prompt
            .and_then(|of| told(of.audio_tokens, &of.extra, "audio_tokens"))
            .unwrap_or(0)
    }

    /// Tokens of the answer that were reasoning.
    #[must_use]
    pub fn reasoning_tokens(&self) -> u64 {
        let of_answer = self.completion_tokens_details.as_ref();
        of_several([
            of_answer.and_then(|of| told(of.reasoning_tokens, &of.extra, "reasoning_tokens")),
            self.number_in("output_tokens_details", "reasoning_tokens"),
            self.number_in("output_tokens_details", "thinking_tokens"),
            self.first_number(&["reasoning_tokens", "thoughtsTokenCount", "thoughts_token_count"]),
        ])
        .unwrap_or(0)
    }
}

/// The count of this name: as it was read, or of the text that was kept since it is no whole number.
fn told(read: Option<u64>, extra: &Extra, name: &str) -> Option<u64> {
    read.or_else(|| count(extra.raw(name)?))
}

/// A count that has several names: the first that is not zero, since a server may fill one set of names and leave the other at zero.
fn of_several(names: impl IntoIterator<Item = Option<u64>>) -> Option<u64> {
    let told = names.into_iter().flatten();
    told.reduce(|known, other| if known == 0 { other } else { known })
}

/// In which Anthropic's servers say how long what was written to the cache stays.
const CACHE_CREATION: &str = "cache_creation";
const FOR_MINUTES: &str = "ephemeral_5m_input_tokens";
const FOR_AN_HOUR: &str = "ephemeral_1h_input_tokens";

/// A count, also one that is written as `15.0` or `"15"`. Servers that count by letters, or by the size of a picture, report fractions of a
/// token: they are rounded up.
fn count(raw: &str) -> Option<u64> {
    let text = raw.trim_matches('"').trim();
    whole_number(text.as_bytes()).or_else(|| rounded_up(text))
}

/// The whole number above a fraction that is written without an exponent.
fn rounded_up(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.')?;
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    whole.parse::<u64>().ok()?.checked_add(1)
}
