//! What an answer took, as plain counts: read in one pass, without the typed view.

use std::borrow::Cow;

use crate::{
    json::{Cursor, Found, JsonError, Text},
    usage::{ServedTier, Usage, of_several},
    view::read_whole,
};

/// What a usage object says, each count under one name. Amounts are US dollars, as the decimal text that came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UsageCounts<'a> {
    /// Tokens of the prompt; `None` if neither they nor a total are reported.
    pub prompt: Option<u64>,
    /// Tokens of the answer, reasoning included; `None` if neither they nor a total are reported.
    pub answer: Option<u64>,
    /// Tokens of the prompt that were read from the provider's cache.
    pub cached: u64,
    /// Tokens of the prompt that were written to the provider's cache.
    pub cache_written: u64,
    /// Of the written ones, those that stay for an hour.
    pub cache_written_1h: u64,
    /// Tokens of sound in the prompt.
    pub audio: u64,
    /// Tokens of pictures in the prompt.
    pub images: u64,
    /// Tokens of the answer that were reasoning.
    pub reasoning: u64,
    /// Tokens of sound in the answer.
    pub answer_audio: u64,
    /// Tokens of pictures in the answer.
    pub answer_images: u64,
    /// The tier of service that served it, if the object says.
    pub tier: Option<ServedTier>,
    /// Searches that the upstream ran.
    pub searches: u64,
    /// What was charged to the account. It may be too large to be held, or below nothing. `None` as well if the account's own key at the
    /// provider was used and what the provider charged is not reported: a fee alone is no bill.
    pub cost: Option<Cow<'a, str>>,
    /// What the provider charged, if the account's own key at the provider was used.
    pub upstream_cost: Option<Cow<'a, str>>,
}

/// The same as [`Usage::counts`] of this object; `None` if it is no object. Only an object of another shape than OpenRouter's builds the
/// typed view.
#[must_use]
pub fn usage_counts(raw: &[u8]) -> Option<UsageCounts<'_>> {
    match Counts::read(raw) {
        Some(counts) => Some(counts.told()),
        None => Some(read_whole::<Usage>(raw)?.counts().into_owned()),
    }
}

/// How many tokens the answer has, under whatever name.
pub(crate) fn answer_tokens(raw: &[u8]) -> Option<u64> {
    match Counts::read(raw) {
        Some(counts) => counts.answer,
        None => read_whole::<Usage>(raw)?.reported_output_tokens(),
    }
}

impl UsageCounts<'_> {
    /// The same, which borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> UsageCounts<'static> {
        let owned = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        UsageCounts {
            cost: owned(self.cost),
            upstream_cost: owned(self.upstream_cost),
            ..self
        }
    }
}

/// The members of a usage object of the usual shape.
#[derive(Default)]
struct Counts<'a> {
    prompt: Option<u64>,
    answer: Option<u64>,
    total: Option<u64>,
    cost: Option<&'a str>,
    is_byok: bool,
    upstream_cost: Option<&'a str>,
    of_prompt: OfPrompt,
    of_answer: OfAnswer,
    searches: Option<u64>,
    /// The same, as Anthropic's servers say it.
    own_searches: Option<u64>,
    /// Something is written otherwise, or under another name.
    is_odd: bool,
}

#[derive(Default)]
struct OfPrompt {
    cached: u64,
    cache_written: Option<u64>,
    /// The same, as `DashScope` says it.
    cache_creation: Option<u64>,
    audio: u64,
    images: u64,
}

#[derive(Default)]
struct OfAnswer {
    reasoning: u64,
    audio: u64,
    images: u64,
}

impl<'a> Counts<'a> {
    /// `None` unless each member is known, and written as OpenRouter writes it.
    fn read(raw: &'a [u8]) -> Option<Self> {
        let mut counts = Self::default();
        let mut cursor = Cursor::lenient(raw);
        let walked = cursor.object(|key, value| counts.member(key, value));
        walked.and_then(|()| cursor.end()).ok()?;
        (!counts.is_odd).then_some(counts)
    }

    fn member(&mut self, key: Text<'a>, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        let odd = &mut self.is_odd;
        match key.name() {
            b"prompt_tokens" => self.prompt = count(value, odd)?,
            b"completion_tokens" => self.answer = count(value, odd)?,
            b"total_tokens" => self.total = count(value, odd)?,
            b"cost" => self.cost = amount(value, odd)?,
            b"is_byok" => {
                self.is_byok = match value.raw()? {
                    b"true" => true,
                    b"false" | b"null" => false,
                    _ => {
                        *odd = true;
                        false
                    }
                }
            }
            b"cost_details" => {
                self.upstream_cost = None;
                let cost = &mut self.upstream_cost;
                details(value, odd, |name, value, odd| {
                    if name == b"upstream_inference_cost" {
                        *cost = amount(value, odd)?;
                        return Ok(());
                    }
                    value.skip()
                })?;
            }
            b"prompt_tokens_details" => {
                self.of_prompt = OfPrompt::default();
                let of = &mut self.of_prompt;
                details(value, odd, |name, value, odd| {
                    match name {
                        // An absent count may stand elsewhere, and so may one that is null: nowhere else is known here.
                        b"cached_tokens" => of.cached = count(value, odd)?.unwrap_or(0),
                        b"cache_write_tokens" => of.cache_written = count(value, odd)?,
                        b"cache_creation_input_tokens" => of.cache_creation = count(value, odd)?,
                        b"audio_tokens" => of.audio = count(value, odd)?.unwrap_or(0),
                        b"image_tokens" => of.images = count(value, odd)?.unwrap_or(0),
                        _ => value.skip()?,
                    }
                    Ok(())
                })?;
            }
            b"completion_tokens_details" => {
                self.of_answer = OfAnswer::default();
                let of = &mut self.of_answer;
                details(value, odd, |name, value, odd| {
                    match name {
                        b"reasoning_tokens" => of.reasoning = count(value, odd)?.unwrap_or(0),
                        b"audio_tokens" => of.audio = count(value, odd)?.unwrap_or(0),
                        b"image_tokens" => of.images = count(value, odd)?.unwrap_or(0),
                        _ => value.skip()?,
                    }
                    Ok(())
                })?;
            }
            b"server_tool_use_details" => self.searches = searches(value, odd)?,
            b"server_tool_use" => self.own_searches = searches(value, odd)?,
            _ => {
                *odd = true;
                value.skip()?;
            }
        }
        Ok(())
    }

    fn told(&self) -> UsageCounts<'a> {
        let of_prompt = &self.of_prompt;
        let cache_written = of_several([of_prompt.cache_written, of_prompt.cache_creation]).unwrap_or(0);
        let by_total = ByTotal {
            total: self.total,
            // An object that reports them is of another shape.
            of_tools: 0,
            reasoning: self.of_answer.reasoning,
            cache: of_prompt.cached.saturating_add(cache_written),
            audio: of_prompt.audio,
        };
        let (prompt, answer) = by_total.completes(self.prompt, self.answer);
        let is_fee = self.is_byok && self.upstream_cost.is_none();
        UsageCounts {
            prompt,
            answer,
            cached: of_prompt.cached,
            cache_written,
            cache_written_1h: 0,
            audio: of_prompt.audio,
            images: of_prompt.images,
            reasoning: self.of_answer.reasoning,
            answer_audio: self.of_answer.audio,
            answer_images: self.of_answer.images,
            // An object that names a tier is of another shape.
            tier: None,
            searches: of_several([self.searches, self.own_searches]).unwrap_or(0),
            cost: self.cost.filter(|_| !is_fee).map(Cow::Borrowed),
            upstream_cost: self.upstream_cost.filter(|_| self.is_byok).map(Cow::Borrowed),
        }
    }
}

/// What a total says of the counts beside it.
pub(super) struct ByTotal {
    pub(super) total: Option<u64>,
    /// Tokens that the upstream's tools added to the prompt, if they are reported.
    pub(super) of_tools: u64,
    pub(super) reasoning: u64,
    /// Tokens of the prompt that were read from the provider's cache or written to it.
    pub(super) cache: u64,
    /// Tokens of sound in the prompt.
    pub(super) audio: u64,
}

impl ByTotal {
    /// More tokens than any one answer takes: such a total is none.
    const LARGEST: u64 = 1 << 32;

    /// Prompt and answer as the total completes them: one that is missing is the rest, and what the total has beyond both is reasoning that
    /// the answer leaves out, unless it is just what concerns the cache, or sound that the count of the prompt leaves out, as Mistral's does.
    /// What it has beyond the reasoning that is reported is what the upstream's tools added to the prompt.
    pub(super) fn completes(&self, prompt: Option<u64>, answer: Option<u64>) -> (Option<u64>, Option<u64>) {
        let rest = |told: u64| self.total.map(|total| total.saturating_sub(told));
        let (Some(tokens), Some(said)) = (prompt, answer) else {
            return (prompt.or_else(|| rest(answer?)), answer.or_else(|| rest(prompt?)));
        };
        let total = self.total.filter(|total| *total <= Self::LARGEST).unwrap_or(0);
        let beyond = total.saturating_sub(tokens.saturating_add(said));
        if beyond > 0 && beyond == self.cache && beyond != self.reasoning {
            return (Some(tokens + beyond), answer);
        }
        // More sound than the prompt has tokens is no part of them.
        let is_beside = self.audio > tokens && beyond >= self.audio && beyond != self.reasoning;
        let audio = if is_beside { self.audio } else { 0 };
        let (tokens, beyond) = (tokens + audio, beyond - audio);
        let of_tools = self.of_tools.min(beyond);
        let others = beyond - of_tools;
        // If no reasoning is reported all of it may be that, which costs more.
        let reasoning = if self.reasoning == 0 {
            others
        } else {
            others.min(self.reasoning)
        };
        (Some(tokens + (beyond - reasoning)), Some(said + reasoning))
    }
}

/// How many searches an object of tools counts.
fn searches(value: &mut Cursor<'_>, odd: &mut bool) -> Result<Option<u64>, JsonError> {
    let mut searches = None;
    details(value, odd, |name, value, odd| {
        if name == b"web_search_requests" {
            searches = count(value, odd)?;
            return Ok(());
        }
        value.skip()
    })?;
    Ok(searches)
}

/// An object or null; anything else is odd.
fn details<'a, F>(value: &mut Cursor<'a>, odd: &mut bool, mut member: F) -> Result<(), JsonError>
where
    F: FnMut(&[u8], &mut Cursor<'a>, &mut bool) -> Result<(), JsonError>,
{
    match value.peek()? {
        Found::Object => value.object(|key, value| {
            *odd |= key.name().is_empty();
            member(key.name(), value, odd)
        }),
        Found::Null => value.skip(),
        _ => {
            *odd = true;
            value.skip()
        }
    }
}

/// A whole number in digits, or null.
fn count(value: &mut Cursor<'_>, odd: &mut bool) -> Result<Option<u64>, JsonError> {
    /// So many digits always fit.
    const DIGITS: usize = 19;

    let raw = value.raw()?;
    if raw == b"null" {
        return Ok(None);
    }
    if raw.len() > DIGITS || !raw.iter().all(u8::is_ascii_digit) {
        *odd = true;
        return Ok(None);
    }
    Ok(Some(
        raw.iter()
            .fold(0, |number, digit| number * 10 + u64::from(digit - b'0')),
    ))
}

/// An amount of dollars as a number, or null. What is below zero is odd.
fn amount<'a>(value: &mut Cursor<'a>, odd: &mut bool) -> Result<Option<&'a str>, JsonError> {
    let raw = value.raw()?;
    if raw == b"null" {
        return Ok(None);
    }
    let is_number = raw
        .iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
    let amount = std::str::from_utf8(raw)
        .ok()
        .filter(|amount| is_number && !amount.starts_with('-'));
    *odd |= amount.is_none();
    Ok(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = Option<UsageCounts<'static>>;

    fn both(raw: &str) -> (Told, Told) {
        let view = read_whole::<Usage>(raw.as_bytes());
        let read = usage_counts(raw.as_bytes()).map(UsageCounts::into_owned);
        (read, view.map(|usage| usage.counts().into_owned()))
    }

    #[test]
    fn openrouter_s_usage_needs_no_typed_view() {
        let raw = r#"{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17,"cost":0.000065,"is_byok":true,
            "prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":2,"audio_tokens":1,"video_tokens":0},
            "cost_details":{"upstream_inference_cost":0.5,"upstream_inference_prompt_cost":0.1},
            "completion_tokens_details":{"reasoning_tokens":4,"image_tokens":3,"audio_tokens":2},
            "server_tool_use_details":{"web_search_requests":6}}"#;
        assert!(Counts::read(raw.as_bytes()).is_some());
        let (read, view) = both(raw);
        assert!(read.is_some());
        assert_eq!(read, view);
    }

    #[test]
    fn another_shape_is_left_to_the_typed_view() {
        for odd in [
            r#"{"input_tokens":3,"output_tokens":4}"#,
            r#"{"prompt_tokens":"3"}"#,
            r#"{"prompt_tokens":3.0}"#,
            r#"{"prompt_tokens":18446744073709551616}"#,
            r#"{"cost":"0.5"}"#,
            r#"{"cost":{"total_cost":1}}"#,
            r#"{"prompt_tokens_details":[]}"#,
            r#"{"is_byok":1}"#,
        ] {
            assert!(Counts::read(odd.as_bytes()).is_none(), "{odd}");
            let (read, view) = both(odd);
            assert_eq!(read, view, "{odd}");
        }
    }

    #[test]
    fn a_name_with_an_escape_is_read_like_any_other() {
        let (read, view) = both(r#"{"prompt_tokens":3,"prompt_tokens_details":{"cached\u005ftokens":1}}"#);
        assert_eq!(read.as_ref().map(|usage| usage.cached), Some(1));
        assert_eq!(read, view);
    }

    proptest::proptest! {
        /// The short way and the typed view say the same of any usage object.
        #[test]
        fn both_ways_say_the_same(members in proptest::collection::vec(
            r#""service_tier":"(priority|standard|x)"|"speed":"(fast|standard)"|"(prompt_tokens|completion_tokens|total_tokens|cost|is_byok|input_tokens|cached_tokens|cost_in_usd_ticks)":(null|0|7|15|-1|2\.0|0\.5|1e-3|"4"|true|false|\{\}|NaN|99999999999999999999)|"(prompt_tokens_details|completion_tokens_details|cost_details|server_tool_use_details|server_tool_use|input_tokens_details)":(null|\[\]|\{\}|\{"(cached_tokens|cache_write_tokens|cache_creation_input_tokens|audio_tokens|image_tokens|reasoning_tokens|upstream_inference_cost|web_search_requests|new)":(null|3|0\.25|-2|"9"|\{\})\})"#,
            0..7,
        )) {
            let raw = format!("{{{}}}", members.join(","));
            let (read, view) = both(&raw);
            proptest::prop_assert_eq!(read, view, "{}", raw);
            let told = read_whole::<Usage>(raw.as_bytes()).and_then(|usage| usage.reported_output_tokens());
            proptest::prop_assert_eq!(answer_tokens(raw.as_bytes()), told, "{}", raw);
        }
    }
}
