//! A plain answer to a streamed request, as the events that its API would have streamed. Only what differs is written again: every value that is in
//! the shape of its API goes out as it came.

mod message;
mod response;
mod shaped;
#[cfg(test)]
mod shaped_tests;
#[cfg(test)]
mod tests;

use super::object::Object;
use crate::Api;
use message::message;
use response::response;

/// The events of a whole answer, each the JSON of its data on one line. An answer that is not in the shape of its API comes with its
/// beginning and its end alone.
pub(super) fn as_events(api: Api, answer: &[u8]) -> Vec<Vec<u8>> {
    // JSON has no raw line breaks outside white space, where a space does as well.
    let line: Vec<u8> = answer
        .iter()
        .map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte })
        .collect();
    let answer = Object::read(&line).unwrap_or_default();
    let mut events = Events::default();
    if api == Api::Messages {
        message(&answer, &mut events);
    } else {
        response(&answer, &line, &mut events);
    }
    events.0
}

#[derive(Default)]
struct Events(Vec<Vec<u8>>);

impl Events {
    /// Adds an event with these members; `numbered` counts them, as streams of responses do.
    fn add(&mut self, name: &str, numbered: bool, members: &[(&str, &[u8])]) {
        let mut data = format!("{{\"type\":\"{name}\"").into_bytes();
        if numbered {
            data.extend_from_slice(format!(",\"sequence_number\":{}", self.0.len()).as_bytes());
        }
        for (name, value) in members {
            data.extend_from_slice(format!(",\"{name}\":").as_bytes());
            data.extend_from_slice(value);
        }
        data.push(b'}');
        self.0.push(data);
    }
}
