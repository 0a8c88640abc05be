//! Makes one call, the same way for all: polled once, on the caller's stack, with a waker that does nothing.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use http_body::Body;
use tower::Service;
use tower_openrouter::ApiRequest;

use crate::leaf;

/// The response of a service that is ready at once; `None` if it failed, or had to wait.
#[inline]
pub fn call<S, R>(service: &mut S, request: R) -> Option<S::Response>
where
    S: Service<R>,
{
    let mut context = Context::from_waker(Waker::noop());
    if !matches!(service.poll_ready(&mut context), Poll::Ready(Ok(()))) {
        return None;
    }
    match pin!(service.call(request)).poll(&mut context) {
        Poll::Ready(response) => response.ok(),
        Poll::Pending => None,
    }
}

/// Reads a body that is ready to its end, as a server does, and gives the number of its frames; `None` if it broke.
#[inline]
pub fn read<B: Body>(body: B) -> Option<usize> {
    let mut context = Context::from_waker(Waker::noop());
    let mut body = pin!(body);
    let mut frames = 0;
    while !body.is_end_stream() {
        match body.as_mut().poll_frame(&mut context) {
            Poll::Ready(Some(Ok(_))) => frames += 1,
            Poll::Ready(None) => break,
            Poll::Ready(Some(Err(_))) | Poll::Pending => return None,
        }
    }
    Some(frames)
}

/// So many whole calls of a service, one after the other.
///
/// # Panics
///
/// If one of them is not answered.
pub fn calls<S, B>(times: usize, mut service: S)
where
    S: Service<Request<ApiRequest>, Response = Response<B>>,
    B: Body,
{
    let request = leaf::request();
    for _ in 0..times {
        assert!(whole(&mut service, black_box(&request).clone()).is_some(), "it answers");
    }
}

/// One whole call: the response and all of its body.
#[inline]
pub fn whole<S, R, B>(service: &mut S, request: R) -> Option<usize>
where
    S: Service<R, Response = Response<B>>,
    B: Body,
{
    read(call(service, request)?.into_body())
}

/// The number of frames until the end, or until the body breaks.
#[inline]
pub fn read_until_error<B: Body>(body: B) -> usize {
    let mut context = Context::from_waker(Waker::noop());
    let mut body = pin!(body);
    let mut frames = 0;
    while let Poll::Ready(Some(Ok(_))) = body.as_mut().poll_frame(&mut context) {
        frames += 1;
    }
    frames
}
