//! No tenant gets what another one asked for, unless so set.

use std::collections::HashSet;

use http::{HeaderName, HeaderValue, Request};
use tower::Layer;
use tower_llm_layers::{
    GlobalKey,
    cache::{AnswerKey, Cache, CacheLayer},
};

use super::{MIB, about, frames, is_hit, is_shared, slow, tenant};
use crate::support::{Leaf, TestRequest, ask, streamed};

fn of(name: &'static str) -> Request<TestRequest> {
    let mut request = streamed();
    request.headers_mut().insert("tenant", HeaderValue::from_static(name));
    request
}

#[tokio::test(start_paused = true)]
async fn each_has_its_own_answers_and_calls() {
    let leaf = Leaf::new([slow(2), slow(2)]);
    let probe = leaf.probe();
    let service = CacheLayer::new(Cache::new(MIB), tenant).layer(leaf);
    let (ours, theirs) = tokio::join!(ask(&service, of("ours")), ask(&service, of("theirs")));
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    assert!(!is_shared(&ours) && !is_shared(&theirs));
    frames(ours.into_body()).await;
    assert!(is_hit(&ask(&service, of("ours")).await.unwrap()));
    assert!(!is_hit(&ask(&service, of("theirs")).await.unwrap()));
    frames(theirs.into_body()).await;
    assert!(is_hit(&ask(&service, of("theirs")).await.unwrap()));
    assert_eq!(probe.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_tenant_it_goes_past() {
    let service = CacheLayer::new(Cache::new(MIB), tenant).layer(Leaf::new([]));
    for _ in 0..2 {
        let response = ask(&service, streamed()).await.unwrap();
        assert!(!is_hit(&response));
        frames(response.into_body()).await;
    }
    assert_eq!(service.cache().bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn shared_by_all_where_so_set() {
    let layer = CacheLayer::new(Cache::new(MIB), GlobalKey).ignore_header(HeaderName::from_static("tenant"));
    let service = layer.layer(Leaf::new([]));
    frames(ask(&service, of("ours")).await.unwrap().into_body()).await;
    assert!(is_hit(&ask(&service, of("theirs")).await.unwrap()));
}

#[test]
fn no_two_requests_run_together_into_one_key() {
    let key = |scope: &str, prompt| AnswerKey::new(scope, about(prompt).body());
    assert_eq!(key("ab", "c"), key("ab", "c"));
    assert_ne!(key("ab", "c"), key("a", "bc"));
    assert_ne!(key("", "c"), key("c", ""));
    // Over the length up to which parts are gathered, and around it.
    let long = "x".repeat(5000);
    let mut keys = Vec::new();
    for length in [
        0, 1, 126, 127, 128, 129, 250, 251, 252, 253, 254, 255, 256, 257, 4999, 5000,
    ] {
        let scope = long.get(..length).unwrap();
        for prompt in ["", "x", "xx"] {
            keys.push(key(scope, prompt));
        }
    }
    let count = keys.len();
    let different: HashSet<_> = keys.into_iter().collect();
    assert_eq!(different.len(), count);
}
