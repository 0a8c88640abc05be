//! A thousand calls at once, and a million keys.

use std::{sync::Arc, time::Duration};

use http::Request;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    WorstCasePrice,
    budget::Budget,
    cost::{CostLayer, UnknownPrice},
    rate_limit::{Limits, Rate, RateLimitLayer},
};

use super::book_of;
use crate::support::{Leaf, TestRequest, ask, streamed, usd};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_calls_of_ten_cents_against_five_dollars() {
    let (budgets, book) = book_of([Budget::usd("all", "5.00").unwrap()]);
    let ten_cents = WorstCasePrice::new().fixed(usd("0.10"));
    let service = CostLayer::new()
        .budgets(budgets)
        .unknown_price(UnknownPrice::Assume(ten_cents))
        .layer(Leaf::new([]));
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let service = service.clone();
            // The answer is kept open: its ten cents stay held.
            tokio::spawn(async move { ask(&service, streamed()).await })
        })
        .collect();
    let mut open = Vec::new();
    for call in calls {
        open.extend(call.await.unwrap().ok());
    }
    assert_eq!(open.len(), 50);
    assert_eq!(book.accounts()[0].reserved, usd("5.00"));
    drop(open);
    assert_eq!(book.accounts()[0].reserved, usd("0"));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_keys_leave_the_limiter_bounded() {
    let limits = Limits::new().requests(Rate::new(10, Duration::from_secs(60)).unwrap());
    let key = |request: &Request<TestRequest>| request.body().model.as_deref().map(Arc::from);
    let layer = RateLimitLayer::new(limits, key).unwrap().max_keys(1_000).unwrap();
    let mut service = layer.layer(tower::service_fn(|_: Request<TestRequest>| async {
        Err::<http::Response<crate::support::ScriptBody>, _>(crate::support::fails(
            tower_llm_layers::FailureKind::BadRequest,
        ))
    }));
    let mut largest = 0;
    for number in 0..100_000_u32 {
        let mut request = Request::new(TestRequest::default());
        request.body_mut().model = Some(number.to_string());
        let call = service.ready().await.unwrap().call(request);
        // Unpolled: the key has been met all the same.
        drop(call);
        if number % 1_000 == 0 {
            largest = largest.max(layer.keys());
        }
    }
    assert!(largest <= 1_000, "{largest} keys");
    assert!(layer.keys() > 0);
}
