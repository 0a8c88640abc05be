//! What a call is accounted under: its own tags, then those of its request; without a required one it is refused.

use http::Request;
use tower::Layer;
use tower_llm_layers::{FailureKind, LayerError, Tags, tagging::TaggingLayer};

use crate::support::{Leaf, TestRequest, ask, streamed};

type Extractor = fn(&Request<TestRequest>) -> Option<Tags>;

/// The tags of a header `x-tags`: `name=value` pairs.
fn of_header(request: &Request<TestRequest>) -> Option<Tags> {
    let pairs = request.headers().get("x-tags")?.to_str().ok()?;
    Tags::new(pairs.split(',').filter_map(|pair| pair.split_once('='))).ok()
}

fn with(header: Option<&'static str>, own: &[(&str, &str)]) -> Request<TestRequest> {
    let mut request = streamed();
    if let Some(header) = header {
        request.headers_mut().insert("x-tags", header.parse().unwrap());
    }
    let own = Tags::new(own.iter().copied()).unwrap();
    request.body_mut().call.set_tags(own);
    request
}

#[tokio::test(start_paused = true)]
async fn a_call_without_the_required_tag_is_refused_and_nothing_is_sent() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = TaggingLayer::new(of_header as Extractor).require("tenant").layer(leaf);
    for request in [with(None, &[]), with(Some("team=search"), &[("user", "u")])] {
        let error = ask(&service, request).await.unwrap_err();
        let name = "tenant".to_owned();
        assert_eq!(error.layer, Some(LayerError::MissingTag { name }));
        assert_eq!(error.kind, FailureKind::BadRequest);
        assert!(error.summary.contains("`tenant`"), "{}", error.summary);
    }
    assert_eq!(probe.calls(), 0);
    // Its own tag counts as well as the extractor's.
    ask(&service, with(Some("tenant=acme"), &[])).await.unwrap();
    ask(&service, with(None, &[("tenant", "acme")])).await.unwrap();
    assert_eq!(probe.calls(), 2);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn the_call_keeps_its_own_tags_and_takes_the_others_from_the_extractor() {
    let told = std::sync::Arc::new(std::sync::Mutex::new(None));
    let kept = std::sync::Arc::clone(&told);
    let leaf = tower::ServiceBuilder::new()
        .map_request(move |request: Request<TestRequest>| {
            *kept.lock().unwrap() = Some(request.body().call.tags().clone());
            request
        })
        .service(Leaf::new([]));
    let service = TaggingLayer::new(of_header as Extractor).layer(leaf);
    let request = with(Some("tenant=theirs,team=search"), &[("tenant", "own"), ("user", "u")]);
    ask(&service, request).await.unwrap();
    let tags: Tags = told.lock().unwrap().take().unwrap();
    let found = ["tenant", "team", "user"].map(|name| tags.get(name).unwrap());
    assert_eq!(found, ["own", "search", "u"]);
}
