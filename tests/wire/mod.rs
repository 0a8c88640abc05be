//! Responses as upstreams really send them, byte for byte: through the mounted endpoint, as a plain call that is streamed upstream, and
//! through the typed interface.

mod bad;
mod cuts;
mod elsewhere;
mod forms;
mod good;
mod quirks;
mod recorded;
mod refused;
mod reported;
mod servers;
mod usage;
mod written;

use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_openrouter::{ChatServiceExt, Error, Stack, stack::StackBuilder, stream_upstream::Gathering};

use crate::support::{
    FIRST, Got, SECOND, ask, call,
    raw::{Raw, Step, chunk, done, events, json as json_head, send},
};

/// What the second candidate says.
const FALLBACK: &str = "FALLBACK";

/// One response of the first candidate.
pub(super) struct Case {
    pub(super) what: &'static str,
    pub(super) streamed: bool,
    pub(super) steps: Vec<Step>,
}

/// An upstream where the first model answers so, and the second one is well.
async fn upstream(case: &Case) -> Raw {
    let steps = case.steps.clone();
    Raw::start(move |request| {
        if request.contains(&format!("\"{FIRST}\"")) {
            steps.clone()
        } else if request.contains("\"stream\":true") {
            vec![events(), chunk(FALLBACK, "null"), chunk("", "\"stop\""), done()]
        } else {
            let answer =
                json!({"choices": [{"message": {"role": "assistant", "content": FALLBACK}, "finish_reason": "stop"}]});
            vec![json_head(), send(answer.to_string())]
        }
    })
    .await
}

fn stack(raw: &Raw) -> StackBuilder {
    raw.builder()
        .first_token_timeout(Duration::from_secs(60))
        .response_timeout(Duration::from_secs(90))
        .idle_timeout(Duration::from_secs(8))
        .deadline(Duration::from_secs(120))
}

/// What a client of the mounted endpoint got.
#[derive(Debug)]
struct Reply {
    status: u16,
    body: Vec<u8>,
}

impl Reply {
    fn text(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let events = body.lines().filter_map(|line| line.strip_prefix("data: "));
        let all = if body.contains("data: ") {
            events.collect()
        } else {
            vec![&*body]
        };
        let json = all.into_iter().filter(|json| json.contains("\"choices\""));
        json.map(|json| {
            serde_json::from_str(&readable(json)).map_or_else(|_| first_content(json), |json| content(&json))
        })
        .collect()
    }

    fn has(&self, words: &str) -> bool {
        memchr::memmem::find(&self.body, words.as_bytes()).is_some()
    }

    fn is_complete(&self) -> bool {
        self.status == 200 && (!self.has("data:") || self.has("data: [DONE]"))
    }
}

/// What a parser reads that has no limits.
fn first_content(json: &str) -> String {
    let (_, rest) = json.split_once("\"content\":\"").unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// The JSON that a client with a strict parser reads.
fn readable(json: &str) -> String {
    json.replace("-Infinity", "0")
        .replace("NaN", "0")
        .replace("\\ud83d", "")
        .replace("\\ude00", "")
}

fn content(document: &Value) -> String {
    let choices = document["choices"].as_array().into_iter().flatten();
    let texts = choices.map(|choice| {
        let said = choice.get("delta").or_else(|| choice.get("message"));
        match said.map(|said| &said["content"]) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(parts)) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
            _ => String::new(),
        }
    });
    texts.collect()
}

async fn post(stack: &Stack, streamed: bool) -> Reply {
    let app = Router::new().route_service("/v1/chat/completions", stack.clone().into_openai_endpoint());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let request = json!({"model": FIRST, "stream": streamed, "messages": [{"role": "user", "content": "Hi"}]});
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    // Without keep-alive: the answer ends with the connection.
    let head = format!(
        "POST /v1/chat/completions HTTP/1.0\r\ncontent-length: {}\r\n\r\n",
        request.to_string().len()
    );
    socket
        .write_all((head + &request.to_string()).as_bytes())
        .await
        .unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).await.unwrap();
    server.abort();
    let split = memchr::memmem::find(&bytes, b"\r\n\r\n").unwrap() + 4;
    let body = bytes.split_off(split);
    let status = String::from_utf8_lossy(&bytes)
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    Reply { status, body }
}

/// A plain call that is streamed upstream.
async fn gather(stack: &Stack) -> Result<String, Error> {
    let mut request = ask().into_http();
    request.extensions_mut().insert(Gathering::On);
    let completion = stack.complete(request).await?;
    Ok(completion.response.text().unwrap_or_default().to_owned())
}

/// Good: this text, complete, in one attempt, whichever way it is requested.
pub(super) async fn assert_good(case: &Case, text: &str, has: &str) {
    let what = case.what;
    let raw = upstream(case).await;
    let pair = stack(&raw).chain([FIRST, SECOND]).build().unwrap();
    let reply = post(&pair, case.streamed).await;
    assert!(
        reply.is_complete(),
        "{what}: {} {}",
        reply.status,
        String::from_utf8_lossy(&reply.body)
    );
    assert_eq!(
        reply.text().trim_end_matches('\u{fffd}'),
        text,
        "{what}: {}",
        String::from_utf8_lossy(&reply.body)
    );
    assert!(reply.has(has), "{what}: {}", String::from_utf8_lossy(&reply.body));
    assert_eq!(raw.seen().len(), 1, "{what}: asked once by the endpoint");

    let got = call(&pair, case.streamed, ask()).await;
    assert!(got.error.is_none(), "{what}: {got:?}");
    assert_eq!(
        got.text.trim_end_matches('\u{fffd}').trim_end(),
        text.trim_end(),
        "{what}: typed"
    );
    assert_eq!(raw.seen().len(), 2, "{what}: asked once by the typed call");

    let got = gather(&pair).await;
    let said = got.unwrap_or_else(|error| panic!("{what}: streamed upstream {error:?}"));
    assert_eq!(raw.seen().len(), 3, "{what}: asked once, streamed upstream");
    let said = said.trim_end_matches(['\u{fffd}', '\u{1f600}']);
    assert_eq!(said.trim_end(), text.trim_end(), "{what}: streamed upstream");
}

/// Bad: never complete, with the upstream's own words; another candidate may answer while nothing was shown.
pub(super) async fn assert_bad(case: &Case, shown: &str, words: &str) {
    let what = case.what;
    let raw = upstream(case).await;
    // A stack for each call: what one call learns of the candidate is not what is tested here.
    let alone = || stack(&raw).chain([FIRST]).build().unwrap();
    let reply = post(&alone(), case.streamed).await;
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(
        !reply.is_complete() && !reply.has("[DONE]"),
        "{what}: {} {body}",
        reply.status
    );
    assert!(body.contains(words), "{what}: {} {body}", reply.status);
    assert!(!body.contains("(502)"), "{what}: a status that was not sent: {body}");
    assert_eq!(reply.text(), shown, "{what}");

    let got = call(&alone(), case.streamed, ask()).await;
    let error = got.error.as_ref().unwrap_or_else(|| panic!("{what}: {got:?}"));
    assert!(error.message().contains(words), "{what}: {error:?}");

    let pair = || stack(&raw).chain([FIRST, SECOND]).build().unwrap();
    if shown.is_empty() && !words.contains("not valid") && !words.contains("required") {
        let reply = post(&pair(), case.streamed).await;
        assert_eq!(
            reply.text(),
            FALLBACK,
            "{what}: {}",
            String::from_utf8_lossy(&reply.body)
        );
        let got: Got = call(&pair(), case.streamed, ask()).await;
        assert_eq!(
            (got.text.as_str(), got.asked()),
            (FALLBACK, vec![FIRST, SECOND]),
            "{what}: {got:?}"
        );
    }
    let got = gather(&alone()).await;
    assert!(got.is_err(), "{what}: streamed upstream {got:?}");
}
