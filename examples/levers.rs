//! Every lever to spend less, and what it saves: the same questions without it and with it, against the bill.
//!
//! ```sh
//! cargo run --release --example levers
//! ```
//!
//! The guide that explains them is `docs/spend-less.md`.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use std::{sync::Arc, time::Duration};

use tower_openrouter::{
    ChatRequest, ChatServiceExt, FailureKind, Stack, UsdAmount,
    layers::{
        WorstCasePrice,
        budget::{Budget, InMemoryBudgetStore},
        cost::UnknownPrice,
        ledger::MemoryLedger,
    },
    request::{CacheControl, Effort, Message, Part, ProviderPreferences, Reasoning, ServiceTier},
};

const DEAR: &str = "anthropic/claude-sonnet-4.5";
const CHEAP: &str = "openai/gpt-4o-mini";
const GPT: &str = "openai/gpt-5";
const FREE: &str = "demo/model:free";
/// Questions asked in each case.
const TIMES: usize = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    // What is measured is money: the simulator need not take its time.
    let at_once = [DEAR, CHEAP, GPT, "openai/gpt-5:floor", FREE].map(|model| (model, "delay=0ms"));
    let place = support::place(&at_once).await?;
    let question = || ChatRequest::user("Why is the sky blue?").model(DEAR);
    let openai = || ChatRequest::user("Why is the sky blue?").model(GPT);
    println!("{:<44} {:>12} {:>12} {:>8}", "lever", "without", "with", "saved");

    let tight = question().max_tokens(40);
    compare(&place, "a tight max_tokens", question(), tight).await?;
    let cheap = question().model(CHEAP);
    compare(&place, "a cheaper model first in the chain", question(), cheap).await?;
    let free = question().model(FREE);
    compare(&place, "a `:free` variant", question(), free).await?;
    compare(&place, "`:floor`", openai(), openai().model("openai/gpt-5:floor")).await?;
    let flex = openai().service_tier(ServiceTier::Flex);
    compare(&place, "service_tier flex", openai(), flex).await?;
    let effort = |effort| question().reasoning(Reasoning::effort(effort));
    compare(
        &place,
        "reasoning effort low instead of high",
        effort(Effort::High),
        effort(Effort::Low),
    )
    .await?;
    compare(
        &place,
        "the prompt marked for the cache",
        long_prompt(false),
        long_prompt(true),
    )
    .await?;
    let kept = question().keep_response(Duration::from_secs(300));
    compare(&place, "the router's own cache of answers", question(), kept).await?;

    // What must not be paid is refused, and the next one answers.
    let dollar = ProviderPreferences::new().max_price("1", "3")?;
    let capped = question().provider(dollar.clone());
    let stack = place.stack().chain([DEAR]).build()?;
    match stack.stream(capped.clone()).await {
        Err(error) if error.kind() == FailureKind::NoEndpoint => {
            println!("\nmax_price of $1 and $3 a million: {}", error.message());
        }
        _ => println!("\nmax_price of $1 and $3 a million: {DEAR} answers for that"),
    }
    compare(&place, "max_price, and a cheap model after", question(), capped).await?;
    cap(&place).await
}

/// A budget shortens an answer rather than refuse it, and marks it; what is spent, reserved and free is shown.
async fn cap(place: &support::Place) -> support::Fallible {
    let book = InMemoryBudgetStore::new();
    // A dollar for a thousand tokens of answer: half of what is requested.
    let price = WorstCasePrice::new().answer_token("0.001".parse()?);
    let stack = place
        .stack()
        .chain([DEAR])
        .budget(Budget::usd("demo", "0.50")?)
        .budget_store(Arc::new(book.clone()))
        .unknown_price(UnknownPrice::Assume(price))
        .build()?;
    let answer = stack
        .stream(ChatRequest::user("Why is the sky blue?").max_tokens(1_000))
        .await?;
    if let Some(mark) = answer.degraded() {
        println!("\na budget of $0.50 for an answer worth $1.00: {mark}");
    }
    let show = |when| {
        for state in book.accounts() {
            let free = state.free();
            println!(
                "  {when}: {} spent, {} reserved, {free} free",
                state.settled, state.reserved
            );
        }
    };
    show("while it runs");
    answer.text().await?;
    show("after it");
    Ok(())
}

/// The same prompt of some thousand words before each question.
fn long_prompt(marked: bool) -> ChatRequest {
    let manual = "The manual explains the settings of the machine. ".repeat(250);
    let part = if marked {
        Part::cached_text(manual, CacheControl::ephemeral())
    } else {
        Part::text(manual)
    };
    ChatRequest::new([Message::system([part]), Message::user("And the sky?")])
        .model(DEAR)
        .session_id("a-conversation")
}

/// Asks a few times without and with a lever, each over a stack and a ledger of its own.
async fn compare(place: &support::Place, lever: &str, without: ChatRequest, with: ChatRequest) -> support::Fallible {
    let (without, with) = (cost(place, &without).await?, cost(place, &with).await?);
    let saved = if without == UsdAmount::ZERO {
        0
    } else {
        100 - with.pico() * 100 / without.pico()
    };
    println!(
        "{lever:<44} {:>12} {:>12} {saved:>6} %",
        without.to_string(),
        with.to_string()
    );
    Ok(())
}

async fn cost(place: &support::Place, request: &ChatRequest) -> support::Fallible<UsdAmount> {
    let ledger = MemoryLedger::new();
    let stack: Stack = place.stack().chain([CHEAP]).ledger(Arc::new(ledger.clone())).build()?;
    for _ in 0..TIMES {
        stack.stream(request.clone()).await?.text().await?;
    }
    Ok(ledger.total().cost)
}
