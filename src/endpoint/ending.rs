//! The last event of a stream of responses that its upstream has left out: `response.completed` of a whole one, `response.failed` of an
//! interrupted one.
//!
//! Agents, Codex among them, take a stream without either for broken and pay for the call again, and of a failure they read nothing but
//! `response.failed`.

use http::StatusCode;
use openrouter_wire::json::{json_string, whole_number};
use tower_llm_layers::UtcTime;

use super::{object::Object, problem::Problem};

/// What of a stream its last event repeats. Copies: a part of what the connection has read would keep all of it.
#[derive(Default)]
pub(super) struct Ending {
    /// The event with the response as it began, or as it ended under another name.
    begun: Vec<u8>,
    /// The events with the items that have ended; none of them if they were too large together.
    items: Vec<Vec<u8>>,
    /// The bytes that these events take.
    bytes: usize,
    /// The last event was written.
    is_written: bool,
}

/// The most that is kept of items, in bytes: some large pictures. All of them were shown, so an end without them is the end of a whole answer all the same;
/// with some of them it would say that there were no others.
const MOST_OF_ITEMS: usize = 16 * 1024 * 1024;

/// What an item takes beside its bytes: its place in the list, and what the allocator adds. Items of a few bytes are mostly that.
const BESIDE_AN_ITEM: usize = size_of::<Vec<u8>>() + 16;

/// What OpenAI's and OpenRouter's schemas require of a response beside its id, its time and its model.
const REQUIRED: [(&str, &[u8]); 16] = [
    ("object", b"\"response\""),
    ("completed_at", b"null"),
    ("error", b"null"),
    ("frequency_penalty", b"null"),
    ("incomplete_details", b"null"),
    ("instructions", b"null"),
    ("metadata", b"null"),
    ("output", b"[]"),
    ("parallel_tool_calls", b"true"),
    ("presence_penalty", b"null"),
    ("status", b"\"completed\""),
    ("temperature", b"null"),
    ("tool_choice", b"\"auto\""),
    ("tools", b"[]"),
    ("top_p", b"null"),
    ("usage", b"null"),
];

impl Ending {
    /// Takes note of an event of this type.
    pub(super) fn take(&mut self, name: &[u8], data: &[u8]) {
        match name {
            b"response.completed" | b"response.incomplete" | b"response.failed" => self.is_written(),
            // OpenAI's clients do not read OpenRouter's older name of the end, which has all of the response.
            b"response.created" | b"response.done" => self.begun = on_one_line(data),
            b"response.output_item.done" if !self.is_written => self.keep_item(data),
            _ => {}
        }
    }

    fn keep_item(&mut self, data: &[u8]) {
        self.bytes = self.bytes.saturating_add(data.len()).saturating_add(BESIDE_AN_ITEM);
        if self.bytes > MOST_OF_ITEMS {
            self.items = Vec::new();
        } else {
            self.items.push(on_one_line(data));
        }
    }

    /// Whether the last event was written.
    pub(super) const fn has_ended(&self) -> bool {
        self.is_written
    }

    /// The last event was written: there is nothing to add.
    pub(super) fn is_written(&mut self) {
        *self = Self {
            is_written: true,
            ..Self::default()
        };
    }

    /// The end of a whole stream in the event of this number, with its type; `None` if the upstream has written it.
    ///
    /// `model` is that of the candidate that answered.
    pub(super) fn completed(&self, number: u64, model: &str) -> Option<(&'static str, Vec<u8>)> {
        if self.is_written {
            return None;
        }
        let response = self.response();
        let items = self.items();
        // One that has ended under another name keeps its status and its items.
        let (kind, status) = match response.get("status") {
            Some(b"\"incomplete\"") => ("response.incomplete", &b"\"incomplete\""[..]),
            _ => ("response.completed", &b"\"completed\""[..]),
        };
        let mut members = vec![("status", status)];
        if response.items("output").is_empty() {
            members.push(("output", items.as_slice()));
        }
        Some((kind, event(kind, number, &whole(&response, &members, model))))
    }

    /// The end of an interrupted stream in the event of this number; `None` if another end was written. `model` is that of the candidate that
    /// answered.
    pub(super) fn failed(&self, number: u64, problem: &Problem, model: &str) -> Option<Vec<u8>> {
        if self.is_written {
            return None;
        }
        let [code, message, word] = [code(problem), &words(problem), problem.code].map(json_string);
        let error = [
            b"{\"code\":",
            code.as_slice(),
            b",\"message\":",
            message.as_slice(),
            // Our own word, where OpenRouter's errors have theirs.
            b",\"metadata\":{\"error_type\":",
            word.as_slice(),
            b"}}",
        ]
        .concat();
        let items = self.items();
        let members = [
            ("status", &b"\"failed\""[..]),
            ("error", error.as_slice()),
            ("output", items.as_slice()),
        ];
        Some(event(
            "response.failed",
            number,
            &whole(&self.response(), &members, model),
        ))
    }

    fn response(&self) -> Object<'_> {
        let begun = Object::read(&self.begun).unwrap_or_default();
        let response = begun.get("response").and_then(|response| Object::read(response).ok());
        response.unwrap_or_default()
    }

    /// The items in their order, as a list.
    fn items(&self) -> Vec<u8> {
        let mut items: Vec<(u64, &[u8])> = Vec::new();
        for event in &self.items {
            let Ok(event) = Object::read(event) else { continue };
            let index = event.get("output_index").and_then(whole_number);
            items.extend(event.get("item").map(|item| (index.unwrap_or(u64::MAX), item)));
        }
        items.sort_by_key(|(index, _)| *index);
        let items: Vec<&[u8]> = items.into_iter().map(|(_, item)| item).collect();
        [b"[", items.join(&b","[..]).as_slice(), b"]"].concat()
    }
}

fn whole(response: &Object<'_>, members: &[(&str, &[u8])], model: &str) -> Vec<u8> {
    let now = UtcTime::now().millis();
    let (id, created) = (json_string(&format!("resp_{now}")), (now / 1000).to_string());
    let model = json_string(model);
    let own = [
        ("id", id.as_slice()),
        ("created_at", created.as_bytes()),
        ("model", model.as_slice()),
    ];
    response.completed(members, &[&own[..], &REQUIRED[..]].concat())
}

fn event(kind: &str, number: u64, response: &[u8]) -> Vec<u8> {
    let mut data = format!("{{\"type\":\"{kind}\",\"sequence_number\":{number},\"response\":").into_bytes();
    data.extend_from_slice(response);
    data.push(b'}');
    data
}

/// JSON has no raw line breaks outside white space, where a space does as well.
fn on_one_line(data: &[u8]) -> Vec<u8> {
    let on_line = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
    data.iter().map(on_line).collect()
}

/// What went wrong, in the words that OpenAI has for failed responses.
fn code(problem: &Problem) -> &'static str {
    match (problem.code, problem.status) {
        (known @ ("context_length_exceeded" | "insufficient_quota" | "rate_limit_exceeded"), _) => known,
        ("budget_exceeded", _) => "insufficient_quota",
        ("upstream_overloaded" | "circuit_open" | "concurrency_limited", _) => "server_is_overloaded",
        (_, StatusCode::TOO_MANY_REQUESTS) => "rate_limit_exceeded",
        (_, StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT) => "server_error",
        (_, status) if status.is_client_error() => "invalid_prompt",
        _ => "server_error",
    }
}

/// The message; of a limit with the wait as OpenAI words it, since agents read it nowhere else.
fn words(problem: &Problem) -> String {
    const WAIT: &str = "try again in";
    let message = &problem.message;
    match problem.retry_after() {
        Some(seconds) if code(problem) == "rate_limit_exceeded" && !message.contains(WAIT) => {
            format!("{message}: please {WAIT} {seconds}s")
        }
        _ => message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(count: usize, size: usize) -> (usize, Vec<u8>) {
        let mut ending = Ending::default();
        ending.take(b"response.created", br#"{"response":{"id":"resp_1","output":[]}}"#);
        for index in 0..count {
            let text = "x".repeat(size);
            let item =
                format!(r#"{{"output_index":{index},"item":{{"type":"message","id":"msg_{index}","text":"{text}"}}}}"#);
            ending.take(b"response.output_item.done", item.as_bytes());
        }
        let held = ending.items.iter().map(Vec::len).sum();
        (held, ending.completed(9, "a/b").unwrap().1)
    }

    /// An upstream may send items without end, and leave the last event out.
    #[test]
    fn items_are_kept_within_a_bound_all_or_none() {
        let (held, event) = ended(3, 1024 * 1024);
        assert!(held > 3 * 1024 * 1024 && event.len() > held - 1024);
        assert!(String::from_utf8(event).unwrap().contains("msg_2"));
        // Items of a few bytes take mostly their places in the list.
        for (count, size) in [(64, 512 * 1024), (2, 9 * 1024 * 1024), (40_000, 1024), (180_000, 0)] {
            let (held, event) = ended(count, size);
            assert_eq!(held, 0, "{count} of {size} bytes");
            let event = String::from_utf8(event).unwrap();
            assert!(
                event.contains(r#""output":[]"#) && event.contains(r#""status":"completed""#),
                "{event}"
            );
        }
    }
}
