//! An upstream that sends exactly the given bytes, whatever they are.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower_openrouter::{
    ApiKey, Stack,
    layers::retry::Exponential,
    stack::StackBuilder,
    transport::{Dialect, OPENROUTER, Upstream},
};

use super::{FIRST, SECOND};

/// One thing to do on a connection; it closes behind the last one.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Sends this again and again, with a pause before each.
    Drip(Vec<u8>, Duration),
    /// Nothing more, and no end.
    Hang,
}

pub(crate) fn send(text: impl Into<Vec<u8>>) -> Step {
    Step::Send(text.into())
}

/// The head of an answer, without a length: its end is the connection's.
pub(crate) fn head(status: &str, content_type: &str) -> Step {
    send(format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n"
    ))
}

pub(crate) fn events() -> Step {
    head("200 OK", "text/event-stream")
}

pub(crate) fn json() -> Step {
    head("200 OK", "application/json")
}

/// A chunk with this text and this reason to end, as JSON.
pub(crate) fn chunk(text: &str, finish: &str) -> Step {
    send(format!(
        "data: {{\"id\":\"gen-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\n\n"
    ))
}

pub(crate) fn done() -> Step {
    send("data: [DONE]\n\n")
}

/// A listening upstream, and what it was sent.
pub(crate) struct Raw {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Raw {
    /// Answers each request by this script.
    pub(crate) async fn start(script: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log) = (Arc::new(script), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self { url, seen }
    }

    /// The same answer to every request.
    pub(crate) async fn always(steps: Vec<Step>) -> Self {
        Self::start(move |_| steps.clone()).await
    }

    /// One script after another; the number says which is on.
    pub(crate) async fn in_turn(scripts: Vec<Vec<Step>>) -> (Self, Arc<AtomicUsize>) {
        let turn = Arc::new(AtomicUsize::new(0));
        let now = Arc::clone(&turn);
        let raw = Self::start(move |_| scripts.get(now.load(Ordering::Relaxed)).cloned().unwrap_or_default()).await;
        (raw, turn)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The requests so far, head and body as they came.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn upstream(&self) -> Upstream {
        Upstream::new(OPENROUTER, &self.url, Dialect::OpenRouter).unwrap()
    }

    pub(crate) fn builder(&self) -> StackBuilder {
        Stack::builder()
            .upstream(self.upstream(), ApiKey::new(KEY).unwrap())
            .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
            .attempts_per_candidate(1)
            .chain([FIRST])
    }

    pub(crate) fn alone(&self) -> Stack {
        self.builder().build().unwrap()
    }

    pub(crate) fn pair(&self) -> Stack {
        self.builder().chain([FIRST, SECOND]).build().unwrap()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<impl Fn(&str) -> Vec<Step>>, log: Arc<Mutex<Vec<String>>>) {
    let Some(request) = read(&mut stream).await else { return };
    let steps = script(&request);
    log.lock().unwrap().push(request);
    for step in steps {
        let written = match step {
            Step::Send(bytes) => stream.write_all(&bytes).await,
            Step::Wait(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Step::Drip(bytes, pause) => loop {
                tokio::time::sleep(pause).await;
                if let Err(error) = stream.write_all(&bytes).await {
                    break Err(error);
                }
            },
            // Until the other side closes.
            Step::Hang => stream.read(&mut [0; 64]).await.map(drop),
        };
        if written.is_err() {
            return;
        }
    }
}

/// A whole request with a `Content-Length`, or without a body.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text.into_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// The key of each stack here.
pub(crate) const KEY: &str = "sk-or-v1-s3cr3t";

/// Errors in which the key stands wherever an upstream could put it.
pub(crate) fn echoes() -> Vec<Vec<Step>> {
    let long = format!("{}{KEY}", "x".repeat(2048 - 12));
    let bodies = [
        format!(r#"{{"error":{{"code":400,"message":"Bad header Bearer {KEY}"}}}}"#),
        format!(r#"{{"error":{{"code":"{KEY}","message":"no","metadata":{{"error_type":"{KEY}"}}}}}}"#),
        format!(r#"{{"error":{{"code":502,"message":"no","metadata":{{"provider_name":"{KEY}"}}}}}}"#),
        format!(r#"{{"error":{{"code":502,"message":"Provider returned error","metadata":{{"raw":"{long}"}}}}}}"#),
        format!(r#"{{"error":{{"code":502,"message":"no"}},"id":"{KEY}"}}"#),
        format!(r#"{{"error":"{KEY}"}}"#),
        r#"{"error":{"message":"\u0073k-or-v1-s3cr3t"}}"#.to_owned(),
        format!("Authorization: Bearer {KEY}"),
        format!("<html>{KEY}</html>"),
    ];
    let mut all = Vec::new();
    for body in bodies {
        for status in ["400 Bad Request", "401 Unauthorized", "502 Bad Gateway"] {
            all.push(vec![head(status, "application/json"), send(body.clone())]);
        }
        all.push(vec![json(), send(body.clone())]);
        all.push(vec![events(), send(format!("data: {body}\n\n"))]);
        all.push(vec![events(), chunk("Sky", "null"), send(format!("data: {body}\n\n"))]);
        all.push(vec![events(), send(format!("event: error\ndata: {body}\n\n"))]);
    }
    all.push(vec![send(format!(
        "HTTP/1.1 500 {KEY}\r\nx-generation-id: {KEY}\r\nx-echo: Bearer {KEY}\r\nconnection: close\r\n\r\n"
    ))]);
    all.push(vec![send(format!("HTTP/9 {KEY}\r\n\r\n"))]);
    all
}
