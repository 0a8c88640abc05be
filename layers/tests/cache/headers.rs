//! Which headers of a request are part of its key.

use http::{HeaderName, HeaderValue, Request};
use tower_llm_layers::{GlobalKey, cache::AnswerKey, deadline::DEADLINE_HEADER};

use super::{TestLayer, frames, is_hit, is_shared, layer, over, slow};
use crate::support::{Leaf, TestRequest, ask, streamed};

/// The same request with these headers, in this order.
fn with(headers: &[(&str, &'static str)]) -> Request<TestRequest> {
    let mut request = streamed();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, HeaderValue::from_static(value));
    }
    request
}

fn key(headers: &[(&str, &'static str)]) -> AnswerKey {
    layer().key(&with(headers)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn another_header_is_another_answer_kept_or_under_way() {
    let leaf = Leaf::new([slow(2), slow(2)]);
    let probe = leaf.probe();
    let service = over(leaf);
    let (long, fast) = (|| with(&[("x-beta", "long")]), || with(&[("x-beta", "fast")]));
    let (one, other) = tokio::join!(ask(&service, long()), ask(&service, fast()));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(!is_shared(&one) && !is_shared(&other));
    frames(one.into_body()).await;
    frames(other.into_body()).await;
    assert!(is_hit(&ask(&service, long()).await.unwrap()));
    assert!(is_hit(&ask(&service, fast()).await.unwrap()));
    assert!(!is_hit(&ask(&service, streamed()).await.unwrap()), "without either");
    assert_eq!(probe.calls(), 3);
}

#[test]
fn a_header_that_is_not_known_is_part_of_the_key() {
    for name in [
        "x-beta",
        "authorization",
        "cookie",
        "accept-language",
        "x-forwarded-for",
    ] {
        assert_ne!(key(&[(name, "a")]), key(&[]), "{name}");
        assert_ne!(key(&[(name, "a")]), key(&[(name, "b")]), "{name}");
    }
}

#[test]
fn order_and_case_of_names_do_not_matter_and_repeated_values_do() {
    assert_eq!(key(&[("x-a", "1"), ("x-b", "2")]), key(&[("X-B", "2"), ("X-A", "1")]));
    assert_eq!(
        key(&[("x-a", "1"), ("x-b", "2"), ("x-a", "3")]),
        key(&[("x-b", "2"), ("x-a", "1"), ("x-a", "3")])
    );
    let different = [
        key(&[("x-a", "1")]),
        key(&[("x-a", "1"), ("x-a", "1")]),
        key(&[("x-a", "1"), ("x-a", "2")]),
        key(&[("x-a", "2"), ("x-a", "1")]),
        key(&[("x-a", "1, 2")]),
        key(&[("x-a", "12")]),
        key(&[("x-a", "")]),
        key(&[("x-a1", "")]),
        key(&[("x-a", "x-a"), ("x-b", "1")]),
        key(&[]),
    ];
    let count = different.len();
    let distinct: std::collections::HashSet<_> = different.into_iter().collect();
    assert_eq!(distinct.len(), count);
}

#[test]
fn headers_of_the_connection_the_client_and_the_trace_are_not_part_of_the_key() {
    for name in [
        "host",
        "connection",
        "content-length",
        "content-type",
        "transfer-encoding",
        "user-agent",
        "accept",
        "accept-encoding",
        "cache-control",
        "traceparent",
        "tracestate",
        "X-Request-Id",
        DEADLINE_HEADER.as_str(),
    ] {
        assert_eq!(key(&[(name, "a")]), key(&[]), "{name}");
    }
    // What is decided by the request alone has the same key everywhere.
    assert_eq!(key(&[("host", "a")]), AnswerKey::new(GlobalKey::KEY, streamed().body()));
}

#[tokio::test(start_paused = true)]
async fn a_header_can_be_ignored() {
    let layer: TestLayer = layer().ignore_header(HeaderName::from_static("x-my-trace"));
    let of = |headers: &[(&str, &'static str)]| layer.clone().key(&with(headers)).unwrap();
    assert_eq!(of(&[("X-My-Trace", "1")]), of(&[("x-my-trace", "2")]));
    assert_ne!(of(&[("x-my-trace", "1"), ("x-a", "1")]), of(&[("x-a", "2")]));
}

/// A body that writes what a header would is another request.
#[test]
fn no_header_passes_for_a_part_of_the_request() {
    let mut longer = streamed();
    longer.body_mut().prompt = "x-a";
    let with_header = layer().key(&with(&[("x-a", "1")])).unwrap();
    assert_ne!(layer().key(&longer).unwrap(), with_header);
    assert_ne!(AnswerKey::new("x-a", streamed().body()), with_header);
}
