//! A panic while an answer is sent ends that answer alone.

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};
use futures_util::StreamExt;
use openrouter_gateway::{
    routes::OuterLayer,
    server::{Connections, Limits, Stages, serve},
    settings::ServerSettings,
};
use tokio::net::TcpListener;
use tower_openrouter::ChatServiceExt;

use crate::support::{Place, Said, post, streamed};

/// The header of a request whose response is to panic.
const PLANT: &str = "x-plant";

/// Lets the body of a response panic behind its first pieces.
async fn plant(request: Request, next: Next) -> Response {
    let is_planted = request.headers().contains_key(PLANT);
    let response = next.run(request).await;
    if !is_planted {
        return response;
    }
    response.map(|body| {
        let pieces = body.into_data_stream().enumerate().map(|(number, piece)| {
            assert!(number < 3, "planted");
            piece
        });
        Body::from_stream(pieces)
    })
}

/// Panics before there is a response.
async fn plant_at_once(request: Request, next: Next) -> Response {
    assert!(!request.headers().contains_key(PLANT), "planted");
    next.run(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_stream_leaves_the_others_of_its_connection() {
    let place = Place::start("").await;
    place.simulator.plan("demo/model", "delay=20ms;words=60").unwrap();
    let app = Router::new()
        .fallback_service(place.running.gateway.stack().into_endpoints())
        .layer(from_fn(plant))
        .layer(OuterLayer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/chat/completions", listener.local_addr().unwrap());
    let (connections, stages) = (Connections::new(10), Stages::default());
    let limits = Limits::new(&ServerSettings::default());
    tokio::spawn(serve(listener, app, limits, connections.clone(), stages));

    let http = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let ask = || post(&http, &url, "", &streamed("demo/model", 500));
    let mut other = ask().send().await.unwrap();
    let mut text = other.chunk().await.unwrap().expect("it has begun").to_vec();
    let open = connections.open();
    let mut planted = ask().header(PLANT, "body").send().await.unwrap();
    assert_eq!((other.status().as_u16(), planted.status().as_u16()), (200, 200));
    assert_eq!(connections.open(), open, "both are on one connection");
    let end = loop {
        match planted.chunk().await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert!(end.is_err(), "it ends with an error");
    while let Some(piece) = other.chunk().await.unwrap() {
        text.extend_from_slice(&piece);
    }
    let text = String::from_utf8(text).unwrap();
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert_eq!(connections.open(), open, "the connection is still there");
    assert_eq!(Said::of(ask()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_before_the_head_is_that_call_s_500() {
    let place = Place::start("").await;
    let app = Router::new()
        .fallback_service(place.running.gateway.stack().into_endpoints())
        .layer(from_fn(plant_at_once))
        .layer(OuterLayer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/messages", listener.local_addr().unwrap());
    let limits = Limits::new(&ServerSettings::default());
    tokio::spawn(serve(listener, app, limits, Connections::new(10), Stages::default()));
    let said = Said::of(post(&place.http, &url, "", "{}").header(PLANT, "call")).await;
    assert_eq!(said.status, 500, "{said:?}");
    assert_eq!(said.json()["error"]["type"], "api_error", "{said:?}");
    assert_eq!(Said::of(post(&place.http, &url, "", "{}")).await.status, 400);
}
