//! Bugs between the stack and the upstream.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Body, Frame};
use serde_json::Value;
use tower::{Service, ServiceExt};
use tower_openrouter::{
    ApiRequest, ChatBody, ChatFrame, Error, FailureKind,
    layers::{Health, LlmRequest},
};

use super::Plant;
use crate::upstream::{Upstream, json};

/// Bodies that are never dropped.
pub(super) type Kept = Arc<Mutex<Vec<ChatBody>>>;

/// An upstream with a bug before it.
#[derive(Clone)]
pub(super) struct Planted {
    upstream: Upstream,
    plant: Plant,
    kept: Kept,
}

impl Planted {
    pub(super) const fn new(upstream: Upstream, plant: Plant, kept: Kept) -> Self {
        Self { upstream, plant, kept }
    }
}

impl Service<Request<ApiRequest>> for Planted {
    type Response = Response<PlantedBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<PlantedBody>, Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.upstream.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ApiRequest>) -> Self::Future {
        if self.plant == Plant::NamesOthers {
            name_others(request.body_mut());
        }
        let clone = self.upstream.clone();
        let mut ready = std::mem::replace(&mut self.upstream, clone);
        let (plant, kept) = (self.plant, Arc::clone(&self.kept));
        Box::pin(async move {
            let is_again = request
                .body()
                .call()
                .attempt()
                .is_some_and(|attempt| attempt.number() > 1);
            let again = (plant == Plant::CallsTwice).then(|| request.clone());
            let mut result = ready.call(request).await;
            if let Some(again) = again.filter(|_| result.is_err()) {
                result = ready.ready().await?.call(again).await;
            }
            if plant == Plant::TellsBreaker {
                result = result.map_err(|error| match error.kind().advice().health {
                    Health::Neutral => Error::new(FailureKind::Overloaded, "not the upstream's fault at all"),
                    _ => error,
                });
            }
            Ok(result?.map(|inner| PlantedBody {
                inner: Some(inner),
                next: None,
                repeats: is_again && plant == Plant::RepeatsText,
                plant,
                kept,
            }))
        })
    }
}

/// Takes the last characters from an instruction to continue.
fn name_others(request: &mut ApiRequest) {
    let mut document: Value = serde_json::from_slice(&json(request)).unwrap();
    let Some(messages) = document["messages"].as_array_mut() else {
        return;
    };
    if let [.., before, last] = messages.as_mut_slice()
        && before["role"] == "assistant"
    {
        let mut words = last["content"].as_str().unwrap().to_owned();
        words.pop();
        last["content"] = words.into();
        request.set_parameter("messages", Some(&document["messages"].to_string()));
    }
}

/// An answer with a bug in it.
pub(super) struct PlantedBody {
    inner: Option<ChatBody>,
    next: Option<ChatFrame>,
    repeats: bool,
    plant: Plant,
    kept: Kept,
}

impl Body for PlantedBody {
    type Data = ChatFrame;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<ChatFrame>, Error>>> {
        if let Some(next) = self.next.take() {
            return Poll::Ready(Some(Ok(Frame::data(next))));
        }
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        let frame = std::task::ready!(Pin::new(inner).poll_frame(cx));
        if self.plant == Plant::EndsCleanly && matches!(frame, Some(Err(_))) {
            return Poll::Ready(None);
        }
        if self.repeats
            && let Some(Ok(frame)) = &frame
            && let Some(data) = frame
                .data_ref()
                .filter(|data| data.text().is_some_and(|text| !text.is_empty()))
        {
            self.next = Some(data.clone());
            self.repeats = false;
        }
        Poll::Ready(frame)
    }
}

impl Drop for PlantedBody {
    fn drop(&mut self) {
        if self.plant == Plant::HoldsConnection {
            self.kept.lock().unwrap().extend(self.inner.take());
        }
    }
}
