//! A streamed answer in the events of Responses.

use serde_json::{Value, json};

use super::object::{Standing, error_code, function_call, message, object, part, reasoning};
use super::usage;
use crate::answer::{Answer, Piece, Tally};
use crate::fault::{ErrorShape, Fault, given};
use crate::track::{Act, Track};
use crate::wire::inside::Inside;
use crate::wire::{Head, Writer, event};

/// The item that is being written.
#[derive(Clone, Debug)]
enum Item {
    Reasoning(String),
    Message(String),
    /// Id, name and arguments.
    Call(String, String, String),
}

/// Writes events.
pub(crate) struct Stream<'a> {
    head: &'a Head,
    answer: &'a Answer,
    faults: &'a [Fault],
    number: u64,
    open: Option<Item>,
    output: Vec<Value>,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(head: &'a Head, answer: &'a Answer, faults: &'a [Fault]) -> Self {
        Self {
            head,
            answer,
            faults,
            number: 0,
            open: None,
            output: Vec::new(),
        }
    }

    fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    fn numbered(&mut self, name: &str, rest: &str) -> String {
        let number = self.number;
        self.number += 1;
        let json = format!("{{\"type\":\"{name}\",\"sequence_number\":{number},{rest}}}");
        event(Some(name), &self.head.odd.apply(json, number == 0))
    }

    /// An event with these members.
    fn event(&mut self, name: &str, members: &Value) -> String {
        let text = members.to_string();
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        self.numbered(name, inner.unwrap_or_default())
    }

    /// An event with the whole response.
    fn response(&mut self, name: &str, standing: Standing, output: &[Value], tally: Option<&Tally>) -> String {
        let usage = tally.map(|tally| usage(tally, self.faults));
        let object = object(self.head, standing, output, usage);
        self.numbered(name, &format!("\"response\":{object}"))
    }

    fn is_refusal(&self) -> bool {
        self.answer.finish == "refusal"
    }

    fn index(&self) -> usize {
        self.output.len()
    }

    /// The item as it is when it has begun, or when it is whole.
    fn item(&self, item: &Item, whole: bool) -> Value {
        let (head, status) = (self.head, if whole { "completed" } else { "in_progress" });
        match item {
            Item::Reasoning(text) => reasoning(head, whole.then_some(text), self.answer.format),
            Item::Message(text) => {
                let part = if whole {
                    part(text, self.is_refusal())
                } else {
                    Value::Null
                };
                message(head, part, status)
            }
            Item::Call(id, name, arguments) => {
                function_call(head, id, name, if whole { arguments } else { "" }, status)
            }
        }
    }

    /// Begins an item, after the end of the last one.
    fn start(&mut self, item: Item) -> String {
        let mut out = self.whole();
        let (index, begun) = (self.index(), self.item(&item, false));
        out += &self.event(
            "response.output_item.added",
            &json!({"output_index": index, "item": begun}),
        );
        if let Item::Message(_) = item {
            let part = part("", self.is_refusal());
            let members =
                json!({"item_id": self.head.id_as("msg"), "output_index": index, "content_index": 0, "part": part});
            out += &self.event("response.content_part.added", &members);
        }
        self.open = Some(item);
        out
    }

    /// The kind of text in a message.
    fn text_name(&self) -> &'static str {
        if self.is_refusal() { "refusal" } else { "output_text" }
    }

    /// An event about the text of the open item.
    fn text_event(&mut self, kind: &str, step: &str, key: &str, text: &str) -> String {
        let id = self.head.id_as(if kind == "reasoning_text" { "rs" } else { "msg" });
        let mut members = json!({"item_id": id, "output_index": self.index(), "content_index": 0, key: text});
        if kind == "output_text"
            && let Some(members) = members.as_object_mut()
        {
            members.insert("logprobs".to_owned(), json!([]));
        }
        self.event(&format!("response.{kind}.{step}"), &members)
    }

    fn arguments_event(&mut self, step: &str, key: &str, text: &str, name: Option<&str>) -> String {
        let mut members = json!({"item_id": self.head.id_as("fc"), "output_index": self.index(), key: text});
        if let (Some(name), Some(members)) = (name, members.as_object_mut()) {
            members.insert("name".to_owned(), name.into());
        }
        self.event(&format!("response.function_call_arguments.{step}"), &members)
    }

    /// A part of the open item's text.
    fn delta(&mut self, text: &str) -> String {
        if self.has(&Fault::NoDeltas) {
            return String::new();
        }
        match &self.open {
            Some(Item::Reasoning(_)) => self.text_event("reasoning_text", "delta", "delta", text),
            Some(Item::Call(..)) => self.arguments_event("delta", "delta", text, None),
            _ => self.text_event(self.text_name(), "delta", "delta", text),
        }
    }

    /// Ends the open item.
    fn whole(&mut self) -> String {
        let Some(item) = self.open.take() else {
            return String::new();
        };
        let (index, done) = (self.index(), self.item(&item, true));
        let mut out = match &item {
            Item::Reasoning(text) => self.text_event("reasoning_text", "done", "text", text),
            Item::Call(_, name, arguments) => self.arguments_event("done", "arguments", arguments, Some(name)),
            Item::Message(text) => {
                let kind = self.text_name();
                let key = if self.is_refusal() { "refusal" } else { "text" };
                let ended = self.text_event(kind, "done", key, text);
                let part = part(text, self.is_refusal());
                let members =
                    json!({"item_id": self.head.id_as("msg"), "output_index": index, "content_index": 0, "part": part});
                ended + &self.event("response.content_part.done", &members)
            }
        };
        out += &self.event(
            "response.output_item.done",
            &json!({"output_index": index, "item": done}),
        );
        self.output.push(done);
        out
    }

    /// The event that ends a good answer.
    fn terminal(&mut self, standing: Standing, output: &[Value], tally: &Tally) -> String {
        let name = format!("response.{}", standing.status.unwrap_or("completed"));
        let standing = if self.has(&Fault::NoFinishReason) {
            Standing::default()
        } else {
            standing
        };
        let shown = (!self.has(&Fault::NoUsage)).then_some(tally);
        self.response(&name, standing, output, shown)
    }
}

impl Writer for Stream<'_> {
    fn begin(&mut self, track: &mut Track) {
        for name in ["response.created", "response.in_progress"] {
            let begun = self.response(name, Standing::of("in_progress"), &[], None);
            track.send(begun, 0);
        }
    }

    fn empty(&mut self, track: &mut Track) {
        let begun = match self.open {
            Some(_) => String::new(),
            None => self.start(Item::Message(String::new())),
        };
        let text = begun + &self.delta("");
        track.send(text, 0);
    }

    fn piece(&mut self, piece: &Piece, track: &mut Track) {
        let begun = match (piece, &self.open) {
            (Piece::Reasoning(_), Some(Item::Reasoning(_)))
            | (Piece::Text(_), Some(Item::Message(_)))
            | (Piece::Arguments(_), _) => String::new(),
            (Piece::Reasoning(_), _) => self.start(Item::Reasoning(String::new())),
            (Piece::Text(_), _) => self.start(Item::Message(String::new())),
            (Piece::Call(id, name), _) => self.start(Item::Call(id.clone(), name.clone(), String::new())),
        };
        let text = match piece {
            Piece::Reasoning(text) | Piece::Text(text) | Piece::Arguments(text) => text.as_str(),
            Piece::Call(..) => "",
        };
        let delta = match piece {
            Piece::Call(..) => String::new(),
            _ => self.delta(text),
        };
        if let Some(Item::Reasoning(said) | Item::Message(said) | Item::Call(_, _, said)) = &mut self.open {
            said.push_str(text);
        }
        track.send(begun + &delta, 1);
    }

    fn close(&mut self, track: &mut Track) {
        let ended = self.whole();
        track.send(ended, 0);
    }

    fn end(&mut self, track: &mut Track) {
        let output = self.output.clone();
        let ended = self.terminal(Standing::finished(&self.answer.finish), &output, &self.answer.tally);
        track.send(ended, 0);
    }

    fn after(&mut self, _: &mut Track) {}

    fn instead(&mut self, fault: &Fault, track: &mut Track) -> bool {
        let mut output = Vec::new();
        let mut pieces = 0;
        let mut tally = self.answer.tally.nothing();
        let mut standing = Standing::of("completed");
        match fault {
            Fault::RoleOnly => {
                track.acts.push_back(Act::Void);
                self.begin(track);
                return true;
            }
            Fault::EmptyChoices | Fault::NullChoice => {
                if *fault == Fault::NullChoice {
                    output.push(Value::Null);
                }
                if self.has(&Fault::Billed) {
                    (pieces, tally) = (self.answer.tally.completion, self.answer.tally.clone());
                }
            }
            Fault::EmptyContent => {}
            Fault::FinishError => standing = Standing::of("failed"),
            _ => return false,
        }
        if pieces == 0 {
            track.acts.push_back(Act::Void);
        }
        self.begin(track);
        if *fault == Fault::EmptyContent {
            let begun = self.start(Item::Message(String::new()));
            track.send(begun, 0);
            self.close(track);
            output.clone_from(&self.output);
        }
        let ended = self.terminal(standing, &output, &tally);
        track.send(ended, pieces);
        true
    }

    fn error(&mut self, code: &str, pieces: u64, track: &mut Track) {
        let inside = Inside::new(code, self.faults);
        let flat = json!({"code": error_code(&inside), "message": inside.message, "param": null});
        let object = json!({"error": {"code": error_code(&inside), "message": inside.message}});
        let event = match given!(self.faults, Fault::ErrorShape) {
            Some(ErrorShape::Event) => self.event("error", &flat),
            Some(ErrorShape::Nested) => self.event("error", &object),
            Some(ErrorShape::ResponseError) => self.event("response.error", &object),
            _ => {
                let tally = self.answer.tally.first(pieces);
                let billed = self.has(&Fault::Billed).then_some(&tally);
                self.response("response.failed", Standing::failed(&inside), &[], billed)
            }
        };
        track.send(event, 0);
    }

    fn broken(&self) -> &'static [u8] {
        b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":9,\"del\n\n"
    }

    fn has_done(&self) -> bool {
        true
    }
}
