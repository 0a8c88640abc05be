//! The dialects beside one another: an event of each API's stream, read and through the whole stack, vectors, and a prompt of a megabyte.
//!
//! A call of `event/…` and `stack_event/…` is one event that shows a word, and of `vectors/…` a kibibyte; what else a stream has is the same however
//! many there are. A call of `prompt/…` is a whole call: the prompt is read, fails twice, and goes out to a second model.

use bytes::Bytes;
use http_body_util::Full;
use tower_openrouter::{Api, ChatBody};

use crate::events::{request, stream};
use crate::prompt::{Road, prompt_of};
use crate::readers::{numbered, read, through};

pub(super) fn count(subject: &str, calls: usize) -> bool {
    let Some((what, api)) = subject.split_once('/') else {
        return false;
    };
    if what == "vectors" {
        return vectors(api, calls);
    }
    let Some(api) = Api::ALL.into_iter().find(|known| known.to_string() == api) else {
        return false;
    };
    match what {
        "event" => {
            let events = Full::new(Bytes::from(stream(api, calls)));
            read(ChatBody::from_event_stream_of(api, events));
        }
        "stack_event" => through(api, request(api, true), stream(api, calls), false),
        "prompt" => prompts(api, calls),
        _ => return false,
    }
    true
}

/// A plain answer with a kibibyte of vectors for each unit, and the same of a chat's text.
fn vectors(form: &str, units: usize) -> bool {
    let kibibyte = match form {
        "numbers" => {
            // 64 numbers of sixteen bytes with their commas.
            let numbers = numbered(64, |at| format!("-0.0{:011}", at * 1_234_567));
            numbered(units, |at| {
                format!(r#"{{"object":"embedding","index":{at},"embedding":[{numbers}]}}"#)
            })
        }
        "base64" => {
            let text = "gB2b".repeat(256);
            numbered(units, |at| {
                format!(r#"{{"object":"embedding","index":{at},"embedding":"{text}"}}"#)
            })
        }
        _ => return false,
    };
    let answer = format!(
        r#"{{"object":"list","model":"m","data":[{kibibyte}],"usage":{{"prompt_tokens":1,"total_tokens":1}}}}"#
    );
    let body = Full::new(Bytes::from(answer));
    read(ChatBody::from_plain_of(Api::Embeddings, body));
    true
}

fn prompts(api: Api, calls: usize) {
    let body = prompt_of(api);
    let road = Road::new();
    for _ in 0..calls {
        assert!(road.travel_as(api, &body).is_some(), "the last attempt answers");
    }
}
