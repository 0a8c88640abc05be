//! Event streams that end when the gateway shuts down: the page's have no end of their own.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::header;
use http_body::Frame;
use pin_project::pin_project;

use crate::server::{Reached, Stage, Stages};

/// A body that ends when the gateway begins to shut down.
#[pin_project]
struct Ending {
    #[pin]
    inner: Body,
    #[pin]
    end: Reached,
}

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.project();
        match this.end.poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => this.inner.poll_frame(cx),
        }
    }
}

/// The response; if it is an event stream, one that ends when the gateway begins to shut down.
pub(super) fn ending(response: Response, stages: &Stages) -> Response {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    if !content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream")) {
        return response;
    }
    let end = stages.reached(Stage::Draining);
    response.map(|inner| Body::new(Ending { inner, end }))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn an_event_stream_ends_with_the_gateway_and_another_body_does_not() {
        let stages = Stages::default();
        let response = |kind: &str| {
            let frames = [Ok::<_, axum::Error>(Bytes::from_static(b"data: a\n\n"))];
            let endless =
                futures_util::StreamExt::chain(futures_util::stream::iter(frames), futures_util::stream::pending());
            let body = Body::from_stream(endless);
            ending(
                Response::builder().header("content-type", kind).body(body).unwrap(),
                &stages,
            )
        };
        let (mut events, mut text) = (
            response("text/event-stream").into_body(),
            response("text/plain").into_body(),
        );
        assert!(events.frame().await.is_some() && text.frame().await.is_some());
        stages.enter(Stage::Draining);
        assert!(events.frame().await.is_none());
        assert!(
            futures_util::FutureExt::now_or_never(text.frame()).is_none(),
            "it is left alone"
        );
    }
}
