//! A provider of keys learns of a rejection, and its fresh key is tried once.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tower_openrouter::{
    ApiKey, FailureKind, Stack,
    layers::auth::{KeyFuture, KeyProvider},
};

use crate::support::{
    FIRST, SECOND, ask, call,
    raw::{Raw, chunk, done, events, head, send},
};

/// Returns the key that it has cached, and fetches the next of its keys after a rejection.
struct Cached {
    keys: Vec<&'static str>,
    fetched: AtomicUsize,
    rejected: Mutex<Vec<String>>,
}

impl KeyProvider for Cached {
    fn key(&self, _: &str) -> KeyFuture {
        let key = self.keys[self.fetched.load(Ordering::Relaxed).min(self.keys.len() - 1)];
        Box::pin(async move { ApiKey::new(key).map_err(|error| error.to_string()) })
    }

    fn rejected(&self, upstream: &str, key: &ApiKey) -> bool {
        let place = self.fetched.fetch_add(1, Ordering::Relaxed);
        let is_known = ApiKey::new(self.keys[place.min(self.keys.len() - 1)]).unwrap().header() == key.header();
        self.rejected.lock().unwrap().push(format!("{upstream} {is_known}"));
        true
    }
}

/// A stack whose upstream takes the key `sk-good` only.
async fn stack(keys: &[&'static str], attempts: u32) -> (Raw, Arc<Cached>, Stack) {
    let raw = Raw::start(|request| {
        if request.contains("sk-good") {
            return vec![events(), chunk("Sky", "null"), chunk("", "\"stop\""), done()];
        }
        let error = r#"{"error":{"code":401,"message":"No auth credentials found"}}"#;
        vec![head("401 Unauthorized", "application/json"), send(error)]
    })
    .await;
    let provider = Arc::new(Cached {
        keys: keys.to_vec(),
        fetched: AtomicUsize::new(0),
        rejected: Mutex::default(),
    });
    let source: Arc<dyn KeyProvider> = Arc::clone(&provider) as _;
    let stack = Stack::builder()
        .upstream(raw.upstream(), source)
        .attempts_per_candidate(attempts)
        .chain([FIRST, SECOND]);
    (raw, provider, stack.build().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_fetched_again_and_the_call_answered() {
    let (raw, provider, stack) = stack(&["sk-stale", "sk-good"], 3).await;
    let got = call(&stack, true, ask()).await;
    assert_eq!((got.kind(), got.asked()), (None, vec![FIRST, FIRST]), "{got:?}");
    assert_eq!(*provider.rejected.lock().unwrap(), ["openrouter true"]);
    assert_eq!(call(&stack, true, ask()).await.asked(), [FIRST]);
    assert_eq!(raw.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_fresh_key_is_tried_and_no_more() {
    let (_raw, provider, stack) = stack(&["sk-stale", "sk-stale-2", "sk-good"], 3).await;
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.kind(), Some(FailureKind::Auth));
    assert_eq!(got.asked(), [FIRST, FIRST], "no other model takes another key");
    assert_eq!(provider.rejected.lock().unwrap().len(), 2, "it learns of each");
}

/// If a candidate is called once only, the next one at the same upstream has the fresh key.
#[tokio::test(start_paused = true)]
async fn the_fresh_key_stays_within_the_cap_of_a_candidate() {
    let (_raw, _, stack) = stack(&["sk-stale", "sk-good"], 1).await;
    let got = call(&stack, true, ask()).await;
    assert_eq!((got.kind(), got.asked()), (None, vec![FIRST, SECOND]), "{got:?}");
}
