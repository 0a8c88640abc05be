//! What budgets are filled with again, in whichever database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tower_llm_layers::{
    Tags, UsdAmount, UtcTime,
    budget::{AccountRef, Budget, BudgetStore, Budgets, Decision, InMemoryBudgetStore, ReserveRequest, Window},
    ledger::Ledger,
};
use tower_llm_ledger::{Filter, LedgerOptions};

use super::{entry, until};

const DAY: Duration = Duration::from_secs(86_400);

/// Everything below, one after another, in ledgers that begin empty.
pub(crate) async fn hold(options: impl Fn(&'static str) -> LedgerOptions) {
    budgets_are_filled_by_few_sums(options("filled")).await;
    sums_of_forgotten_entries_keep_the_tags_of_budgets(options("kept")).await;
}

/// A store that counts how often it is filled.
#[derive(Debug)]
struct Counting {
    store: InMemoryBudgetStore,
    refills: AtomicU64,
}

impl BudgetStore for Counting {
    fn reserve(&self, ask: ReserveRequest) -> Decision {
        self.store.reserve(ask)
    }

    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime) {
        self.refills.fetch_add(1, Ordering::Relaxed);
        self.store.adjust(lines, by, at);
    }
}

impl Counting {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            store: InMemoryBudgetStore::new(),
            refills: AtomicU64::new(0),
        })
    }

    fn refills(&self) -> u64 {
        self.refills.load(Ordering::Relaxed)
    }

    /// What is settled on each account of the budget.
    fn settled(&self, budget: &str) -> Vec<(String, i128)> {
        let accounts = self.store.accounts_of(budget).into_iter();
        let mut settled: Vec<_> = accounts
            .map(|(_, state)| (state.account, state.settled.pico()))
            .collect();
        settled.sort();
        settled
    }
}

fn account(name: &str, pico: i128) -> (String, i128) {
    (name.to_owned(), pico)
}

async fn budgets_are_filled_by_few_sums(options: LedgerOptions) {
    let ledger = options.open().await.unwrap();
    let now = UtcTime::now();
    for number in 0..2_000_u64 {
        let mut entry = entry(if number % 4 < 2 { "a/b" } else { "c/d" }, 0);
        // Ahead of this clock, too: they count as now.
        entry.ended = now
            .after(Duration::from_millis(100))
            .before(Duration::from_millis(number));
        entry.recorded = UsdAmount::from_pico(i128::from(number));
        entry.tags = Tags::new([("team", ["search", "support"][usize::from(number % 2 == 0)])]).unwrap();
        ledger.record(&entry);
    }
    until(|| ledger.written() == 2_000).await;
    let counting = Counting::new();
    let budgets = [
        Budget::usd("all", "100").unwrap(),
        Budget::usd("each", "100").unwrap().each("team"),
        Budget::usd("day", "100")
            .unwrap()
            .per(Window::Rolling(DAY))
            .each("model"),
    ];
    let store = Arc::clone(&counting);
    let budgets = Budgets::in_store(budgets, store).unwrap();
    assert_eq!(ledger.restore(&budgets).await.unwrap().recorded, 2_000);
    assert_eq!(counting.settled("all"), [account("", 1_999_000)]);
    let teams = [account("team=search", 1_000_000), account("team=support", 999_000)];
    assert_eq!(counting.settled("each"), teams);
    let models = [account("model=a/b", 998_500), account("model=c/d", 1_000_500)];
    assert_eq!(counting.settled("day"), models);
    // Two models of two teams, in two parts of the day at most.
    assert!(counting.refills() <= 8, "{} of 2 000 entries", counting.refills());
    ledger.close().await;
}

async fn sums_of_forgotten_entries_keep_the_tags_of_budgets(options: LedgerOptions) {
    let ledger = options.open().await.unwrap();
    let now = UtcTime::now();
    for number in 0..1_200_u64 {
        let mut entry = entry("a/b", 0);
        entry.ended = now.before(400 * DAY);
        entry.recorded = UsdAmount::from_pico(10);
        let team = if number % 3 == 0 { "search" } else { "a \"100%\" team" };
        let request = number.to_string();
        entry.tags = Tags::new([("team", team), ("request", &*request)]).unwrap();
        ledger.record(&entry);
    }
    until(|| ledger.written() == 1_200).await;
    let forgotten = ledger.forget_before_keeping(now.before(DAY), &["team"]).await.unwrap();
    assert_eq!(forgotten.entries, 1_200);
    let filled = async |filter: Filter| {
        let counting = Counting::new();
        let store = Arc::clone(&counting);
        let budgets = [
            Budget::usd("each", "100").unwrap().each("team"),
            Budget::usd("request", "100").unwrap().each("request"),
        ];
        let budgets = Budgets::in_store(budgets, store).unwrap();
        ledger.restore_of(&budgets, &filter).await.unwrap();
        (
            counting.settled("each"),
            counting.settled("request"),
            counting.refills(),
        )
    };
    let teams = [account("team=a \"100%\" team", 8_000), account("team=search", 4_000)];
    assert_eq!(
        filled(Filter::new()).await,
        (teams.to_vec(), vec![], 2),
        "one sum for each team"
    );
    let of_team = Filter::new().tag("team", "a \"100%\" team");
    assert_eq!(
        filled(of_team).await,
        (teams[..1].to_vec(), vec![], 1),
        "no other is read"
    );
    ledger.close().await;
}
