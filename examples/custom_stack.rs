//! Layers put together by hand, among tower-http's, over an inner service of your choice.
//!
//! The first layer named is the outermost. A layer that is left out is simply not there.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use tower::{ServiceBuilder, limit::ConcurrencyLimitLayer};
use tower_http::{
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
    set_header::SetRequestHeaderLayer,
};
use tower_openrouter::{
    Candidate, ChatRequest, ChatServiceExt, Transport,
    layers::{
        attempt::AttemptLayer,
        auth::AuthLayer,
        deadline::DeadlineLayer,
        fallback::{Chain, FallbackLayer},
        first_token::FirstTokenLayer,
        retry::RetryLayer,
        timeout::AttemptTimeoutLayer,
    },
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    let place = support::place(&[("openai/gpt-5", "502,ok")]).await?;
    let transport = Transport::builder().upstream(place.upstream.clone()).build()?;
    let chain = Chain::new([
        Candidate::new(place.upstream.name(), "openai/gpt-5")?,
        Candidate::new(place.upstream.name(), "openai/gpt-4o-mini")?,
    ])?;

    let service = ServiceBuilder::new()
        // Around the operation: once a call.
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(DeadlineLayer::new(Duration::from_secs(90)))
        .layer(FallbackLayer::new(chain))
        .layer(RetryLayer::new())
        // Between: once an attempt, and outside the attempt's timeouts, so that queueing does not count as a slow model.
        .layer(ConcurrencyLimitLayer::new(32))
        .layer(AttemptLayer::new())
        .layer(AttemptTimeoutLayer::new(Duration::from_secs(10)))
        .layer(FirstTokenLayer::new())
        .layer(AuthLayer::new(place.key.clone()))
        .layer(SetSensitiveRequestHeadersLayer::new([http::header::AUTHORIZATION]))
        .layer(SetRequestHeaderLayer::if_not_present(
            HeaderName::from_static("x-session-id"),
            HeaderValue::from_static("example"),
        ))
        .service(transport);

    let answer = service.stream(ChatRequest::user("Why is the sky blue?")).await?;
    println!("request {:?}", answer.parts().headers.get("x-request-id"));
    let attempts = answer.attempts();
    println!("{}\n", answer.text().await?);
    if let Some(attempts) = attempts {
        println!("{attempts}");
    }
    Ok(())
}
