//! What the messages of answers hold.

use serde_json::Value;

use crate::chat::{Content, Message, Part, ToolCall};
use crate::view::{json_text, read_whole, said_text, wire_struct};

wire_struct! {
    /// A piece of reasoning as the provider gave it. Sent back unchanged and in order, it lets the model continue.
    ReasoningDetail {
        /// `reasoning.summary`, `reasoning.text`, `reasoning.encrypted`.
        kind: Option<String> = "type",
        /// Of a summary: its text.
        summary: Option<String> = "summary",
        /// Of text: the text.
        text: Option<String> = "text",
        /// Of text: the provider's signature.
        signature: Option<String> = "signature",
        /// Of what is encrypted: the data.
        data: Option<String> = "data",
        /// The id of the piece.
        id: Option<String> = "id",
        /// Whose form it is in, such as `anthropic-claude-v1`.
        format: Option<String> = "format",
        /// Its place. Pieces of a stream with the same index belong together.
        index: Option<u64> = "index",
    }
}

wire_struct! {
    /// A note on a text.
    Annotation {
        /// `url_citation`, mostly.
        kind: Option<String> = "type",
        /// Of a citation: what is cited.
        url_citation: Option<UrlCitation> = "url_citation",
    }
}

wire_struct! {
    /// What a text cites.
    UrlCitation {
        /// Its address.
        url: Option<String> = "url",
        /// What it is called.
        title: Option<String> = "title",
        /// What it says.
        content: Option<String> = "content",
        /// Where in the text the citation begins.
        start_index: Option<u64> = "start_index",
        /// Where in the text it ends.
        end_index: Option<u64> = "end_index",
    }
}

wire_struct! {
    /// A piece of a tool call. In a stream the first piece of an index brings the id and the name, and the others continue the arguments.
    ToolCallDelta {
        /// Which of the calls this belongs to.
        index: Option<u64> = "index",
        /// The id of the call.
        id: Option<String> = "id",
        /// `function`.
        kind: Option<String> = "type",
        /// Which function, and with what.
        function: Option<FunctionDelta> = "function",
    }
}

wire_struct! {
    /// A piece of a function call.
    FunctionDelta {
        /// Its name.
        name: Option<String> = "name",
        /// A piece of its arguments, which are JSON text once they are put together. Some servers write the JSON itself: then its text.
        arguments: Option<String> = "arguments" => json_text,
    }
}

wire_struct! {
    /// What an answer says: the message of a plain one, or the piece a chunk of a stream brings.
    AnswerMessage {
        /// `assistant`.
        role: Option<String> = "role",
        /// Its text; of a list of parts, the text of all parts, while the list is kept in `extra`. Absent or empty if it calls tools, and if all
        /// tokens went into reasoning.
        content: Option<String> = "content" always => said_text,
        /// Why the model will not answer.
        refusal: Option<String> = "refusal" => said_text,
        /// Its reasoning as text, under OpenRouter's name. [`reasoning_text`](Self::reasoning_text) knows the others.
        reasoning: Option<String> = "reasoning",
        /// Its reasoning as the provider gave it.
        reasoning_details: Vec<ReasoningDetail> = "reasoning_details",
        /// The tools it calls.
        tool_calls: Vec<ToolCallDelta> = "tool_calls",
        /// The function it calls, in the form before there were tools.
        function_call: Option<FunctionDelta> = "function_call",
        /// Pictures it made.
        images: Vec<Value> = "images",
        /// Sound it made.
        audio: Option<Value> = "audio",
        /// What it cites.
        annotations: Vec<Annotation> = "annotations",
    }
}

/// What reasoning is called by servers that do not call it `reasoning`.
const REASONING_NAMES: [&str; 6] = [
    "reasoning_content",
    "reasoning_text",
    "thinking",
    "thoughts",
    "thought",
    "thinking_content",
];

impl AnswerMessage {
    /// The reasoning as text, wherever the server wrote it: as `reasoning` or under another name, or as parts of the content.
    #[must_use]
    pub fn reasoning_text(&self) -> Option<String> {
        let is_there = |text: &String| !text.is_empty();
        let named = self.reasoning.clone().filter(is_there).or_else(|| {
            let named = REASONING_NAMES.iter().filter_map(|name| self.extra.get(name));
            named
                .filter_map(|value| value.as_str().map(str::to_owned))
                .find(is_there)
        });
        named.or_else(|| {
            let parts = self.extra.get("content")?;
            let texts: String = parts.as_array()?.iter().filter_map(thinking).collect();
            (!texts.is_empty()).then_some(texts)
        })
    }

    /// The message as one of a conversation, to be sent with the next turn: its reasoning goes along as it came.
    #[must_use]
    pub fn to_message(&self) -> Message {
        // What is not in the typed list goes along as well.
        let details = match self.extra.get("reasoning_details") {
            Some(Value::Array(details)) => details,
            _ => self.reasoning_details.iter().filter_map(as_value).collect(),
        };
        let calls: Vec<ToolCall> = self.tool_calls.iter().map(ToolCallDelta::to_call).collect();
        let text = || self.content.clone().map(Content::Text);
        let mut message = Message {
            content: self.parts().map(Content::Parts).or_else(text),
            tool_calls: (!calls.is_empty()).then_some(calls),
            refusal: self.refusal.clone(),
            reasoning: self.reasoning.clone(),
            reasoning_details: (!details.is_empty()).then_some(details),
            ..Message::assistant("")
        };
        let call = self.function_call.as_ref().and_then(as_value);
        let call = call.map(|call| ("function_call", call));
        let named = REASONING_NAMES
            .iter()
            .filter_map(|name| Some((*name, self.extra.get(name)?)));
        message
            .extra
            .extend(named.chain(call).map(|(name, value)| (name.to_owned(), value)));
        message
    }

    /// The content as parts, if it came so and says still what it said.
    fn parts(&self) -> Option<Vec<Part>> {
        let raw = self.extra.unchanged("content", &self.content, said_text)?;
        let parts: Vec<Value> = read_whole(raw.as_bytes())?;
        parts
            .into_iter()
            .map(|part| serde_json::from_value(part).ok())
            .collect()
    }
}

/// The text of a part of the content that is reasoning.
fn thinking(part: &Value) -> Option<String> {
    let inside = part.get("thinking").or_else(|| part.get("reasoning"))?;
    match inside {
        Value::String(text) => Some(text.clone()),
        Value::Array(texts) => Some(texts.iter().filter_map(|text| text.get("text")?.as_str()).collect()),
        _ => None,
    }
}

fn as_value<T: serde::Serialize>(part: &T) -> Option<Value> {
    serde_json::to_value(part).ok()
}

impl ToolCallDelta {
    /// The call, if this is all of it. What this version does not know goes along: some providers want it back.
    #[must_use]
    pub fn to_call(&self) -> ToolCall {
        let function = self.function.clone().unwrap_or_default();
        // Some servers write the name and the arguments beside the id.
        let beside = |name| self.extra.get(name).map(|value| text_of(&value));
        let id = self.id.clone().or_else(|| beside("id"));
        let mut call = ToolCall::new(
            id.unwrap_or_default(),
            function.name.or_else(|| beside("name")).unwrap_or_default(),
            function.arguments.or_else(|| beside("arguments")).unwrap_or_default(),
        );
        if let Some(kind) = &self.kind {
            call.kind.clone_from(kind);
        }
        let known = ["id", "type", "index", "function", "name", "arguments"];
        let unknown = self.extra.names().filter(|name| !known.contains(name));
        call.extra = unknown
            .filter_map(|name| Some((name.to_owned(), self.extra.get(name)?)))
            .collect();
        call
    }
}

/// A string as it is, and the JSON text of any other value.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
