//! What each adapter adds to a call of the mounted path, in nanoseconds: `cargo bench -p tower-openrouter-adapters --all-features`.
//!
//! A stack over a service in the process answers a plain chat. The endpoints are called alone with the same request; what the client itself does
//! before, such as building its request, is done there as well. The least of many rounds counts.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and ends if it cannot run"
)]

use std::{future::Future, hint::black_box, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use reqwest::Body;
use tokio::time::Instant;
use tower::{Service, ServiceExt, service_fn};
use tower_openrouter::{ApiKey, ApiRequest, ChatBody, ChatServiceExt, Error, Stack, endpoint::Endpoints};
use tower_openrouter_adapters::{AsyncOpenAiTransport, MiddlewareTransport, ReqwestTransport, RigTransport};

const ROUNDS: usize = 1000;
const CALLS: u32 = 10;
const URL: &str = "https://openrouter.ai/api/v1/chat/completions";
const ASK: &str = r#"{"model":"demo/model","messages":[{"role":"user","content":"Why is the sky blue?"}]}"#;
const ANSWER: &str = r#"{"id":"gen-1","object":"chat.completion","created":1,"model":"demo/model","choices":[{"index":0,"message":{"role":"assistant","content":"It scatters."},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}}"#;

fn stack() -> Stack {
    let service = service_fn(
        |_: Request<ApiRequest>| -> BoxFuture<'static, Result<Response<ChatBody>, Error>> {
            let body = ChatBody::from_plain(Full::new(Bytes::from_static(ANSWER.as_bytes())));
            Box::pin(async move { Ok(Response::new(body)) })
        },
    );
    let key = ApiKey::new("sk-or-v1-bench").unwrap();
    Stack::openrouter(key)
        .chain(["demo/model"])
        .build_over(service)
        .unwrap()
}

/// Nanoseconds a call, the least of all rounds.
async fn least<F: Future<Output = Bytes>>(call: impl Fn() -> F) -> f64 {
    let mut least = Duration::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..CALLS {
            assert!(black_box(call().await).len() >= 200);
        }
        least = least.min(begun.elapsed());
    }
    least.as_secs_f64() * 1e9 / f64::from(CALLS)
}

/// The endpoints alone.
async fn mounted(endpoints: Endpoints<Stack>) -> Bytes {
    let request = Request::post("/api/v1/chat/completions")
        .body(Full::new(Bytes::from_static(ASK.as_bytes())))
        .unwrap();
    let response = endpoints.oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

fn built(client: &reqwest::Client) -> reqwest::Request {
    client.post(URL).body(ASK).build().unwrap()
}

fn told(name: &str, without: f64, with: f64) {
    println!("{name:<20} {without:>9.0} ns {with:>9.0} ns {:>9.0} ns", with - without);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let client = reqwest::Client::new();
    let endpoints = stack().into_endpoints();
    println!("{:<20} {:>12} {:>12} {:>12}", "client", "endpoints", "adapter", "more");

    let alone = least(|| mounted(endpoints.clone())).await;
    let plain = ReqwestTransport::over(endpoints.clone());
    let with = least(|| {
        let mut plain = plain.clone();
        async move {
            let request = Request::post(URL).body(Body::from(ASK)).unwrap();
            plain.call(request).await.unwrap().bytes().await.unwrap()
        }
    });
    told("reqwest's types", alone, with.await);

    let without = least(|| {
        drop(black_box(built(&client)));
        mounted(endpoints.clone())
    });
    let without = without.await;
    let middleware = reqwest_middleware::ClientBuilder::new(client.clone())
        .with(MiddlewareTransport::over(endpoints.clone()))
        .build();
    let with = least(|| async { middleware.execute(built(&client)).await.unwrap().bytes().await.unwrap() });
    told("reqwest-middleware", without, with.await);

    let factory = {
        let client = client.clone();
        async_openai::middleware::HttpRequestFactory::new(move || {
            let request = built(&client);
            async move { Ok(request) }
        })
    };
    let openai = AsyncOpenAiTransport::over(endpoints.clone());
    let with = least(|| async {
        openai
            .clone()
            .call(factory.clone())
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
    });
    told("async-openai", without, with.await);

    let rig = RigTransport::over(endpoints.clone());
    let with = least(|| async {
        use rig_core::http_client::HttpClientExt;

        let request = Request::post(URL).body(Bytes::from_static(ASK.as_bytes())).unwrap();
        let response = rig.send::<_, Bytes>(request).await.unwrap();
        response.into_body().await.unwrap()
    });
    told("rig", alone, with.await);
}
