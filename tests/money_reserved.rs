//! Reserved is not spent, shortened is marked, and budgets remember: over the simulator's real sockets.

use std::{sync::Arc, time::Duration};

use crate::support::{FIRST, SECOND, World, ask, call, ledger::Kept, log::Log, prices};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::ServiceExt;
use tower_openrouter::{
    Catalogue, ChatServiceExt, FailureKind, Stack, UsdAmount,
    layers::{
        WorstCasePrice,
        budget::{Budget, Budgets, InMemoryBudgetStore, Window},
        cost::UnknownPrice,
        ledger::{Correction, Entry, Ledger},
    },
};

fn usd(text: &str) -> UsdAmount {
    text.parse().unwrap()
}

async fn catalogue(world: &World) -> Arc<Catalogue> {
    Arc::new(Catalogue::new(
        prices::account(&world.simulator).models().await.unwrap(),
    ))
}

fn day(dollars: &str) -> Budget {
    Budget::usd("day", dollars).unwrap().per(Window::Day)
}

/// So many short questions at once: how many were answered, how many of these were shortened, and a refusal.
async fn at_once(stack: &Stack, calls: usize) -> (usize, usize, Option<tower_openrouter::Error>) {
    let all: Vec<_> = (0..calls)
        .map(|_| {
            let stack = stack.clone();
            tokio::spawn(async move {
                let answer = stack.stream(ask()).await?;
                let is_shortened = answer.degraded().is_some();
                answer.text().await.map(|_| is_shortened)
            })
        })
        .collect();
    let (mut answered, mut shortened, mut refused) = (0, 0, None);
    for one in all {
        match one.await.unwrap() {
            Ok(is_shortened) => {
                answered += 1;
                shortened += usize::from(is_shortened);
            }
            Err(error) => refused = Some(error),
        }
    }
    (answered, shortened, refused)
}

#[tokio::test(start_paused = true)]
async fn twenty_short_questions_at_once_fit_five_dollars() {
    let world = World::new("delay=100ms;words=20").await;
    let builder = || world.builder().chain([FIRST]).budget(day("5.00"));
    let prices = catalogue(&world).await;
    let stack = builder().prices(prices).build().unwrap();
    let (answered, shortened, refused) = at_once(&stack, 20).await;
    assert_eq!((answered, shortened), (20, 0), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_reservations_that_are_larger_than_the_budget() {
    let world = World::new("delay=100ms;words=20").await;
    let builder = || {
        world
            .builder()
            .chain([FIRST])
            .budget(day("5.00"))
            .default_output_tokens(None)
    };
    let waits = builder()
        .prices(catalogue(&world).await)
        .max_reservation_wait(Duration::from_secs(60));
    let (answered, shortened, refused) = at_once(&waits.build().unwrap(), 20).await;
    assert_eq!((answered, shortened), (20, 0), "{refused:?}");

    // Without a wait the hint tells that the money comes back in a moment, and so it does.
    let refuses = builder()
        .prices(catalogue(&world).await)
        .max_reservation_wait(Duration::ZERO)
        .min_output_tokens(1_000_000);
    let stack = refuses.build().unwrap();
    let (answered, _, refused) = at_once(&stack, 20).await;
    let refused = refused.unwrap();
    assert!(answered < 20);
    assert_eq!(refused.kind(), FailureKind::BudgetExceeded);
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)), "{refused}");
    assert!(refused.message().contains("$0.00 is spent"), "{refused}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(call(&stack, true, ask()).await.error.is_none());
}

async fn over_http(stack: &Stack, tokens: Option<u64>) -> (StatusCode, HeaderMap) {
    let mut body = json!({"model": FIRST, "messages": [{"role": "user", "content": "Hello"}]});
    if let Some(tokens) = tokens {
        body["max_tokens"] = tokens.into();
    }
    let request = Request::post("/v1/chat/completions")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let response = stack.clone().into_openai_endpoint().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    body.collect().await.unwrap();
    (head.status, head.headers)
}

#[tokio::test(start_paused = true)]
async fn a_client_sees_what_was_shortened_and_what_was_limited() {
    let world = World::new("GOOD").await;
    let price = WorstCasePrice::new().answer_token(usd("0.001"));
    let stack = |dollars| {
        let builder = world.builder().chain([FIRST]).budget(day(dollars));
        builder.unknown_price(UnknownPrice::Assume(price)).build().unwrap()
    };
    let (status, headers) = over_http(&stack("0.5"), Some(1_000)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        headers["x-llm-degraded"],
        "source=shortened_answer; reason=budget_exceeded; max_tokens=500"
    );
    let (_, headers) = over_http(&stack("9"), None).await;
    assert_eq!(headers["x-llm-output-limit"], "max_tokens=8192; default");
    assert!(!headers.contains_key("x-llm-degraded"));
    let (_, headers) = over_http(&stack("9"), Some(10)).await;
    assert!(!headers.contains_key("x-llm-output-limit"));
    let (status, _) = over_http(&stack("0.25"), Some(1_000)).await;
    assert!(!status.is_success(), "250 tokens are no answer");
}

#[tokio::test(start_paused = true)]
async fn a_cheaper_candidate_gives_the_whole_before_the_first_is_shortened() {
    let world = World::new("GOOD").await;
    // 8 192 tokens of the first model are worth $0.08, those of the second half a cent.
    let stack = world.builder().chain([FIRST, SECOND]).prices(catalogue(&world).await);
    let stack = stack.budget(day("0.05")).build().unwrap();
    let answer = stack.stream(ask()).await.unwrap();
    assert!(answer.degraded().is_none());
    let log = answer.attempts().unwrap().attempts();
    assert_eq!(log.last().unwrap().candidate.as_ref().unwrap().model(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ends_at_the_default_length_is_marked() {
    let world = World::new("words=400").await;
    let stack = world.builder().chain([FIRST]).prices(catalogue(&world).await);
    let stack = stack.budget(day("9")).default_output_tokens(300).build().unwrap();
    for streamed in [true, false] {
        let got = call(&stack, streamed, ask()).await;
        let note = got.lines[0].note.as_deref().unwrap_or_default();
        assert!(
            note.contains("cut at 300 tokens, the default under a budget"),
            "{note:?}"
        );
    }
}

/// A stream that is left, at a price that is assumed: the ledger and the budget take the same number.
#[tokio::test(start_paused = true)]
async fn the_ledger_and_the_budget_agree_when_the_price_is_assumed() {
    let world = World::new("delay=1s;words=50").await;
    let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
    let budgets = Budgets::in_store([Budget::usd("all", "10").unwrap()], Arc::new(book.clone())).unwrap();
    let price = WorstCasePrice::new().answer_token(usd("0.0001")).max_answer(Some(100));
    let builder = world.builder().chain([FIRST]).ledger(kept.clone()).budgets(budgets);
    let stack = builder.unknown_price(UnknownPrice::Assume(price)).build().unwrap();
    let mut answer = stack.stream(ask()).await.unwrap();
    for _ in 0..3 {
        answer.next_text().await;
    }
    drop(answer);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (entry, state) = (kept.entries().remove(0), book.accounts().remove(0));
    assert!(entry.cost() > UsdAmount::ZERO);
    assert_eq!((entry.cost(), entry.recorded), (state.settled, state.settled));
    assert!(state.settled < usd("0.01"), "what was shown, and not the whole");
    assert_eq!(state.reserved, UsdAmount::ZERO);
}

#[tokio::test(start_paused = true)]
async fn answers_without_usage_are_priced_by_what_was_shown() {
    for streamed in [true, false] {
        let world = World::new("words=30;no-usage").await;
        let book = InMemoryBudgetStore::new();
        let budgets = Budgets::in_store([day("5.00")], Arc::new(book.clone())).unwrap();
        let builder = world.builder().chain([FIRST]).prices(catalogue(&world).await);
        let stack = builder.budgets(budgets).build().unwrap();
        for number in 0..50 {
            let got = call(&stack, streamed, ask()).await;
            assert!(got.error.is_none(), "streamed={streamed} {number}: {:?}", got.error);
        }
        let settled = book.accounts()[0].settled;
        assert!(settled > UsdAmount::ZERO && settled < usd("0.10"), "{settled}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_few_worst_cases_is_warned_about_when_the_stack_is_built() {
    let world = World::new("GOOD").await;
    let prices = catalogue(&world).await;
    let (log, _guard) = Log::listen("llm::budget=warn");
    // A name of this test's own: a process warns of each budget once.
    let budget = |dollars| Budget::usd("of-few-calls", dollars).unwrap().per(Window::Day);
    let build = |dollars| {
        let builder = world.builder().chain([SECOND, FIRST]).budget(budget(dollars));
        builder.prices(prices.clone()).build().unwrap()
    };
    build("5.00");
    assert_eq!(log.text(), "");
    build("0.50");
    let told = log.text();
    for part in [
        "carries few calls",
        "budget=\"of-few-calls\"",
        "cap=$0.50",
        FIRST,
        "calls=6",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_budgets_of_few_worst_cases_only_the_new_one_is_warned_about_when_the_stack_is_built_again() {
    let world = World::new("GOOD").await;
    let prices = catalogue(&world).await;
    let (log, _guard) = Log::listen("llm::budget=warn");
    let build = |budgets: usize| {
        let budget = |number| {
            Budget::usd(&format!("of-many/{number}"), "0.40")
                .unwrap()
                .per(Window::Day)
        };
        let builder = (0..budgets).fold(world.builder().chain([FIRST]), |builder, number| {
            builder.budget(budget(number))
        });
        builder.prices(prices.clone()).build().unwrap()
    };
    build(50);
    let first = log.text();
    assert_eq!(first.matches("carries few calls").count(), 1, "{first}");
    assert!(first.contains("budgets=50"), "{first}");
    build(50);
    assert_eq!(log.text(), first);
    build(51);
    let second = log.text().split_off(first.len());
    assert_eq!(second.matches("carries few calls").count(), 1, "{second}");
    assert!(
        second.contains("budgets=1 ") && second.contains("budget=\"of-many/50\""),
        "{second}"
    );
}

/// A ledger whose entries outlive the process.
#[derive(Debug)]
struct Durable;

impl Ledger for Durable {
    fn record(&self, _: &Entry) {}

    fn correct(&self, _: &Correction) {}

    fn is_durable(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn budgets_that_forget_are_refused_beside_a_ledger_that_remembers() {
    let world = World::new("GOOD").await;
    let builder = || {
        world
            .builder()
            .unknown_price(UnknownPrice::Allow)
            .ledger(Arc::new(Durable))
    };
    let error = builder().budget(day("5")).build().unwrap_err().to_string();
    assert!(error.contains("ledger.restore(&budgets).await"), "{error}");
    let budgets = Budgets::new([day("5")]).unwrap();
    assert!(builder().budgets(budgets.clone()).build().is_err());
    // An empty ledger has something to say, too.
    budgets.refill([]);
    assert!(builder().budgets(budgets).build().is_ok());
    assert!(builder().build().is_ok(), "without budgets there is nothing to forget");
}
