//! What calls cost, over the simulator's real sockets: entries, budgets, and its own bill.

use std::sync::Arc;

use crate::support::{
    FIRST, SECOND, World, ask, call,
    ledger::{Kept, bill},
};
use tower_openrouter::{
    ChatRequest, ChatServiceExt, FailureKind, Tags, UsdAmount,
    layers::{
        DegradedSource, WorstCasePrice,
        budget::{Budget, Budgets, Window},
        cost::UnknownPrice,
        ledger::{EntryOutcome, EntryState},
    },
    stack::CallTags,
};

fn usd(text: &str) -> UsdAmount {
    text.parse().unwrap()
}

/// A price that is the same for all models: so much for each token of the answer.
fn worst_case(answer_token: &str) -> UnknownPrice {
    UnknownPrice::Assume(
        WorstCasePrice::new()
            .answer_token(usd(answer_token))
            .max_answer(Some(100)),
    )
}

#[tokio::test(start_paused = true)]
async fn every_answer_is_recorded_at_the_upstreams_own_bill() {
    let world = World::new("GOOD").await;
    let kept = Kept::new();
    let stack = world
        .builder()
        .chain([FIRST, SECOND])
        .ledger(kept.clone())
        .build()
        .unwrap();
    for streamed in [true, false] {
        let tagged = ask().tags(Tags::new([("team", "search")]).unwrap());
        assert!(call(&stack, streamed, tagged).await.error.is_none());
        let entries = kept.entries();
        let entry = entries.last().unwrap();
        assert_eq!(
            (entry.state, entry.outcome),
            (EntryState::Settled, EntryOutcome::Answered)
        );
        assert_eq!((&*entry.upstream, &*entry.model), ("openrouter", FIRST));
        assert_eq!((entry.attempt, entry.streamed), (1, streamed));
        assert_eq!(entry.tags.get("team"), Some("search"));
        assert!(entry.bill.unwrap() > UsdAmount::ZERO);
        assert!(entry.generation_id.as_deref().unwrap().starts_with("gen-"));
        assert!(entry.first_token.is_some());
        assert!(entry.usage.prompt > 0 && entry.usage.answer > 0);
    }
    assert_eq!(kept.entries().len(), 2);
    assert_ne!(kept.entries()[0].call, kept.entries()[1].call);
    assert_eq!(kept.total(), bill(&world.simulator));
}

#[tokio::test(start_paused = true)]
async fn what_an_attempt_cost_stands_in_the_log() {
    let world = World::new("GOOD").await;
    let got = call(&world.alone(), true, ask()).await;
    let cost = got.lines[0].cost.unwrap();
    assert_eq!(cost.pico(), bill(&world.simulator));
    assert!(!got.lines[0].cost_is_estimate);
    assert!(got.lines[0].to_string().contains(&cost.to_string()), "{}", got.lines[0]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_an_entry_of_its_own() {
    let world = World::new("503").await;
    let kept = Kept::new();
    let stack = world
        .builder()
        .chain([FIRST, SECOND])
        .ledger(kept.clone())
        .build()
        .unwrap();
    let got = call(&stack, true, ask()).await;
    assert!(got.error.is_none());
    let entries = kept.entries();
    assert_eq!(entries.len(), got.asked().len());
    let (failed, answered) = entries.split_at(entries.len() - 1);
    for (number, entry) in (1..).zip(failed) {
        assert_eq!(entry.outcome, EntryOutcome::Failed(FailureKind::Overloaded));
        assert_eq!((entry.state, entry.cost()), (EntryState::Settled, UsdAmount::ZERO));
        assert_eq!((entry.attempt, &*entry.model), (number, FIRST));
        assert_eq!(entry.call, answered[0].call);
    }
    assert_eq!(&*answered[0].model, SECOND);
    assert_eq!(kept.total(), bill(&world.simulator));
}

#[tokio::test(start_paused = true)]
async fn tags_are_extracted_from_the_request_and_its_own_count_first() {
    let world = World::new("GOOD").await;
    let kept = Kept::new();
    let tags = CallTags::new(|headers, _| {
        let tenant = headers.get("x-tenant")?.to_str().ok()?;
        Tags::new([("tenant", tenant), ("team", "unknown")]).ok()
    });
    let stack = world
        .builder()
        .chain([FIRST])
        .tags(tags)
        .ledger(kept.clone())
        .build()
        .unwrap();
    let own = ask().stream(true).tags(Tags::new([("team", "search")]).unwrap());
    let mut request = own.into_http();
    request.headers_mut().insert("x-tenant", "acme".parse().unwrap());
    let response = tower::ServiceExt::oneshot(stack, request).await.unwrap();
    assert!(tower_openrouter::Answer::new(response).text().await.is_ok());
    assert_eq!(kept.entries()[0].tags.to_string(), "team=search tenant=acme");
}

#[tokio::test(start_paused = true)]
async fn a_budget_shortens_an_answer_before_it_refuses_one() {
    let world = World::new("GOOD").await;
    let kept = Kept::new();
    let budget = Budget::usd("all", "0.60").unwrap().per(Window::Day);
    let price = WorstCasePrice::new().answer_token(usd("0.002"));
    let stack = world
        .builder()
        .chain([FIRST])
        .budget(budget)
        .unknown_price(UnknownPrice::Assume(price))
        .ledger(kept.clone())
        .build()
        .unwrap();
    // A thousand tokens at 0.2 cents would be two dollars: three hundred fit.
    let answer = stack.stream(ask().max_tokens(1_000)).await.unwrap();
    let mark = answer.degraded().unwrap();
    assert_eq!(mark.source, DegradedSource::ShortenedAnswer);
    assert_eq!(
        (mark.reason, mark.max_tokens),
        (Some(FailureKind::BudgetExceeded), Some(300))
    );
    let note = answer.attempts().unwrap().attempts()[0].note.clone();
    assert_eq!(note.as_deref(), Some("max_tokens lowered to 300 to fit a budget"));
    assert!(answer.text().await.is_ok());
    let seen = world.simulator.report();
    let sent = String::from_utf8(seen.attempts[0].body.to_vec()).unwrap();
    assert!(sent.contains("\"max_tokens\":300"), "{sent}");
    assert_eq!(kept.entries()[0].clamped_to, Some(300));
    assert_eq!(kept.entries()[0].reserved, usd("0.60"));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_no_budget_carries_is_not_sent() {
    let world = World::new("GOOD").await;
    let kept = Kept::new();
    let budget = Budget::usd("tenant-day", "0.01")
        .unwrap()
        .per(Window::Day)
        .each("tenant");
    let stack = world
        .builder()
        .chain([FIRST])
        .budget(budget)
        .unknown_price(worst_case("0.002"))
        .ledger(kept.clone())
        .build()
        .unwrap();
    let tagged = || ask().max_tokens(100).tags(Tags::new([("tenant", "acme")]).unwrap());
    let error = call(&stack, true, tagged()).await.error.unwrap();
    assert_eq!(error.kind(), FailureKind::BudgetExceeded);
    let told = error.report();
    for part in [
        "`tenant-day` of tenant=acme",
        "at least $0.20",
        "of $0.01 $0.00 is spent, $0.00 is reserved for attempts in flight, and $0.01 is free",
        "more than the whole budget",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!((world.simulator.report().attempts.len(), kept.entries().len()), (0, 0));
    // The budget is not for a call without the tag.
    assert!(call(&stack, true, ask()).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn budgets_without_prices_fail_at_the_start() {
    let world = World::new("GOOD").await;
    let budgets = || [Budget::usd("a", "1").unwrap(), Budget::usd("a", "2").unwrap()];
    let [one, two] = budgets();
    let error = world.builder().budget(one.clone()).build().unwrap_err();
    assert!(error.to_string().contains(".prices("), "{error}");
    let twice = world
        .builder()
        .budget(one)
        .budget(two)
        .unknown_price(UnknownPrice::Allow)
        .build();
    assert!(twice.unwrap_err().to_string().contains("two budgets named `a`"));
    assert!(Budgets::new(budgets()).is_err());
    let [one, _] = budgets();
    let whole = || {
        world
            .builder()
            .budgets(Budgets::new([one.clone()]).unwrap())
            .unknown_price(UnknownPrice::Allow)
    };
    assert!(whole().build().is_ok());
    for besides in [
        whole().budget(one.clone()),
        whole().budget_store(Arc::new(tower_openrouter::layers::budget::InMemoryBudgetStore::new())),
    ] {
        let error = besides.build().unwrap_err();
        assert!(error.to_string().contains("`budgets` is set"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_price_below_zero_is_not_assumed() {
    let world = World::new("GOOD").await;
    let build = |answer_token| {
        let day = Budget::usd("day", "5").unwrap();
        world
            .builder()
            .budget(day)
            .unknown_price(worst_case(answer_token))
            .build()
    };
    let error = build("-0.000001").unwrap_err();
    assert!(error.to_string().contains("assumes a price below zero"), "{error}");
    assert!(build("0").is_ok());
}

#[tokio::test(start_paused = true)]
async fn two_stacks_share_a_store() {
    let world = World::new("GOOD").await;
    let book = tower_openrouter::layers::budget::InMemoryBudgetStore::new();
    let stack = || {
        let budget = Budget::usd("all", "0.1").unwrap();
        world
            .builder()
            .chain([FIRST])
            .budget(budget)
            .budget_store(Arc::new(book.clone()))
            .unknown_price(worst_case("0.001"))
            .build()
            .unwrap()
    };
    let held = stack().stream(ask().max_tokens(100)).await.unwrap();
    let refused = stack().stream(ask()).await.unwrap_err();
    assert_eq!(refused.kind(), FailureKind::BudgetExceeded);
    assert_eq!(book.accounts()[0].reserved, usd("0.1"));
    drop(held);
    assert_eq!(book.accounts()[0].reserved, UsdAmount::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_names_no_length_gets_the_default_one() {
    let world = World::new("GOOD").await;
    let builder = world.builder().chain([FIRST]).budget(Budget::usd("all", "9").unwrap());
    let stack = builder
        .unknown_price(worst_case("0.001"))
        .default_output_tokens(40)
        .build()
        .unwrap();
    for (request, expected) in [
        (ask(), "\"max_tokens\":40"),
        (ask().max_tokens(70), "\"max_tokens\":70"),
    ] {
        assert!(
            call::<_>(&stack, true, ChatRequest::clone(&request))
                .await
                .error
                .is_none()
        );
        let seen = world.simulator.report();
        let sent = String::from_utf8(seen.attempts.last().unwrap().body.to_vec()).unwrap();
        assert!(sent.contains(expected), "{sent}");
    }
}
