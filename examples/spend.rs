//! Two tenants with budgets and tags run a burst; at the end the ledger shows what each spent, and the upstream's own bill is the same.
//!
//! ```sh
//! cargo run --release --example spend
//! ```
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tower_openrouter::{
    Account, Catalogue, ChatRequest, ChatServiceExt, FailureKind, Stack, Tags, Transport,
    layers::{
        Degraded,
        budget::{Budget, InMemoryBudgetStore, Window},
        ledger::{GroupBy, MemoryLedger, SpendRow},
    },
};

const MODELS: [&str; 2] = ["anthropic/claude-sonnet-4.5", "openai/gpt-4o-mini"];
/// Calls of each tenant.
const CALLS: usize = 40;
/// Calls at once.
const AT_ONCE: usize = 8;

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    // In the simulator the first model fails now and then: then the second one answers, and both attempts are recorded.
    let place = support::place(&[(MODELS[0], "20%503;retry-after=0")]).await?;
    let account = Account::new(
        Transport::builder().upstream(place.upstream.clone()).build()?,
        place.upstream.clone(),
        Some(place.key.clone()),
    );
    let catalogue = Catalogue::new(account.models().await?);
    let ledger = MemoryLedger::new();
    let book = InMemoryBudgetStore::new();
    let stack = place
        .stack()
        .chain(MODELS)
        .prices(Arc::new(catalogue))
        .budget(Budget::usd("tenant-day", "0.05")?.per(Window::Day).each("tenant"))
        .budget(
            Budget::usd("search-month", "2.00")?
                .per(Window::Month)
                .only("team", "search"),
        )
        .budget_store(Arc::new(book.clone()))
        .ledger(Arc::new(ledger.clone()))
        .build()?;

    let calls = (0..CALLS).flat_map(|number| ["acme", "globex"].map(|tenant| (tenant, number)));
    let ends: Vec<_> = stream::iter(calls)
        .map(|(tenant, number)| ask(&stack, tenant, number))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let (mut answered, mut mark, mut refused) = (0, None, None);
    for end in ends {
        match end? {
            End::Whole => answered += 1,
            End::Shortened(with) => (answered, mark) = (answered + 1, Some(with)),
            End::Refused(refusal) => refused = Some(refusal),
        }
    }

    println!("{answered} of {} calls were answered", 2 * CALLS);
    if let Some(mark) = mark {
        println!("some were shortened to fit a budget, and say so:\n  {mark}");
    }
    if let Some(refusal) = refused {
        println!("the others were refused, such as:\n  {refusal}");
    }
    for (title, by) in [
        ("tenant", GroupBy::Tag("tenant".into())),
        ("team", GroupBy::Tag("team".into())),
        ("model", GroupBy::Model),
    ] {
        table(title, &ledger.spend(&by));
    }
    println!("\nbudgets");
    for state in book.accounts() {
        println!(
            "  {:<13} {:<14} {:>14} of {} spent, {} reserved, {} free",
            state.budget.name(),
            state.account,
            state.settled.to_string(),
            state.budget.cap(),
            state.reserved,
            state.free()
        );
    }

    let total = ledger.total();
    println!(
        "\nthe ledger's total:  {} ({} of it estimated)",
        total.cost, total.estimated
    );
    if let Some(simulator) = &place.simulator {
        let billed = simulator.billed_total();
        println!("the upstream's bill: ${billed}");
        if total.cost.pico() != i128::from(billed.pico()) {
            return Err("the ledger and the bill differ".into());
        }
    }
    Ok(())
}

/// How one call ended.
enum End {
    Whole,
    /// A budget carried a shorter answer only.
    Shortened(Degraded),
    /// No budget carried it.
    Refused(String),
}

async fn ask(stack: &Stack, tenant: &str, number: usize) -> support::Fallible<End> {
    let team = if number.is_multiple_of(3) { "search" } else { "support" };
    let request = ChatRequest::user(format!("Question {number}: why is the sky blue?"))
        .max_tokens(600)
        .tags(Tags::new([("tenant", tenant), ("team", team)])?);
    let answer = match stack.stream(request).await {
        Ok(answer) => answer,
        Err(error) if error.kind() == FailureKind::BudgetExceeded => {
            return Ok(End::Refused(error.message().to_owned()));
        }
        Err(error) => return Err(error.report().into()),
    };
    let mark = answer.degraded();
    answer.text().await?;
    Ok(mark.map_or(End::Whole, End::Shortened))
}

fn table(title: &str, rows: &[SpendRow]) {
    println!(
        "\n{title:<28} {:>8} {:>14} {:>14} {:>8} {:>8}",
        "attempts", "cost", "lost", "prompt", "answer"
    );
    for SpendRow { group, spend } in rows {
        println!(
            "{group:<28} {:>8} {:>14} {:>14} {:>8} {:>8}",
            spend.attempts,
            spend.cost.to_string(),
            spend.lost.to_string(),
            spend.prompt_tokens,
            spend.answer_tokens
        );
    }
}
