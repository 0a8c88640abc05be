//! A name that comes to mean another address: connections follow it, on loopback sockets.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

use super::{Dialect, OPENROUTER, Upstream};
use crate::{ApiKey, ChatRequest, ChatServiceExt, Stack};

const S: Duration = Duration::from_secs(1);
const ANSWER: &str =
    r#"{"id":"gen-1","choices":[{"index":0,"message":{"role":"assistant","content":"Sky"},"finish_reason":"stop"}]}"#;
const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A name service with one address for every name.
#[derive(Debug, Clone)]
pub(super) struct Names(Arc<Mutex<IpAddr>>);

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Names {}

impl Names {
    fn change(&self, address: IpAddr) {
        *self.0.lock().unwrap() = address;
    }
}

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        // The port is the URL's.
        let address = SocketAddr::new(*self.0.lock().unwrap(), 0);
        Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) })
    }
}

/// An upstream that keeps its connections; dropped, it closes them, and its port.
struct Server {
    port: u16,
    requests: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(address: IpAddr, port: u16) -> Self {
        let listener = TcpListener::bind((address, port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                let service = service_fn(move |_: hyper::Request<Incoming>| {
                    count.fetch_add(1, Ordering::Relaxed);
                    let answer = Response::builder().header("content-type", "application/json");
                    let answer = answer.body(Full::new(Bytes::from_static(ANSWER.as_bytes()))).unwrap();
                    async { Ok::<_, Infallible>(answer) }
                });
                let serving =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move { drop(serving.await) });
            }
        });
        Self {
            port,
            requests,
            _tasks: tasks,
        }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Two upstreams at one port of two addresses, the name service, and a stack that knows the name alone.
async fn world() -> (Server, Server, Names, Stack) {
    let one = Server::start(ONE, 0).await;
    let other = Server::start(OTHER, one.port).await;
    let names = Names(Arc::new(Mutex::new(ONE)));
    let url = format!("http://upstream.test:{}/v1", one.port);
    let resolver = names.clone();
    let stack = Stack::builder()
        .upstream(
            Upstream::new(OPENROUTER, &url, Dialect::OpenRouter).unwrap(),
            ApiKey::new("sk-or-v1-test").unwrap(),
        )
        .connections(move |builder| builder.resolver(resolver).pool_idle_timeout(86_400 * S))
        .chain(["a/b"])
        .build()
        .unwrap();
    (one, other, names, stack)
}

/// How many attempts one call makes.
async fn attempts(stack: &Stack) -> usize {
    let completion = stack.complete(ChatRequest::user("Why?")).await.unwrap();
    assert_eq!(completion.response.text(), Some("Sky"));
    completion.attempts.unwrap().sent()
}

#[tokio::test(start_paused = true)]
async fn a_changed_name_is_followed_within_ten_minutes_while_the_old_address_still_answers() {
    let (one, other, names, stack) = world().await;
    assert_eq!(attempts(&stack).await, 1);
    names.change(OTHER);
    sleep(300 * S).await;
    assert_eq!(attempts(&stack).await, 1);
    assert_eq!(
        (one.requests(), other.requests()),
        (2, 0),
        "a connection that is well is kept"
    );
    sleep(301 * S).await;
    assert_eq!(attempts(&stack).await, 1);
    assert_eq!((one.requests(), other.requests()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_changed_name_is_followed_at_once_when_the_old_address_is_gone() {
    let (one, other, names, stack) = world().await;
    assert_eq!(attempts(&stack).await, 1);
    names.change(OTHER);
    drop(one);
    sleep(S).await;
    assert!(
        attempts(&stack).await <= 2,
        "a connection that was closed costs one attempt at most"
    );
    assert_eq!(other.requests(), 1);
}
