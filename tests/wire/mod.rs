//! Responses as upstreams really send them, byte for byte: through the mounted endpoint, as a plain call that is streamed upstream, and
//! through the typed interface.

mod bad;
mod cases;
mod cuts;
mod elsewhere;
mod faults;
mod forms;
mod good;
mod quirks;
mod recorded;
mod refused;
mod reported;
mod servers;
mod usage;
mod written;

use std::{collections::BTreeMap, time::Duration};

use axum::Router;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;
use tower_openrouter::{
    Answer, ChatServiceExt, Error, Stack, response::ChatResponse, stack::StackBuilder,
    stream_upstream::StreamUpstreamMode,
};

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

/// The document of a plain call that is streamed upstream.
async fn gather(stack: &Stack) -> Result<Bytes, Error> {
    let mut request = ask().into_http();
    request.extensions_mut().insert(StreamUpstreamMode::On);
    let mut answer = Answer::new(stack.clone().oneshot(request).await?);
    let mut document = Bytes::new();
    while let Some(frame) = answer.next_frame().await {
        let frame = frame?;
        if !frame.bytes().is_empty() {
            document = frame.bytes().clone();
        }
    }
    Ok(document)
}

/// The text of a document, as the typed interface reads it.
fn text_of(document: &[u8]) -> String {
    let response = ChatResponse::from_json(document).unwrap();
    response.text().unwrap_or_default().to_owned()
}

/// The text that a caller of the typed interface reads, and the documents that it is read from.
async fn typed(stack: &Stack, streamed: bool) -> Result<(String, Vec<u8>), Error> {
    if !streamed {
        let response = stack.complete(ask()).await?.response;
        let document = serde_json::to_vec(&response).unwrap();
        return Ok((response.text().unwrap_or_default().to_owned(), document));
    }
    let mut answer = stack.stream(ask()).await?;
    let (mut text, mut documents) = (String::new(), Vec::new());
    while let Some(frame) = answer.next_frame().await {
        let frame = frame?;
        text.push_str(&frame.text().unwrap_or_default());
        documents.extend_from_slice(frame.bytes());
        documents.push(b'\n');
    }
    Ok((text, documents))
}

/// Whether this is in a document, or in the pieces of one member of a stream's deltas.
fn contains(documents: &[u8], part: &str) -> bool {
    if memchr::memmem::find(documents, part.as_bytes()).is_some() {
        return true;
    }
    let mut members = BTreeMap::new();
    for line in String::from_utf8_lossy(documents).lines() {
        let json = readable(line.strip_prefix("data: ").unwrap_or(line));
        if let Ok(chunk) = serde_json::from_str::<Value>(&json) {
            join("", &chunk["choices"][0]["delta"], &mut members);
        }
    }
    members
        .into_values()
        .any(|text| Value::from(text).to_string().contains(part))
}

/// Adds the texts of a delta to those of the same members before it.
fn join(path: &str, value: &Value, members: &mut BTreeMap<String, String>) {
    match value {
        Value::String(text) => members.entry(path.to_owned()).or_default().push_str(text),
        Value::Object(object) => object
            .iter()
            .for_each(|(name, value)| join(&format!("{path}/{name}"), value, members)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(at, value)| join(&format!("{path}/{at}"), value, members)),
        _ => {}
    }
}

/// What stands for this in an answer that was put together: a message for a delta, and for halves of a character that character, or U+FFFD.
fn alike(has: &str) -> Vec<&str> {
    match has {
        "delta" => vec![has, "message"],
        "\\ud83d" => vec![has, "\u{fffd}", "\\ufffd"],
        "\\ude00" => vec![has, "\u{1f600}"],
        _ => vec![has],
    }
}

/// Good: this text, complete, in one attempt, whichever way it is requested; and this somewhere in what came.
pub(super) async fn assert_good(case: &Case, text: &str, has: &str) {
    let what = case.what;
    let raw = upstream(case).await;
    let pair = stack(&raw).chain([FIRST, SECOND]).build().unwrap();
    let reply = post(&pair, case.streamed).await;
    let body = || String::from_utf8_lossy(&reply.body);
    assert!(reply.is_complete(), "{what}: {} {}", reply.status, body());
    assert_eq!(reply.text().trim_end_matches('\u{fffd}'), text, "{what}: {}", body());
    assert!(contains(&reply.body, has), "{what}: {has} in {}", body());
    assert_eq!(raw.seen().len(), 1, "{what}: asked once by the endpoint");

    let has_it = |documents: &[u8]| alike(has).iter().any(|has| contains(documents, has));
    let got = typed(&pair, case.streamed).await;
    let (said, documents) = got.unwrap_or_else(|error| panic!("{what}: typed {error:?}"));
    assert_eq!(
        said.trim_end_matches('\u{fffd}').trim_end(),
        text.trim_end(),
        "{what}: typed"
    );
    assert!(
        has_it(&documents),
        "{what}: {has} typed, in {}",
        String::from_utf8_lossy(&documents)
    );
    assert_eq!(raw.seen().len(), 2, "{what}: asked once by the typed call");

    let got = gather(&pair).await;
    let document = got.unwrap_or_else(|error| panic!("{what}: streamed upstream {error:?}"));
    assert_eq!(raw.seen().len(), 3, "{what}: asked once, streamed upstream");
    assert_eq!(
        text_of(&document)
            .trim_end_matches(['\u{fffd}', '\u{1f600}'])
            .trim_end(),
        text.trim_end(),
        "{what}: streamed upstream"
    );
    assert!(
        has_it(&document),
        "{what}: {has} streamed upstream, in {}",
        String::from_utf8_lossy(&document)
    );
}

/// Words of failures that every candidate shares: of the request, the key or the account.
const SHARED: [&str; 3] = ["not valid", "required", "for your plan"];

/// Bad: never complete, with the upstream's own words; another candidate may answer while nothing was shown.
pub(super) async fn assert_bad(case: &Case, shown: &str, words: &str) {
    let what = case.what;
    let raw = upstream(case).await;
    let sent = |bytes: &[u8]| memchr::memmem::find(bytes, b"502").is_some();
    let may_say_502 = case
        .steps
        .iter()
        .any(|step| matches!(step, Step::Send(bytes) if sent(bytes)));
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
    assert!(
        may_say_502 || !body.contains("(502)"),
        "{what}: a status that was not sent: {body}"
    );
    assert_eq!(reply.text(), shown, "{what}");

    let got = call(&alone(), case.streamed, ask()).await;
    let error = got.error.as_ref().unwrap_or_else(|| panic!("{what}: {got:?}"));
    assert!(error.message().contains(words), "{what}: {error:?}");

    let Err(error) = gather(&alone()).await else {
        panic!("{what}: streamed upstream, it is no answer");
    };
    let message = error.message();
    assert!(message.contains(words), "{what}: streamed upstream {error:?}");
    assert!(
        may_say_502 || !message.contains("(502)"),
        "{what}: a status that was not sent: {message}"
    );

    if SHARED.iter().any(|shared| words.contains(shared)) {
        return;
    }
    let pair = || stack(&raw).chain([FIRST, SECOND]).build().unwrap();
    if shown.is_empty() {
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
    // Nothing is shown before a plain call has all of it: another candidate may always answer.
    let before = raw.seen().len();
    let got = gather(&pair()).await;
    let document = got.unwrap_or_else(|error| panic!("{what}: streamed upstream, two candidates: {error:?}"));
    assert_eq!(
        text_of(&document),
        FALLBACK,
        "{what}: streamed upstream, two candidates"
    );
    assert_eq!(raw.seen().len() - before, 2, "{what}: each candidate is called once");
}
