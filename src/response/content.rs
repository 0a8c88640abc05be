//! What the messages of answers hold.

use serde_json::Value;

use crate::request::wire_struct::wire_struct;
use crate::request::{Content, Message, ToolCall};

wire_struct! {
    /// A piece of reasoning as the provider gave it. Sent back unchanged and in order, it lets the model go on where it was.
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
        /// Where it is.
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
    /// A piece of a tool call. In a stream the first piece of an index brings the id and the name, and the others go on with the arguments.
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
        /// A piece of its arguments, which are JSON text once they are put together.
        arguments: Option<String> = "arguments",
    }
}

wire_struct! {
    /// What an answer says: the message of a plain one, or the piece a chunk of a stream brings.
    AnswerMessage {
        /// `assistant`.
        role: Option<String> = "role",
        /// Its text. Absent or empty where it calls tools, and where all tokens went into reasoning.
        content: Option<String> = "content" always,
        /// Why the model will not answer.
        refusal: Option<String> = "refusal",
        /// Its reasoning as text.
        reasoning: Option<String> = "reasoning",
        /// Its reasoning as the provider gave it.
        reasoning_details: Vec<ReasoningDetail> = "reasoning_details",
        /// The tools it calls.
        tool_calls: Vec<ToolCallDelta> = "tool_calls",
        /// Pictures it made.
        images: Vec<Value> = "images",
        /// Sound it made.
        audio: Option<Value> = "audio",
        /// What it cites.
        annotations: Vec<Annotation> = "annotations",
    }
}

impl AnswerMessage {
    /// The message as one of a conversation, to be sent with the next turn: its reasoning goes along as it came.
    #[must_use]
    pub fn to_message(&self) -> Message {
        let details: Vec<Value> = self
            .reasoning_details
            .iter()
            .filter_map(|detail| serde_json::to_value(detail).ok())
            .collect();
        let calls: Vec<ToolCall> = self.tool_calls.iter().map(ToolCallDelta::to_call).collect();
        Message {
            content: self.content.clone().map(Content::Text),
            tool_calls: (!calls.is_empty()).then_some(calls),
            refusal: self.refusal.clone(),
            reasoning: self.reasoning.clone(),
            reasoning_details: (!details.is_empty()).then_some(details),
            ..Message::assistant("")
        }
    }
}

impl ToolCallDelta {
    /// The call, where this is all of it.
    #[must_use]
    pub fn to_call(&self) -> ToolCall {
        let function = self.function.clone().unwrap_or_default();
        ToolCall::new(
            self.id.clone().unwrap_or_default(),
            function.name.unwrap_or_default(),
            function.arguments.unwrap_or_default(),
        )
    }
}
