//! Requests that name very many models that the upstream may try by itself.

use std::sync::Arc;

use tower::Layer;
use tower_llm_layers::{
    Stage,
    budget::{Budget, Budgets, InMemoryBudgetStore, MODEL},
    cost::CostLayer,
};

use super::up_to;
use crate::support::{Beat, Leaf, Prices, Step, ask, charged, read, usd};

/// Each compared with each would take long here, at the reservation and again at the settlement. Every model is there twice.
#[tokio::test(start_paused = true)]
async fn many_alternatives_take_linear_time() {
    const COUNT: usize = 15_000;
    for is_soft in [false, true] {
        let book = InMemoryBudgetStore::new();
        let each = Budget::usd("each", "1").unwrap().each(MODEL);
        let each = if is_soft { each.soft() } else { each };
        let budgets = Budgets::in_store([each], Arc::new(book.clone())).unwrap();
        let layer = CostLayer::new().prices(Arc::new(Prices)).budgets(budgets);
        let answer = Step::body([Beat::Frame(Stage::Content), charged(100, 5, "0.25")]);
        let service = layer.layer(Leaf::new([answer]));
        let mut request = up_to("a", 10);
        let names = (0..2 * COUNT).map(|number| format!("m{}", number % COUNT));
        request.body_mut().alternatives = names.collect();
        let response = ask(&service, request).await.unwrap();
        let accounts = book.accounts();
        assert_eq!(accounts.len(), COUNT + 1);
        assert!(
            accounts.iter().all(|state| state.reserved > usd("0")),
            "soft: {is_soft}"
        );
        read(response.into_body()).await;
        let accounts = book.accounts();
        assert!(accounts.iter().all(|state| state.reserved == usd("0")));
        let spent: Vec<_> = accounts.iter().filter(|state| state.spent() > usd("0")).collect();
        assert_eq!(spent.len(), 1, "the one that answered");
        assert_eq!((&*spent[0].account, spent[0].spent()), ("model=a", usd("0.25")));
    }
}

/// An account that only warns, and has no room, is left out: of very many, in linear time as well.
#[tokio::test(start_paused = true)]
async fn many_alternatives_without_room_are_left_out_in_linear_time() {
    let book = InMemoryBudgetStore::with_room(0);
    let each = Budget::usd("each", "1").unwrap().each(MODEL).soft();
    let budgets = Budgets::in_store([each], Arc::new(book.clone())).unwrap();
    let layer = CostLayer::new().prices(Arc::new(Prices)).budgets(budgets);
    let service = layer.layer(Leaf::new([Step::ok()]));
    let mut request = up_to("a", 10);
    request.body_mut().alternatives = (0..30_000).map(|number| format!("m{number}")).collect();
    assert!(ask(&service, request).await.is_ok());
    assert!(book.accounts().is_empty());
}
