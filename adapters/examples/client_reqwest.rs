//! Any client over reqwest's types: a tower service takes the place of `reqwest::Client`, with layers around it.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use http::Request;
use reqwest::Body;
use serde_json::json;
use support::{Fallible, MODEL};
use tower::{ServiceBuilder, ServiceExt};
use tower_openrouter::{ChatServiceExt, Tags};
use tower_openrouter_adapters::ReqwestTransport;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible {
    let (stack, _simulator) = support::stack().await?;
    // Every call of this client is accounted under the same tag.
    let tags = Tags::new([("job", "nightly")])?;
    let endpoints = ServiceBuilder::new()
        .map_request(move |mut request: Request<Body>| {
            request.extensions_mut().insert(tags.clone());
            request
        })
        .service(stack.into_endpoints());
    let transport = ReqwestTransport::over(endpoints);

    let question =
        json!({ "model": MODEL, "stream": true, "messages": [{ "role": "user", "content": "Why is the sky blue?" }] });
    let request = Request::post("https://api.openai.com/v1/chat/completions").body(Body::from(question.to_string()))?;
    let mut response: reqwest::Response = transport.oneshot(request).await?;
    println!("{} {}", response.status(), response.url());
    while let Some(events) = response.chunk().await? {
        print!("{}", String::from_utf8_lossy(&events));
    }
    Ok(())
}
