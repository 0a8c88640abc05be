//! JSON that is oddly written: changes to its text that no serialiser makes.

use super::Api;
use crate::answer::{HIGH_HALF, LOW_HALF};
use crate::fault::{ErrorField, Fault};

/// An error object that means nothing.
const NO_ERROR: &str = r#""error":{"message":"","type":"","param":"","code":null}"#;

/// What a text of log probabilities looks like that Python has written.
const LOG_OF_ZERO: &str = r#"{"token":"a","logprob":-Infinity,"top_logprobs":[]}"#;

/// The changes of one answer, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Odd(Vec<Change>);

#[derive(Clone, Debug)]
enum Change {
    /// All of the one text to the other.
    Replace(String, String),
    /// This member last, on the first document only if so said.
    Append(String, bool),
}

impl Odd {
    /// Those of these clauses.
    pub(crate) fn new(api: Api, faults: &[Fault]) -> Self {
        let mut changes = Vec::new();
        let mut replace = |from: &str, to: &str| changes.push(Change::Replace(from.to_owned(), to.to_owned()));
        for fault in faults {
            match fault {
                Fault::Nan => {
                    replace(
                        "\"logprobs\":null",
                        &format!("\"logprobs\":{{\"content\":[{LOG_OF_ZERO}]}}"),
                    );
                    replace("\"logprobs\":[]", &format!("\"logprobs\":[{LOG_OF_ZERO}]"));
                    if api == Api::Messages {
                        replace("\"stop_sequence\":null", "\"stop_sequence\":null,\"score\":-Infinity");
                    }
                }
                Fault::Index(index) => {
                    replace(
                        "\"choices\":[{\"index\":0",
                        &format!("\"choices\":[{{\"index\":{index}"),
                    );
                }
                Fault::DuplicateKey => {
                    let key = match api {
                        Api::Messages => "\"text\":\"",
                        Api::Responses => "\"delta\":\"",
                        _ => "\"content\":\"",
                    };
                    replace(key, &format!("{key}x\",{key}"));
                }
                Fault::ReasoningName(name) => replace("\"reasoning\":", &format!("\"{name}\":")),
                Fault::Surrogate(_) => {
                    replace(HIGH_HALF.encode_utf8(&mut [0; 4]), "\\ud83d");
                    replace(LOW_HALF.encode_utf8(&mut [0; 4]), "\\ude00");
                }
                _ => {}
            }
        }
        for fault in faults {
            let (text, first) = match fault {
                Fault::Deep(levels) => {
                    let levels = usize::try_from(*levels).unwrap_or(0);
                    (format!("\"deep\":{}{}", "[".repeat(levels), "]".repeat(levels)), false)
                }
                Fault::ErrorField(field) if matches!(api, Api::Chat | Api::Embeddings) => match field {
                    ErrorField::Success => ("\"error\":\"success\"".to_owned(), false),
                    other => (NO_ERROR.to_owned(), *other == ErrorField::First),
                },
                _ => continue,
            };
            changes.push(Change::Append(text, first));
        }
        Self(changes)
    }

    /// The same JSON, changed. `first`: it is the first document of its answer.
    pub(crate) fn apply(&self, json: String, first: bool) -> String {
        self.0.iter().fold(json, |mut json, change| match change {
            Change::Replace(from, to) => json.replace(from.as_str(), to),
            Change::Append(text, on_first) => {
                if (first || !on_first) && json.ends_with('}') {
                    json.truncate(json.len() - 1);
                    json.push(',');
                    json.push_str(text);
                    json.push('}');
                }
                json
            }
        })
    }
}
