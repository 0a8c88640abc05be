//! A whole stack over a provider with a wire of its own: an Ollama-like server that streams lines of JSON.
//!
//! Between the two marks is all that such a provider needs: a request, a frame, an error and a service.
//!
//! ```sh
//! cargo run --release --example own_provider
//! ```
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use std::{
    io::Write,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::post};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{future::BoxFuture, stream::try_unfold};
use http::{Request, Response};
use http_body::Frame as BodyFrame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use serde_json::{Value, json};
use tower::{Service, ServiceExt};
use tower_openrouter::{
    AttemptLog, Candidate, FailureKind,
    layers::{Call, Failure, FailureMarks, Frame, LayerError, LlmRequest, Needs, Stage},
    stack::StackBuilder,
};

// ---- the glue ----

#[derive(Clone)]
#[rustfmt::skip]
struct Ask { model: String, prompt: String, call: Call }

#[rustfmt::skip]
impl LlmRequest for Ask {
    fn call(&self) -> &Call { &self.call }
    fn call_mut(&mut self) -> &mut Call { &mut self.call }
    fn model(&self) -> Option<&str> { (!self.model.is_empty()).then_some(&*self.model) }
    fn set_model(&mut self, model: &str) { model.clone_into(&mut self.model); }
    fn needs(&self) -> Needs { Needs::of_prompt(self.prompt.len() as u64 / 4, self.prompt.len() as u64) }
    fn is_streaming(&self) -> bool { true }
}

/// One line of the answer.
#[rustfmt::skip]
struct Piece { text: Bytes, done: bool }

#[rustfmt::skip]
impl Buf for Piece {
    fn remaining(&self) -> usize { self.text.remaining() }
    fn chunk(&self) -> &[u8] { &self.text }
    fn advance(&mut self, count: usize) { self.text.advance(count); }
}

#[rustfmt::skip]
impl Frame for Piece {
    fn stage(&self) -> Stage {
        if !self.text.is_empty() { Stage::Content } else if self.done { Stage::Finish } else { Stage::Preamble }
    }
}

#[derive(Debug)]
struct Failed(FailureKind, String, FailureMarks);

#[rustfmt::skip]
impl Failure for Failed {
    fn kind(&self) -> FailureKind { self.0 }
    fn marks(&self) -> &FailureMarks { &self.2 }
    fn marks_mut(&mut self) -> &mut FailureMarks { &mut self.2 }
    fn summary(&self) -> String { self.1.clone() }
}

#[rustfmt::skip]
impl From<LayerError> for Failed {
    fn from(error: LayerError) -> Self { failed(error.kind(), &error) }
}

fn failed(kind: FailureKind, why: &dyn ToString) -> Failed {
    Failed(kind, why.to_string(), FailureMarks::default())
}

#[derive(Clone)]
struct Ollama(reqwest::Client, String);

impl Service<Request<Ask>> for Ollama {
    type Response = Response<UnsyncBoxBody<Piece, Failed>>;
    type Error = Failed;
    type Future = BoxFuture<'static, Result<Self::Response, Failed>>;

    #[rustfmt::skip]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> { Poll::Ready(Ok(())) }

    fn call(&mut self, request: Request<Ask>) -> Self::Future {
        let Ask { model, prompt, .. } = request.body();
        let ask = json!({"model": model, "prompt": prompt}).to_string();
        let sending = self.0.post(&self.1).body(ask).send();
        Box::pin(async move {
            let response = sending.await.map_err(|error| failed(FailureKind::Connect, &error))?;
            match response.status().as_u16() {
                200 => {
                    let lines = try_unfold((response, BytesMut::new(), false), next);
                    Ok(Response::new(StreamBody::new(lines).boxed_unsync()))
                }
                status => Err(failed(FailureKind::Overloaded, &status)),
            }
        })
    }
}

type Reading = (reqwest::Response, BytesMut, bool);

/// The next line, until the one that says `done`. A stream that ends before it is an error.
async fn next((mut response, mut read, done): Reading) -> Result<Option<(BodyFrame<Piece>, Reading)>, Failed> {
    if done {
        return Ok(None);
    }
    let end = loop {
        if let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            break end;
        }
        let more = response
            .chunk()
            .await
            .map_err(|error| failed(FailureKind::Reset, &error))?;
        let cut = || failed(FailureKind::Truncated, &"it ended in the middle");
        read.extend_from_slice(&more.ok_or_else(cut)?);
    };
    let line = serde_json::from_slice::<Value>(&read.split_to(end + 1));
    let line = line.map_err(|error| failed(FailureKind::Malformed, &error))?;
    let text = line.get("response").and_then(Value::as_str).unwrap_or_default();
    let done = line.get("done").and_then(Value::as_bool).unwrap_or_default();
    let text = Bytes::copy_from_slice(text.as_bytes());
    Ok(Some((BodyFrame::data(Piece { text, done }), (response, read, done))))
}

// ---- the end of the glue ----

/// The server: the large model has no room, the small one answers.
async fn server() -> support::Fallible<String> {
    let generate = post(|ask: String| async move {
        let ask: Value = serde_json::from_str(&ask).unwrap_or_default();
        if ask.get("model").is_some_and(|model| model == "llama3.3:70b") {
            return (StatusCode::SERVICE_UNAVAILABLE, String::new());
        }
        let words = ["", "Scattering ", "makes ", "it ", "blue."].map(|word| json!({"response": word, "done": false}));
        let lines = words.into_iter().chain([json!({"response": "", "done": true})]);
        (StatusCode::OK, lines.map(|line| format!("{line}\n")).collect())
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/api/generate", listener.local_addr()?);
    let app = Router::new().route("/api/generate", generate);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    let stack = StackBuilder::new()
        .candidate(Candidate::new("ollama", "llama3.3:70b")?)
        .candidate(Candidate::new("ollama", "llama3.2")?)
        .first_token_timeout(Duration::from_secs(30))
        .max_retry_delay(Duration::from_millis(100))
        .build_over(Ollama(reqwest::Client::new(), server().await?))?;
    println!("{}\n", stack.describe());

    let ask = Ask {
        model: String::new(),
        prompt: "Why is the sky blue?".to_owned(),
        call: Call::default(),
    };
    let response = stack.oneshot(Request::new(ask)).await.map_err(|error| error.1)?;
    let attempts = response.extensions().get::<AttemptLog>().cloned();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.1)?;
        let text = frame.into_data().map(|piece| piece.text).unwrap_or_default();
        std::io::stdout().write_all(&text)?;
    }
    println!("\n\n{}", attempts.ok_or("there is no log")?);
    Ok(())
}
