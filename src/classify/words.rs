//! What a provider's own words mean: each provider says "too long" and "not supported here" in another way.
//!
//! No single phrase is trusted. A prompt is too long if an error code says so, or if the text names the prompt's side (context, prompt, input,
//! messages), a measure of it and an excess; texts about rates, sizes in bytes and the answer's own limit are ruled out first.

use serde_json::Value;

use openrouter_wire::error::{ErrorCode, UpstreamError};

/// How much of a text is read, in bytes: what matters stands at the beginning.
const LONGEST: usize = 4096;
/// A string that may not have as many characters as this is a name or an identifier, not the prompt.
const SHORTEST_PROMPT_LIMIT: u64 = 4096;

/// Texts and codes of one error, normalised: lower case, one space between words, and no links.
#[derive(Debug, Default)]
pub(super) struct Words {
    text: String,
    codes: Vec<String>,
    /// The error names a member of the request.
    has_param: bool,
}

impl Words {
    /// Of an error with an envelope, the provider's own inside the router's included.
    pub(super) fn of_error(error: &UpstreamError) -> Self {
        let mut words = Self {
            has_param: error.param.is_some(),
            ..Self::default()
        };
        words.add_text(&error.message);
        let code = match &error.code {
            Some(ErrorCode::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        // A reason may be a code as well: `NOT_ENOUGH_BALANCE`.
        let reason = error
            .reason
            .as_deref()
            .filter(|reason| !reason.contains(char::is_whitespace));
        let codes = [
            error.error_type.as_deref(),
            code,
            error.provider_code.as_deref(),
            reason,
        ];
        codes.into_iter().flatten().for_each(|code| words.add_code(code));
        if let Some(raw) = &error.raw {
            words.add_raw(raw);
        }
        words
    }

    /// Of a body that is no known envelope.
    pub(super) fn of_body(body: &[u8]) -> Self {
        let mut words = Self::default();
        let start = body.get(..LONGEST).unwrap_or(body);
        words.add_raw(&String::from_utf8_lossy(start));
        words
    }

    fn add_raw(&mut self, raw: &str) {
        let Ok(value) = serde_json::from_str::<Value>(raw) else {
            return self.add_text(raw);
        };
        let first = value.get(0).unwrap_or(&value);
        let inner = first.get("error").unwrap_or(first);
        for name in ["code", "type", "status", "__type", "Code"] {
            if let Some(code) = inner.get(name).and_then(Value::as_str) {
                self.add_code(code);
            }
        }
        match inner
            .get("message")
            .or_else(|| inner.get("Message"))
            .and_then(Value::as_str)
        {
            Some(message) => self.add_text(message),
            None => self.add_text(raw),
        }
    }

    fn add_text(&mut self, text: &str) {
        let start = text.char_indices().take_while(|(at, _)| *at < LONGEST).map(|(_, c)| c);
        let start: String = start.collect();
        let linkless = start.split_whitespace().filter(|word| !word.contains("://"));
        for word in linkless {
            push_space(&mut self.text);
            push_normalised(&mut self.text, word);
        }
        push_space(&mut self.text);
    }

    pub(super) fn add_code(&mut self, code: &str) {
        self.codes.push(normalised_code(code));
    }

    /// The codes without the text.
    pub(super) fn codes_alone(&self) -> Self {
        Self {
            codes: self.codes.clone(),
            ..Self::default()
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn has(&self, phrases: &str) -> bool {
        has_any(&self.text, phrases)
    }

    pub(super) fn code_is(&self, test: impl Fn(&str) -> bool) -> bool {
        self.codes.iter().any(|code| test(code))
    }

    /// The prompt does not fit the model's context.
    pub(super) fn is_too_long(&self) -> bool {
        if self.is_rate_limit() {
            return false;
        }
        self.code_is(is_too_long_code)
            || (self.text_is_about_the_prompt() && (self.code_is(is_long_string_code) || self.text_says_too_long()))
    }

    /// The same by a code alone.
    pub(super) fn have_too_long_code(&self) -> bool {
        !self.is_rate_limit() && self.code_is(is_too_long_code)
    }

    /// A limit in time: the same prompt passes later.
    pub(super) fn is_rate_limit(&self) -> bool {
        const RATES: &str = "\
            per minute|per min |per day|per hour|per second|per month|tokens min | tpm | tpd | rpm |rate limit|ratelimit|\
            quota|throttl|please wait|wait before|try again in |too many requests";
        self.has(RATES) || self.code_is(|code| code.contains("rate limit") || code.contains("throttl"))
    }

    /// A code of rate limits, such as `rate_limit_exceeded`.
    pub(super) fn have_rate_limit_code(&self) -> bool {
        self.code_is(|code| code.contains("rate limit"))
    }

    /// Neither the answer's own limit, nor a file, nor the length of a name, nor the number of items in a list.
    fn text_is_about_the_prompt(&self) -> bool {
        let of_answer = self.has(OF_THE_ANSWER) && !self.has(OF_THE_PROMPT) && !self.count_the_request();
        let in_bytes = self.has(" bytes | byte | mb | kb | mib |megabyte|pixel") && !self.has("token");
        let of_name = self.longest_allowed().is_some_and(|most| most < SHORTEST_PROMPT_LIMIT);
        let of_list = self.has("array too long|list too long") || self.code_is(|code| code == "array above max length");
        !of_answer && !in_bytes && !of_name && !of_list
    }

    fn text_says_too_long(&self) -> bool {
        let excess = self.has(EXCESS);
        self.has(BY_THEMSELVES)
            || (excess && self.has(OF_THE_CONTEXT))
            || (excess && self.has(INPUT_SIDE) && self.has("token|length|too long"))
            || (self.has(INPUT_SIDE) && self.limit_tokens())
            || (self.count_the_request() && self.has("more than|exceed|larger than|greater than"))
            || (excess && self.has(" total tokens ") && self.has("the model s max"))
            || matches!(self.text.trim(), "token limit exceeded" | "tokens limit exceeded")
            || self.is_larger_in_numbers()
            || self.is_too_long_in_chinese()
    }

    /// "tokens in request": not those that the request allows the answer.
    fn count_the_request(&self) -> bool {
        const COUNTED: &str = " tokens in request | tokens in the request | tokens in your request ";
        const ALLOWED: &str = "max tokens in|completion tokens in|output tokens in|new tokens in";
        self.has(COUNTED) && !self.has(ALLOWED)
    }

    /// How many tokens there may be: "must have less than 512 tokens".
    fn limit_tokens(&self) -> bool {
        const BEFORE: [&str; 3] = [" have less than ", " have fewer than ", " have at most "];
        BEFORE.iter().any(|before| {
            let mut found = self.text.match_indices(before);
            found.any(|(at, before)| {
                let behind = self.text.get(at + before.len()..).unwrap_or_default();
                let mut words = behind
                    .split(' ')
                    .skip_while(|word| word.starts_with(|c: char| c.is_ascii_digit()));
                matches!(words.next(), Some("token" | "tokens"))
            })
        })
    }

    /// The prompt, and next to it that it is too long: "输入内容超长".
    fn is_too_long_in_chinese(&self) -> bool {
        const PROMPT: &str = "prompt|input|输入|提示|上下文|文本|对话|消息";
        const EXCESS: &str = "超长|过长|太长|超出最大|超过最大|超出限制|超过限制|超出长度";
        const SOMETHING_ELSE: &str = "名称|文件|图片|字符串|工具|输出";
        /// Ten characters.
        const FAR: usize = 30;
        near(&self.text, PROMPT, EXCESS, FAR) && !self.has(SOMETHING_ELSE)
    }

    /// The length that a single string may have: "maximum length 64", "at most 64 characters".
    fn longest_allowed(&self) -> Option<u64> {
        let after = |phrase: &str| {
            let (_, rest) = self.text.split_once(phrase)?;
            rest.split(' ').find(|word| !word.is_empty())?.parse().ok()
        };
        let of_string = self.has("string too long|string should|characters");
        let limit = || {
            after("maximum length ")
                .or_else(|| after("max length "))
                .or_else(|| after("at most "))
        };
        of_string.then(limit).flatten()
    }

    /// The error names a member of the request beside its words.
    pub(super) const fn name_a_member(&self) -> bool {
        self.has_param
    }

    /// A member of the request is wrong, whatever it is called.
    pub(super) fn are_about_a_parameter(&self) -> bool {
        self.has(
            "parameter|argument| field | fields |schema|must be|unsupported|not supported|unknown|unrecognized|\
            invalid value|invalid type|extra input|configuration|additional properties|is required",
        )
    }

    /// The provider does not take a parameter, a value or a kind of content that another one may take.
    pub(super) fn is_not_supported(&self) -> bool {
        const CODES: &str = "\
            unsupported|not supported|unknown parameter|unrecognized|extra forbidden|above max|below min|\
            parameter unknown|too large|not allowed|invalid parameter";
        const PHRASES: &str = "\
            unsupported|not supported|does not support|doesn t support|do not support|only support|not permitted|\
            not allowed|unknown parameter|unknown field|unknown name|unrecognized|unexpected keyword|extra inputs|\
            extra fields|not available|not enabled|incompatible|not compatible|cannot be used|deprecated|maximum allowed|\
            valid range|supported range|supported values|above the maximum|maximum value|out of range|\
            enable auto tool choice|unknown variant|did not match any variant|does not work with";
        self.code_is(|code| has_any(code, CODES))
            || self.has(PHRASES)
            || (self.has(OF_THE_ANSWER) && self.has("exceed|too large|at most|less than|maximum|above|higher"))
    }
}

/// Whether one of these phrases, with bars between them, is in the text.
pub(super) fn has_any(text: &str, phrases: &str) -> bool {
    phrases.split('|').any(|phrase| text.contains(phrase))
}

/// Whether a phrase of one list stands near one of the other, with at most `far` bytes between them. Both are lists as [`has_any`] takes them.
pub(super) fn near(text: &str, some: &str, others: &str, far: usize) -> bool {
    let places = |phrases: &str| -> Vec<(usize, usize)> {
        let found = phrases.split('|').flat_map(|phrase| text.match_indices(phrase));
        found.map(|(at, phrase)| (at, at + phrase.len())).collect()
    };
    let others = places(others);
    places(some).into_iter().any(|(begin, end)| {
        let mut others = others.iter();
        others.any(|(other_begin, other_end)| *other_begin <= end + far && begin <= other_end + far)
    })
}

/// A code as [`Words::code_is`] tests it.
pub(super) fn normalised_code(code: &str) -> String {
    let mut normalised = String::new();
    push_normalised(&mut normalised, &spaced(code.get(..128).unwrap_or(code)));
    normalised.trim().to_owned()
}

/// Lower case letters and digits; whatever stands between them is one space.
fn push_normalised(to: &mut String, word: &str) {
    for c in word.chars() {
        if c.is_alphanumeric() {
            to.extend(c.to_lowercase());
        } else {
            push_space(to);
        }
    }
}

/// A code with a space before each word that a capital begins: `OperationNotSupported`, `APIKeyInvalid`.
fn spaced(code: &str) -> String {
    let mut spaced = String::with_capacity(code.len() + 8);
    let mut chars = code.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let ends_capitals = before.is_uppercase() && chars.peek().is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && (before.is_lowercase() || ends_capitals) {
            spaced.push(' ');
        }
        spaced.push(c);
        before = c;
    }
    spaced
}

fn push_space(to: &mut String) {
    if !to.ends_with(' ') {
        to.push(' ');
    }
}

/// A code in any provider's spelling, normalised.
fn is_too_long_code(code: &str) -> bool {
    (has_any(code, "context|prompt|input") && has_any(code, "exceed|too long|too large|toolong|overflow"))
        || matches!(
            code,
            "max tokens exceeded" | "token limit exceeded" | "tokens limit reached"
        )
}

/// A string is over a limit: the prompt's, unless the text names a limit that only a name can have.
fn is_long_string_code(code: &str) -> bool {
    matches!(code, "string above max length" | "string too long")
}

/// The answer's own limit.
const OF_THE_ANSWER: &str = "\
    max tokens|max completion tokens|max output tokens|maxoutputtokens|maxtokens|max new tokens|\
    maximum tokens you|maximum tokens value|output token|completion token|generated token|answer token";

/// What shows that a text with the answer's limit in it is about the prompt all the same.
const OF_THE_PROMPT: &str = "\
    context length|context window|context size|context limit|prompt|input token|input length|inputs token|\
    input is too|input exceed|number of input|message|conversation|input sequence";

/// Names of the context as a whole.
const OF_THE_CONTEXT: &str = "\
    context length|context window|context size|context limit|the context|maximum model length|max model len|n ctx|\
    maximum input length|max input length|maximum prompt length|max sequence length";

/// Names of what fills the context.
const INPUT_SIDE: &str = "\
    prompt|input|message|conversation|request body|your request|the request|this request|requested token| text |\
    content";

/// More than fits.
const EXCESS: &str = "\
    exceed|too long|too large|too many token|too many input|longer than|larger than|bigger than|greater than the|\
    more than the|over the max|overflow|beyond the|does not fit|doesn t fit|not fit in|reduce the|reduce your|\
    shorten|shorter|maximum context|max context|is only|only supports up to|surpass";

/// Phrases that no other failure has.
const BY_THEMSELVES: &str = "\
    range of input length|prompt is too long|prompt too large|prompt is too large|input is too long|\
    too many input tokens|input tokens exceeded|\
    too many tokens|model token limit|prompt exceeds max length|maximum prompt length is|\
    inputs tokens max new tokens must be|inputs must have less than|expected maxlength|\
    tokens to keep from the initial prompt|reduce the length of the messages|max input characters is|\
    max input tokens is|max input length is|max prompt characters is|max message characters is";

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
