//! The same over HTTP/2 with prior knowledge, and the handle's promises.

use crate::common::{KEY, ask};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use openrouter_simulator::{Outcome, Simulator};

#[tokio::test]
async fn streams_share_one_connection() {
    let simulator = Simulator::start().await.unwrap();
    let socket = tokio::net::TcpStream::connect(simulator.addr()).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = |model: &str| {
        http::Request::post(format!("{}/chat/completions", simulator.base_url()))
            .header("authorization", format!("Bearer {KEY}"))
            .body(Full::new(bytes::Bytes::from(ask(model, true).to_string())))
            .unwrap()
    };
    let slow = client.send_request(request("sim/stall=60s@2;words=9")).await.unwrap();
    let answer = client.send_request(request("sim/words=9")).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(simulator.connections_accepted(), 1);
    drop(slow);
    let seen = simulator.wait_until(|seen| seen.closed_by_client == 1).await;
    assert_eq!(
        (seen.attempts[0].outcome, seen.attempts[0].pieces),
        (Outcome::ClosedByClient, 2)
    );
    assert_eq!(
        (seen.attempts[1].outcome, seen.open_connections),
        (Outcome::Answered, 1)
    );
}

#[test]
fn a_handle_goes_anywhere() {
    fn anywhere<T: Send + Sync + Clone + 'static>() {}
    anywhere::<Simulator>();
}
