//! What is forgotten while it is on its way.

use std::sync::Arc;

use http::Request;
use tokio::time::sleep;
use tower::Layer;
use tower_llm_layers::{
    GlobalKey, Stage,
    cache::{Cache, CacheLayer},
};

use super::{MIB, is_hit, layer};
use crate::support::{Beat, Leaf, Step, TestError, TestFrame, TestRequest, ask, poll_once, read, secs, streamed};

/// Comes after two seconds.
fn late() -> Step {
    Step::Answer(secs(2), vec![Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)])
}

/// After a clear, a response that was requested before it is not cached.
#[tokio::test(start_paused = true)]
async fn a_response_requested_before_all_was_forgotten_is_not_cached() {
    for one in [true, false] {
        let layer = layer();
        let service = layer.clone().layer(Leaf::new([late()]));
        let key = layer.key(&streamed()).unwrap();
        let call = async { read(ask(&service, streamed()).await.unwrap().into_body()).await };
        let clear = async {
            sleep(secs(1)).await;
            if one {
                layer.cache().forget(&key);
            } else {
                layer.cache().clear();
            }
        };
        tokio::join!(call, clear);
        let again = ask(&service, streamed()).await.unwrap();
        assert!(!is_hit(&again), "forget one: {one}");
    }
}

/// Not even if no clock tells which came first.
#[tokio::test(start_paused = true)]
async fn a_response_requested_in_the_instant_in_which_all_is_forgotten_is_not_cached() {
    for one in [true, false] {
        let layer = layer();
        let service = layer.clone().layer(Leaf::new([late()]));
        let key = layer.key(&streamed()).unwrap();
        let mut call = Box::pin(async { read(ask(&service, streamed()).await.unwrap().into_body()).await });
        assert!(poll_once(call.as_mut()).is_pending());
        if one {
            layer.cache().forget(&key);
        } else {
            layer.cache().clear();
        }
        call.await;
        let again = ask(&service, streamed()).await.unwrap();
        assert!(!is_hit(&again), "forget one: {one}");
        // What is requested in the same instant after it is cached.
        read(again.into_body()).await;
        assert!(is_hit(&ask(&service, streamed()).await.unwrap()));
    }
}

/// No call joins one that was requested before.
#[tokio::test(start_paused = true)]
async fn no_call_joins_one_requested_before_all_was_forgotten() {
    let layer = layer();
    let leaf = Leaf::new([late()]);
    let probe = leaf.probe();
    let service = layer.clone().layer(leaf);
    let call = async { read(ask(&service, streamed()).await.unwrap().into_body()).await };
    let clear = async {
        sleep(secs(1)).await;
        layer.cache().clear();
        read(ask(&service, streamed()).await.unwrap().into_body()).await
    };
    tokio::join!(call, clear);
    assert_eq!(probe.calls(), 2);
}

/// A tenant without a name is not everyone.
#[tokio::test(start_paused = true)]
async fn a_tenant_without_a_name_is_not_everyone() {
    let cache = Cache::new(MIB);
    let all = CacheLayer::<TestFrame, TestError, _>::new(cache.clone(), GlobalKey).layer(Leaf::new([]));
    let nameless = |_: &Request<TestRequest>| -> Option<Arc<str>> { Some(Arc::from("")) };
    let own = CacheLayer::<TestFrame, TestError, _>::new(cache, nameless).layer(Leaf::new([]));
    read(ask(&all, streamed()).await.unwrap().into_body()).await;
    let response = ask(&own, streamed()).await.unwrap();
    assert!(!is_hit(&response));
}
