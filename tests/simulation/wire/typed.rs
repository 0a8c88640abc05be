//! An answer in the events and documents of Responses and of Messages, whose events have types.

use serde_json::{Value, json};
use tower_openrouter::Api;

use super::{Answer, Style, Told, Written, decimal, pieces, string};
use crate::draw::Draw;

impl Answer {
    /// The counts under the names of this API, in the place in which it has all of them.
    pub(super) fn typed_usage(&self) -> Option<String> {
        let (prompt, answer) = (self.prompt_tokens, self.tokens);
        let counts = format!(r#""input_tokens":{prompt},"output_tokens":{answer}"#);
        match self.told {
            Told::Cost => Some(format!(r#"{{{counts},"cost":{}}}"#, decimal(self.cost))),
            Told::Counts => Some(format!("{{{counts}}}")),
            Told::Nothing => None,
            Told::Odd(usage) => Some(
                usage
                    .replace("prompt_tokens", "input_tokens")
                    .replace("completion_tokens", "output_tokens"),
            ),
        }
    }

    /// As one document: that of a response, or a message.
    pub(super) fn typed_document(&self, text: &str, usage: Option<&str>) -> String {
        let (id, usage) = (&self.id, usage.map(|usage| format!(r#","usage":{usage}"#)));
        let usage = usage.unwrap_or_default();
        if self.api == Api::Messages {
            let content = match self.words.is_empty() {
                true => String::new(),
                false => format!(r#"{{"type":"text","text":{text}}}"#),
            };
            let reason = self.stop_reason();
            return format!(
                r#"{{"id":"{id}","type":"message","role":"assistant","model":"a/b","content":[{content}],"stop_reason":"{reason}","stop_sequence":null{usage}}}"#
            );
        }
        let item = match self.words.is_empty() {
            true => String::new(),
            false => item(text),
        };
        let standing = match self.finish {
            "length" => r#""status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}"#,
            _ => r#""status":"completed","incomplete_details":null"#,
        };
        format!(
            r#"{{"id":"{id}","object":"response","created_at":1,"model":"a/b",{standing},"error":null,"output":[{item}]{usage}}}"#
        )
    }

    fn stop_reason(&self) -> &'static str {
        match self.finish {
            "length" => "max_tokens",
            _ => "end_turn",
        }
    }

    /// As a stream of typed events.
    pub(super) fn typed_events(&self, longest_pause: u64, draw: &mut Draw) -> Written {
        let style = Style::of(draw);
        let mut written = Written::default();
        if style.mark {
            written.put("\u{feff}");
        }
        if self.api == Api::Messages {
            self.message(&style, longest_pause, &mut written, draw);
        } else {
            self.response(&style, longest_pause, &mut written, draw);
        }
        if style.usage_last {
            written.event(&style, "[DONE]");
        }
        written
    }

    fn response(&self, style: &Style, longest_pause: u64, written: &mut Written, draw: &mut Draw) {
        let id = &self.id;
        let mut number = 0;
        let mut event = |written: &mut Written, name: &str, rest: &str| {
            written.typed(
                style,
                name,
                &format!(r#"{{"type":"{name}","sequence_number":{number},{rest}}}"#),
            );
            number += 1;
        };
        let begun = format!(
            r#""response":{{"id":"{id}","object":"response","created_at":1,"status":"in_progress","model":"a/b","output":[]}}"#
        );
        event(written, "response.created", &begun);
        if style.preamble {
            event(written, "response.in_progress", &begun);
        }
        let text = string(&self.words.concat(), draw);
        if !self.words.is_empty() {
            let opened = r#""output_index":0,"item":{"type":"message","id":"m","role":"assistant","status":"in_progress","content":[]}"#;
            event(written, "response.output_item.added", opened);
            if style.preamble {
                let part = r#""item_id":"m","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}"#;
                event(written, "response.content_part.added", part);
            }
        }
        let mut shown = 0;
        for piece in pieces(&self.words, draw) {
            written.pause(longest_pause, draw);
            if style.comments && draw.chance(10) {
                written.put(&style.comment());
            }
            shown += piece.len();
            let delta = string(&piece, draw);
            event(
                written,
                "response.output_text.delta",
                &format!(r#""item_id":"m","output_index":0,"content_index":0,"delta":{delta}"#),
            );
            written.texts.push((written.bytes.len(), shown));
        }
        written.pause(longest_pause, draw);
        if !self.words.is_empty() {
            if style.preamble {
                let done = format!(r#""item_id":"m","output_index":0,"content_index":0,"text":{text}"#);
                event(written, "response.output_text.done", &done);
            }
            let item = item(&text);
            let done = format!(r#""output_index":0,"item":{item}"#);
            event(written, "response.output_item.done", &done);
            // Behind its last item a response is whole if the stream ends.
            written.whole = written.bytes.len() - 2 * style.newline.len();
            written.pause(longest_pause / 4, draw);
        }
        let usage = self.typed_usage();
        let name = match self.finish {
            "length" => "response.incomplete",
            _ => "response.completed",
        };
        let document = self.typed_document(&text, usage.as_deref());
        event(written, name, &format!(r#""response":{document}"#));
        written.charged = (self.told == Told::Cost).then_some(written.bytes.len());
    }

    fn message(&self, style: &Style, longest_pause: u64, written: &mut Written, draw: &mut Draw) {
        let (id, prompt) = (&self.id, self.prompt_tokens);
        let begun = match self.told {
            Told::Nothing => String::new(),
            // Of the answer it is a floor.
            _ => format!(
                r#","usage":{{"input_tokens":{prompt},"output_tokens":{}}}"#,
                self.words.len().min(1)
            ),
        };
        let begun = format!(
            r#"{{"type":"message_start","message":{{"id":"{id}","type":"message","role":"assistant","model":"a/b","content":[],"stop_reason":null{begun}}}}}"#
        );
        written.typed(style, "message_start", &begun);
        let ping = |written: &mut Written| written.typed(style, "ping", r#"{"type":"ping"}"#);
        let mut shown = 0;
        // The block of text ends, and another begins.
        let splits = draw.chance(15);
        let mut block = 0;
        let edge = |written: &mut Written, kind: &str, index: u32, rest: &str| {
            let event = format!(r#"{{"type":"content_block_{kind}","index":{index}{rest}}}"#);
            written.typed(style, &format!("content_block_{kind}"), &event);
        };
        let opened = r#","content_block":{"type":"text","text":""}"#;
        if !self.words.is_empty() {
            edge(written, "start", 0, opened);
        }
        for (place, piece) in pieces(&self.words, draw).iter().enumerate() {
            written.pause(longest_pause, draw);
            if style.comments && draw.chance(10) {
                ping(written);
            }
            if splits && place > 0 && draw.chance(20) {
                edge(written, "stop", block, "");
                block += 1;
                edge(written, "start", block, opened);
            }
            shown += piece.len();
            let delta = format!(r#","delta":{{"type":"text_delta","text":{}}}"#, string(piece, draw));
            edge(written, "delta", block, &delta);
            written.texts.push((written.bytes.len(), shown));
        }
        written.pause(longest_pause, draw);
        if !self.words.is_empty() {
            edge(written, "stop", block, "");
        }
        let usage = self.typed_usage().map(|usage| format!(r#","usage":{usage}"#));
        let reason = self.stop_reason();
        let delta = format!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}","stop_sequence":null}}{}}}"#,
            usage.unwrap_or_default()
        );
        written.typed(style, "message_delta", &delta);
        written.charged = (self.told == Told::Cost).then_some(written.bytes.len());
        written.typed(style, "message_stop", r#"{"type":"message_stop"}"#);
        written.whole = written.bytes.len() - 2 * style.newline.len();
    }

    /// A list with one vector, whose numbers are the bytes of the text.
    pub(super) fn vectors(&self) -> String {
        let numbers: Vec<Value> = self.words.concat().bytes().map(Value::from).collect();
        let data = match numbers.is_empty() {
            true => json!([]),
            false => json!([{"object": "embedding", "index": 0, "embedding": numbers}]),
        };
        let prompt = self.prompt_tokens;
        let usage = match self.told {
            Told::Cost => format!(
                r#","usage":{{"prompt_tokens":{prompt},"total_tokens":{prompt},"cost":{}}}"#,
                decimal(self.cost)
            ),
            Told::Counts => format!(r#","usage":{{"prompt_tokens":{prompt},"total_tokens":{prompt}}}"#),
            Told::Nothing => String::new(),
            Told::Odd(usage) => format!(r#","usage":{usage}"#),
        };
        format!(
            r#"{{"id":"{}","object":"list","model":"a/b","data":{data}{usage}}}"#,
            self.id
        )
    }
}

fn item(text: &str) -> String {
    format!(
        r#"{{"type":"message","id":"m","role":"assistant","status":"completed","content":[{{"type":"output_text","text":{text},"annotations":[]}}]}}"#
    )
}
