//! The doors of a stack: its own methods, the bare service, and its endpoint, each read to the end or as far as the caller reads.

use std::pin::pin;

use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;
use tower_openrouter::{Answer, Api, ChatFrame, ChatServiceExt, Error, layers::DegradedSource};

use super::{Caller, Ending};
use crate::{call::Form, upstream::json};

impl Caller {
    pub(super) async fn go(&self) {
        match self.call.form {
            Form::Stream => match self.stack.stream(self.request()).await {
                Ok(answer) => self.read(answer).await,
                Err(error) => self.fail(&error),
            },
            Form::Complete => self.complete().await,
            Form::Raw => {
                let stack = self.stack.clone();
                match stack.oneshot(self.request().map(|body| body.stream(true))).await {
                    Ok(response) => self.read_raw(response).await,
                    Err(error) => self.fail(&error),
                }
            }
            Form::EndpointStream | Form::EndpointPlain => self.through_endpoint().await,
        }
    }

    async fn complete(&self) {
        macro_rules! whole {
            ($request:ident, $view:ident, $answer:ident => $text:expr) => {{
                let request = $request.map(|body| body.$view().unwrap().clone());
                match self.stack.complete(request).await {
                    Ok(completion) => {
                        self.degraded(completion.degraded());
                        let $answer = completion.response;
                        self.text(&$text);
                        self.end(Ending::Whole);
                    }
                    Err(error) => self.fail(&error),
                }
            }};
        }
        let request = self.request();
        match self.call.api {
            Api::Chat => whole!(request, as_chat, answer => answer.text().unwrap_or_default()),
            Api::Responses => whole!(request, as_responses, answer => answer.text().unwrap_or_default()),
            Api::Messages => whole!(request, as_messages, answer => answer.text().unwrap_or_default()),
            _ => {
                whole!(request, as_embedding, answer => of_vector(answer.vectors().next().unwrap_or_default()));
            }
        }
    }

    async fn read(&self, mut answer: Answer) {
        self.degraded(answer.degraded());
        let mut frames = 0;
        loop {
            if self.leaves_after(frames).await {
                return;
            }
            match answer.next_frame().await {
                Some(Ok(frame)) => self.frame(&frame),
                Some(Err(error)) => return self.fail(&error),
                None => {
                    self.degraded(answer.degraded());
                    return self.end(Ending::Whole);
                }
            }
            frames += 1;
        }
    }

    fn frame(&self, frame: &ChatFrame) {
        if self.call.api != Api::Embeddings {
            return self.text(&frame.text().unwrap_or_default());
        }
        // A frame that is a sign of life has no document.
        if let Ok(document) = serde_json::from_slice(frame.bytes()) {
            self.text(&text_of(Api::Embeddings, &document));
        }
    }

    async fn read_raw<B>(&self, response: http::Response<B>)
    where
        B: http_body::Body<Data = ChatFrame, Error = Error> + Unpin,
    {
        self.degraded(response.extensions().get().cloned());
        let mut body = response.into_body();
        let mut frames = 0;
        loop {
            if self.leaves_after(frames).await {
                return;
            }
            match body.frame().await {
                Some(Ok(frame)) => self.frame(&frame.into_data().unwrap()),
                Some(Err(error)) => return self.fail(&error),
                None => return self.end(Ending::Whole),
            }
            frames += 1;
        }
    }

    async fn through_endpoint(&self) {
        let request = self.request();
        let (parts, body) = request.into_parts();
        let streamed = self.call.is_streamed();
        let mut outgoing = Request::post("/")
            .body(Full::new(json(&body.stream(streamed))))
            .unwrap();
        *outgoing.headers_mut() = parts.headers;
        *outgoing.extensions_mut() = parts.extensions;
        let endpoint = self.stack.clone().into_endpoint(self.call.api);
        let response = endpoint.oneshot(outgoing).await.unwrap();
        let status = response.status().as_u16();
        let marked = response.headers().get("x-llm-degraded").is_some();
        if marked && self.seen.lock().unwrap().degraded.is_none() {
            let source = response.headers()["x-llm-degraded"].to_str().unwrap().to_owned();
            self.change(|seen, _| seen.degraded = source_of(&source));
        }
        let mut body = pin!(response.into_body());
        if status != 200 || !streamed {
            let bytes = body.collect().await.unwrap().to_bytes();
            let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if status != 200 {
                self.change(|seen, _| seen.error = document["error"]["message"].to_string());
                return self.end(Ending::Refused(status));
            }
            self.text(&text_of(self.call.api, &document));
            return self.end(Ending::Whole);
        }
        let mut frames = 0;
        let mut rest = Vec::new();
        loop {
            if self.leaves_after(frames).await {
                return;
            }
            let Some(frame) = body.as_mut().frame().await else {
                if self.seen.lock().unwrap().ending == Ending::Open {
                    self.record
                        .wrong(self.says("the endpoint's stream ended without its end or an error"));
                }
                return;
            };
            rest.extend_from_slice(&frame.unwrap().into_data().unwrap());
            while let Some(end) = rest.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = rest.drain(..end + 2).collect();
                if self.event(&event) {
                    return;
                }
            }
            frames += 1;
        }
    }

    /// The mark of an answer that began behind its head comes as a comment.
    fn late_mark(&self, event: &[u8]) {
        let lines = event.split(|byte| *byte == b'\n');
        let marks = lines.filter_map(|line| line.strip_prefix(b": x-llm-degraded: "));
        for source in marks.filter_map(|source| std::str::from_utf8(source).ok()) {
            self.change(|seen, _| seen.degraded = seen.degraded.or(source_of(source)));
        }
    }

    /// Reads one event of the endpoint; `true` if it was the last one.
    fn event(&self, event: &[u8]) -> bool {
        let mut lines = event.split(|byte| *byte == b'\n');
        let Some(data) = lines.find_map(|line| line.strip_prefix(b"data: ")) else {
            self.late_mark(event);
            return false;
        };
        if data.trim_ascii() == b"[DONE]" {
            self.end(Ending::Whole);
            return true;
        }
        let Ok(chunk) = serde_json::from_slice::<Value>(data) else {
            self.record
                .wrong(self.says("the endpoint sent an event that is no JSON"));
            return true;
        };
        let failed = chunk.pointer("/response/error").filter(|error| !error.is_null());
        if let Some(error) = chunk.get("error").or(failed) {
            self.change(|seen, _| seen.error = error.to_string());
            self.end(Ending::Refused(200));
            return true;
        }
        let kind = chunk["type"].as_str().unwrap_or_default();
        if ["response.completed", "response.incomplete", "message_stop"].contains(&kind) {
            // Nothing follows it: some callers leave here, and others read to the end of the connection.
            self.end(Ending::Whole);
            return self.call.index.is_multiple_of(2);
        }
        let text = match self.call.api {
            Api::Chat => &chunk["choices"][0]["delta"]["content"],
            Api::Responses if kind == "response.output_text.delta" => &chunk["delta"],
            Api::Messages if kind == "content_block_delta" => &chunk["delta"]["text"],
            Api::Messages if kind == "content_block_start" => &chunk["content_block"]["text"],
            _ => &Value::Null,
        };
        self.text(text.as_str().unwrap_or_default());
        false
    }
}

/// The text that a vector of its bytes stands for.
fn of_vector(numbers: &[f32]) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the numbers are bytes"
    )]
    let bytes = numbers.iter().map(|number| *number as u8).collect();
    String::from_utf8(bytes).unwrap_or_else(|error| format!("no text: {error}"))
}

/// The text of a document of this API.
fn text_of(api: Api, document: &Value) -> String {
    let list = |list: &Value, pointer: &str| {
        let parts = list.as_array().into_iter().flatten();
        let parts = parts.filter_map(|part| part.pointer(pointer)?.as_str());
        parts.collect::<String>()
    };
    match api {
        Api::Chat => list(&document["choices"], "/message/content"),
        Api::Responses => list(&document["output"], "/content/0/text"),
        Api::Messages => list(&document["content"], "/text"),
        _ => {
            let numbers: Vec<f32> =
                serde_json::from_value(document["data"][0]["embedding"].clone()).unwrap_or_default();
            of_vector(&numbers)
        }
    }
}

/// The source that a header's value names.
fn source_of(value: &str) -> Option<DegradedSource> {
    [
        DegradedSource::CheaperModel,
        DegradedSource::StaleAnswer,
        DegradedSource::CannedReply,
        DegradedSource::ShortenedAnswer,
    ]
    .into_iter()
    .find(|source| value.contains(source.as_str()))
}
