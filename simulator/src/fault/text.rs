//! [`Fault`] as text: read, printed, serialised.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    DoneForm, ErrorField, ErrorShape, Fault, Refusal, Surrogate, UsageForm, UsageShape, WholeMessage, bare, span,
    table::TABLE,
};

/// The text is not a fault, step or plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError {
    text: String,
}

impl FaultError {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown fault `{}`", self.text)?;
        if let Some(near) = nearest(&self.text) {
            write!(f, "; did you mean `{near}`?")?;
        }
        f.write_str(" (`openrouter-simulator --help` lists all)")
    }
}

/// Longer texts are no misspelt names, in bytes.
const LONGEST: usize = 32;

/// The name of a fault that differs from this text by at most two letters. A wrong status code has no near name.
fn nearest(text: &str) -> Option<&'static str> {
    let name = |text: &str| text.split('=').next().map(str::len);
    let text = text.get(..name(text)?).filter(|text| text.len() <= LONGEST)?;
    let names = TABLE.iter().filter_map(|(example, _)| example.get(..name(example)?));
    let words = names.filter(|name| name.starts_with(|sign: char| sign.is_ascii_alphabetic()));
    let near = words.map(|word| (distance(text, word), word));
    let (letters, word) = near.min_by_key(|(letters, _)| *letters)?;
    (letters <= 2 && letters < word.len()).then_some(word)
}

/// How many letters must be inserted, deleted or replaced.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.bytes().enumerate() {
        let mut left = line + 1;
        let mut next = vec![left];
        for (sign, known) in other.bytes().zip(row.windows(2)) {
            let [diagonal, above] = *known else { continue };
            left = (above + 1).min(left + 1).min(diagonal + usize::from(sign != letter));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

impl std::error::Error for FaultError {}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let text = text.trim();
        Refusal::parse(text)
            .map(Self::Refuse)
            .or_else(|| bare::read(text))
            .or_else(|| valued(text))
            .ok_or_else(|| FaultError::new(text))
    }
}

fn valued(text: &str) -> Option<Fault> {
    if let Some((name, at)) = text.split_once('@').filter(|(name, _)| !name.contains('=')) {
        let at = at.parse().ok()?;
        return Some(match name {
            "cut" => Fault::Cut(at),
            "bad-json" => Fault::BadJson(at),
            "error" => Fault::ErrorAt(bare::ERROR_CODE.to_owned(), at),
            _ => return None,
        });
    }
    let (name, value) = text.split_once('=')?;
    Some(match name {
        "retry-after" => Fault::RetryAfter(decode(value)?),
        "retry-after-date" => Fault::RetryAfterDate(span::parse(value)?),
        "availability-retry" => Fault::AvailabilityRetry(value.parse().ok()?),
        "metadata-retry" => Fault::MetadataRetry(value.parse().ok()?),
        "metadata-header" => Fault::MetadataHeader(decode(value)?),
        "ratelimit-reset" => Fault::RateLimitReset(span::parse(value)?),
        "slow-headers" => Fault::SlowHeaders(span::parse(value)?),
        "first-token" => Fault::FirstToken(span::parse(value)?),
        "stall" => {
            let (length, at) = value.split_once('@')?;
            Fault::Stall(span::parse(length)?, at.parse().ok()?)
        }
        "delay" => Fault::Delay(span::parse(value)?),
        "drip" | "drip-cut" => {
            let (every, total) = value.split_once('/')?;
            let (every, total) = (span::parse(every).filter(|e| !e.is_zero())?, span::parse(total)?);
            if name == "drip" {
                Fault::Drip(every, total)
            } else {
                Fault::DripCut(every, total)
            }
        }
        "down" => Fault::Down(span::parse(value)?),
        "cut-byte" => Fault::CutByte(value.parse().ok()?),
        "error" => match value.split_once('@') {
            Some((code, at)) => Fault::ErrorAt(decode(code)?, at.parse().ok()?),
            None => Fault::Error(decode(value)?),
        },
        "split" => Fault::Split(value.parse().ok().filter(|k| *k > 0)?),
        "big-event" => Fault::BigEvent(up_to(value, 64 << 20)?),
        "keepalive" => Fault::KeepAlive(up_to(value, 1_000)?),
        "usage" => Fault::Usage(UsageShape::read(value)?),
        "words" => Fault::Words(up_to(value, 1_000_000)?),
        "text" => Fault::Text(decode(value)?),
        "reasoning" => Fault::Reasoning(up_to(value, 1_000_000)?),
        "finish" => Fault::Finish(decode(value)?),
        "cached" => Fault::Cached(value.parse().ok()?),
        _ => return odd(name, value),
    })
}

/// The clauses of answers that are oddly written.
fn odd(name: &str, value: &str) -> Option<Fault> {
    Some(match name {
        "error-shape" => Fault::ErrorShape(ErrorShape::read(value)?),
        "message" => Fault::Message(decode(value)?),
        "error-field" => Fault::ErrorField(ErrorField::read(value)?),
        "content-type" => Fault::ContentType(decode(value)?),
        "deep" => Fault::Deep(up_to(value, 100_000)?),
        "surrogate" => Fault::Surrogate(Surrogate::read(value)?),
        "usage-form" => Fault::UsageForm(UsageForm::read(value)?),
        "done-form" => Fault::DoneForm(DoneForm::read(value)?),
        "pings" => Fault::Pings(up_to(value, 10_000)?),
        "empties" => Fault::Empties(up_to(value, 10_000)?),
        "event" => {
            let (text, at) = value.rsplit_once('@')?;
            Fault::Event(decode(text)?, at.parse().ok()?)
        }
        "last-event" => Fault::LastEvent(decode(value)?),
        "finish-each" => Fault::FinishEach(decode(value)?),
        "native" => Fault::Native(decode(value)?),
        "index" => Fault::Index(value.parse().ok()?),
        "reasoning-name" => Fault::ReasoningName(decode(value)?),
        "whole-message" => Fault::WholeMessage(WholeMessage::read(value)?),
        _ => return None,
    })
}

/// A number that memory can stand.
fn up_to(text: &str, most: u32) -> Option<u32> {
    text.parse().ok().filter(|n| *n <= most)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse(refusal) => write!(f, "{refusal}"),
            Self::RetryAfter(value) => write!(f, "retry-after={}", encode(value)),
            Self::RetryAfterDate(ahead) => write!(f, "retry-after-date={}", span::show(*ahead)),
            Self::AvailabilityRetry(seconds) => write!(f, "availability-retry={seconds}"),
            Self::MetadataRetry(seconds) => write!(f, "metadata-retry={seconds}"),
            Self::MetadataHeader(value) => write!(f, "metadata-header={}", encode(value)),
            Self::RateLimitReset(ahead) => write!(f, "ratelimit-reset={}", span::show(*ahead)),
            Self::SlowHeaders(length) => write!(f, "slow-headers={}", span::show(*length)),
            Self::FirstToken(length) => write!(f, "first-token={}", span::show(*length)),
            Self::Stall(length, at) => write!(f, "stall={}@{at}", span::show(*length)),
            Self::Delay(length) => write!(f, "delay={}", span::show(*length)),
            Self::Drip(every, total) => {
                write!(f, "drip={}/{}", span::show(*every), span::show(*total))
            }
            Self::DripCut(every, total) => {
                write!(f, "drip-cut={}/{}", span::show(*every), span::show(*total))
            }
            Self::Down(length) => write!(f, "down={}", span::show(*length)),
            Self::Cut(at) => write!(f, "cut@{at}"),
            Self::CutByte(at) => write!(f, "cut-byte={at}"),
            Self::BadJson(0) => f.write_str("bad-json"),
            Self::BadJson(at) => write!(f, "bad-json@{at}"),
            Self::Error(code) => write!(f, "error={}", encode(code)),
            Self::ErrorAt(code, at) => write!(f, "error={}@{at}", encode(code)),
            Self::Split(bytes) => write!(f, "split={bytes}"),
            Self::BigEvent(bytes) => write!(f, "big-event={bytes}"),
            Self::KeepAlive(count) => write!(f, "keepalive={count}"),
            Self::Usage(shape) => write!(f, "usage={}", shape.word()),
            Self::Words(count) => write!(f, "words={count}"),
            Self::Text(text) => write!(f, "text={}", encode(text)),
            Self::Reasoning(count) => write!(f, "reasoning={count}"),
            Self::Finish(reason) => write!(f, "finish={}", encode(reason)),
            Self::Cached(tokens) => write!(f, "cached={tokens}"),
            Self::ErrorShape(shape) => write!(f, "error-shape={}", shape.word()),
            Self::Message(text) => write!(f, "message={}", encode(text)),
            Self::ErrorField(field) => write!(f, "error-field={}", field.word()),
            Self::ContentType(kind) => write!(f, "content-type={}", encode(kind)),
            Self::Deep(levels) => write!(f, "deep={levels}"),
            Self::Surrogate(halves) => write!(f, "surrogate={}", halves.word()),
            Self::UsageForm(form) => write!(f, "usage-form={}", form.word()),
            Self::DoneForm(form) => write!(f, "done-form={}", form.word()),
            Self::Pings(count) => write!(f, "pings={count}"),
            Self::Empties(count) => write!(f, "empties={count}"),
            Self::Event(text, at) => write!(f, "event={}@{at}", encode(text)),
            Self::LastEvent(text) => write!(f, "last-event={}", encode(text)),
            Self::FinishEach(reason) => write!(f, "finish-each={}", encode(reason)),
            Self::Native(reason) => write!(f, "native={}", encode(reason)),
            Self::Index(index) => write!(f, "index={index}"),
            Self::ReasoningName(name) => write!(f, "reasoning-name={}", encode(name)),
            Self::WholeMessage(place) => write!(f, "whole-message={}", place.word()),
            other => f.write_str(bare::name(other)),
        }
    }
}

/// Percent-encodes what the grammar, a header or a URL would trip over.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!'()*+:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Undoes [`encode`]; `None` if what comes out is no UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
