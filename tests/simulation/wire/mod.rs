//! An answer as bytes, in the many ways in which servers write one, with the places at which each part of it is complete.

use std::time::Duration;

use tower_openrouter::{Api, UsdAmount};

use super::draw::Draw;

mod typed;

/// Tokens of a word: more than the stack's own estimate, so that a true count is plausible.
pub(crate) const TOKENS_PER_WORD: u64 = 4;

/// What the upstream says of the usage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// The counts and the charge.
    Cost,
    /// The counts alone.
    Counts,
    Nothing,
    /// Something that is no usage an answer can have, as JSON.
    Odd(&'static str),
}

/// What an answer is made of.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) api: Api,
    /// It continues nothing although it was to: it begins from the start, or ends within the characters that it was to begin with.
    pub(crate) is_restart: bool,
    /// How many tokens it has: never more than the request allows.
    pub(crate) tokens: u64,
    pub(crate) id: String,
    pub(crate) words: Vec<String>,
    /// `stop`, or `length` if it was cut by `max_tokens`.
    pub(crate) finish: &'static str,
    pub(crate) prompt_tokens: u64,
    pub(crate) cost: UsdAmount,
    pub(crate) told: Told,
}

/// The bytes of an answer, and what is complete where.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    /// Before the byte at this place the upstream waits so long.
    pub(crate) waits: Vec<(usize, Duration)>,
    /// Up to this place the bytes hold so many bytes of text.
    pub(crate) texts: Vec<(usize, usize)>,
    /// Behind this place a reader knows that the answer is whole.
    pub(crate) whole: usize,
    /// Behind this place the charge has been reported.
    pub(crate) charged: Option<usize>,
}

impl Answer {
    fn usage(&self) -> Option<String> {
        let (prompt, answer) = (self.prompt_tokens, self.tokens);
        let counts = format!(
            r#""prompt_tokens":{prompt},"completion_tokens":{answer},"total_tokens":{}"#,
            prompt + answer
        );
        match self.told {
            Told::Cost => Some(format!(r#"{{{counts},"cost":{}}}"#, decimal(self.cost))),
            Told::Counts => Some(format!("{{{counts}}}")),
            Told::Nothing => None,
            Told::Odd(usage) => Some(usage.to_owned()),
        }
    }

    /// As one document.
    pub(crate) fn document(&self, draw: &mut Draw) -> Written {
        let text = string(&self.words.concat(), draw);
        let (before, after) = draw.pick(&[("", ""), ("  \n", ""), ("", "\n\n")]);
        let mut written = Written::default();
        written.put(before);
        written.put(&match self.api {
            Api::Chat => self.completion(&text, draw),
            Api::Embeddings => self.vectors(),
            _ => self.typed_document(&text, self.typed_usage().as_deref()),
        });
        written.whole = written.bytes.len();
        written.texts.push((written.whole, self.words.concat().len()));
        written.charged = (self.told == Told::Cost).then_some(written.whole);
        written.put(after);
        written
    }

    fn completion(&self, text: &str, draw: &mut Draw) -> String {
        let usage = self.usage().map(|usage| format!(r#","usage":{usage}"#));
        let more = draw.pick(&["", "", UNKNOWN]);
        format!(
            r#"{{"id":"{}","object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":{text}{more}}},"finish_reason":"{}"{more}}}]{}{more}}}"#,
            self.id,
            self.finish,
            usage.unwrap_or_default()
        )
    }

    /// As a stream of events, with pauses below so many milliseconds.
    pub(crate) fn events(&self, longest_pause: u64, draw: &mut Draw) -> Written {
        if self.api != Api::Chat {
            return self.typed_events(longest_pause, draw);
        }
        let style = Style::of(draw);
        let mut written = Written::default();
        if style.mark {
            written.put("\u{feff}");
        }
        if style.comments {
            written.put(&style.comment());
        }
        if style.preamble {
            written.event(
                &style,
                &self.chunk(&style, r#"{"role":"assistant","content":""}"#, "null", None),
            );
        }
        let mut shown = 0;
        for piece in pieces(&self.words, draw) {
            written.pause(longest_pause, draw);
            if style.comments && draw.chance(10) {
                written.put(&style.comment());
            }
            shown += piece.len();
            let delta = format!(r#"{{"content":{}}}"#, string(&piece, draw));
            written.event(&style, &self.chunk(&style, &delta, "null", None));
            written.texts.push((written.bytes.len(), shown));
        }
        written.pause(longest_pause, draw);
        let usage = self.usage();
        let finish = format!("\"{}\"", self.finish);
        let joined = if style.usage_apart { None } else { usage.as_deref() };
        written.event(&style, &self.chunk(&style, "{}", &finish, joined));
        let newline = style.newline.len();
        // The blank line behind the last event may be missing.
        written.whole = written.bytes.len() - 2 * newline;
        let tells_charge = self.told == Told::Cost;
        if joined.is_some() && tells_charge {
            written.charged = Some(written.bytes.len());
        }
        if style.done && style.usage_last {
            written.event(&style, "[DONE]");
        }
        if let (true, Some(usage)) = (style.usage_apart, &usage) {
            written.pause(longest_pause / 4, draw);
            written.event(
                &style,
                &format!(r#"{{"id":"{}","choices":[],"usage":{usage}}}"#, self.id),
            );
            if tells_charge {
                written.charged = Some(written.bytes.len());
            }
        }
        if style.done && !style.usage_last {
            written.event(&style, "[DONE]");
        }
        written
    }

    fn chunk(&self, style: &Style, delta: &str, finish: &str, usage: Option<&str>) -> String {
        let usage = usage.map(|usage| format!(r#","usage":{usage}"#)).unwrap_or_default();
        let more = style.unknown;
        format!(
            r#"{{"id":"{}","object":"chat.completion.chunk","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}{more}}}]{usage}{more}}}"#,
            self.id
        )
    }
}

impl Written {
    pub(crate) fn put(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn event(&mut self, style: &Style, data: &str) {
        let (space, newline) = (style.space, style.newline);
        self.put(&format!("data:{space}{data}{newline}{newline}"));
    }

    /// The same with its type before it.
    fn typed(&mut self, style: &Style, name: &str, data: &str) {
        let (space, newline) = (style.space, style.newline);
        self.put(&format!("event:{space}{name}{newline}"));
        self.event(style, data);
    }

    fn pause(&mut self, longest: u64, draw: &mut Draw) {
        if longest > 0 && draw.chance(30) {
            self.waits.push((self.bytes.len(), draw.millis(1..longest + 1)));
        }
    }

    /// How many bytes of text are complete within so many bytes.
    pub(crate) fn text_within(&self, bytes: usize) -> usize {
        let complete = self.texts.partition_point(|(end, _)| *end <= bytes);
        self.texts[..complete].last().map_or(0, |(_, text)| *text)
    }
}

/// How a server writes its events.
struct Style {
    newline: &'static str,
    space: &'static str,
    mark: bool,
    comments: bool,
    preamble: bool,
    usage_apart: bool,
    /// The usage comes behind `[DONE]`.
    usage_last: bool,
    done: bool,
    /// Members that no reader knows.
    unknown: &'static str,
}

/// Members that no reader knows, behind others.
const UNKNOWN: &str = r#","x_new":{"y":[null,1.5,"z"]},"x_more":false"#;

impl Style {
    fn of(draw: &mut Draw) -> Self {
        Self {
            newline: draw.weighed(&[(6, "\n"), (2, "\r\n"), (1, "\r")]),
            space: draw.weighed(&[(4, " "), (1, "")]),
            mark: draw.chance(5),
            comments: draw.chance(30),
            preamble: draw.chance(60),
            usage_apart: draw.chance(60),
            usage_last: draw.chance(10),
            done: draw.chance(80),
            unknown: draw.weighed(&[(4, ""), (1, UNKNOWN)]),
        }
    }

    fn comment(&self) -> String {
        let newline = self.newline;
        format!(": OPENROUTER PROCESSING{newline}{newline}")
    }
}

/// The words as pieces of text: whole words, several, or halves between two characters.
fn pieces(words: &[String], draw: &mut Draw) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let join = draw.pick(&[0, 20, 70]);
    let split = draw.pick(&[0, 0, 30]);
    for word in words {
        if !draw.chance(join) {
            pieces.push(String::new());
        }
        for letter in word.chars() {
            if draw.chance(split) {
                pieces.push(String::new());
            }
            pieces.last_mut().unwrap().push(letter);
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// A JSON string, as it is or all in ASCII.
pub(crate) fn string(text: &str, draw: &mut Draw) -> String {
    let plain = serde_json::to_string(text).unwrap();
    if draw.chance(70) {
        return plain;
    }
    let mut ascii = String::new();
    for letter in plain.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

/// An amount as a decimal number of JSON.
pub(crate) fn decimal(amount: UsdAmount) -> String {
    let pico = amount.pico();
    format!("{}.{:012}", pico / 1_000_000_000_000, pico % 1_000_000_000_000)
}
