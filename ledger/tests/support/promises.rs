//! What holds for a ledger in whichever database.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastrand::Rng;
use tower_llm_layers::{
    Tags, TokenUsage, UsdAmount, UtcTime,
    budget::{Budget, Budgets, InMemoryBudgetStore, Window},
    ledger::{Correction, Entry, EntryState, GroupBy, Ledger, Spend},
    reconcile::{BillFuture, BillSource, Reconciler},
};
use tower_llm_ledger::{DatabaseLedger, Filter, LedgerOptions};

use super::{NOW, any_entry, entry};

/// Everything below, one after another, in ledgers that begin empty.
pub(crate) async fn hold(options: impl Fn(&'static str) -> LedgerOptions) {
    what_goes_in_comes_out(options("round_trip")).await;
    sums_are_exact(options("sums")).await;
    amounts_past_a_column_are_summed(options("large")).await;
    a_correction_takes_the_estimates_place(options("corrected")).await;
    a_bill_that_is_left_changes_only_what_is_recorded(options("delayed")).await;
    a_bill_is_claimed_by_one_of_several_processes(|| options("claimed")).await;
    it_is_the_same_after_a_restart(|| options("restarted")).await;
    a_stalled_queue_loses_and_counts(options("stalled")).await;
    many_at_once_are_all_written(options("many")).await;
    what_is_forgotten_stays_spent(options("forgotten")).await;
}

/// The group that an entry should be in.
type GroupOf = dyn Fn(&Entry) -> Option<String>;

async fn written(ledger: &DatabaseLedger, count: u64) {
    while ledger.written() < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn what_goes_in_comes_out(options: LedgerOptions) {
    let ledger = options.open().await.unwrap();
    let mut rng = Rng::with_seed(7);
    let mut entries: Vec<Entry> = (0..2_500).map(|_| any_entry(&mut rng)).collect();
    for entry in &entries {
        ledger.record(entry);
    }
    written(&ledger, 2_500).await;
    entries.sort_by_key(|entry| (entry.ended, entry.id.to_string()));
    let mut read = Vec::new();
    loop {
        let page = ledger.page(&Filter::new(), read.last()).await.unwrap();
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    assert_eq!(read, entries);
    let recent = ledger
        .recent(&Filter::new().model("a/b").tag("team", "search"), 10)
        .await
        .unwrap();
    let wanted = entries
        .iter()
        .rev()
        .filter(|entry| &*entry.model == "a/b" && entry.tags.get("team") == Some("search"));
    assert_eq!(recent, wanted.take(10).cloned().collect::<Vec<_>>());
    let awaiting = ledger
        .awaiting_bill(NOW.after(Duration::from_secs(3600)))
        .await
        .unwrap();
    let since = |entry: &&Entry| entry.ended >= NOW.after(Duration::from_secs(3600)) && entry.awaits_bill();
    assert_eq!(
        awaiting,
        entries.iter().rev().filter(since).cloned().collect::<Vec<_>>()
    );
    assert_eq!(ledger.close().await.written, 2_500);
}

async fn sums_are_exact(options: LedgerOptions) {
    let ledger = options.open().await.unwrap();
    let mut rng = Rng::with_seed(11);
    let entries: Vec<Entry> = (0..700).map(|_| any_entry(&mut rng)).collect();
    for entry in &entries {
        ledger.record(entry);
    }
    written(&ledger, 700).await;
    let filters = [
        Filter::new(),
        Filter::new()
            .from(NOW.after(Duration::from_secs(50_000)))
            .until(NOW.after(Duration::from_secs(90_000))),
        Filter::new().upstream("openai").tag("team", "support"),
    ];
    let meant: [fn(&Entry) -> bool; 3] = [
        |_| true,
        |entry| {
            let span = NOW.after(Duration::from_secs(50_000))..NOW.after(Duration::from_secs(90_000));
            span.contains(&entry.ended)
        },
        |entry| &*entry.upstream == "openai" && entry.tags.get("team") == Some("support"),
    ];
    let cut = |at: UtcTime, length: usize| at.to_string().chars().take(length).collect::<String>();
    for (filter, meant) in filters.iter().zip(meant) {
        let ways: [(GroupBy, Box<GroupOf>); 6] = [
            (GroupBy::Model, Box::new(|entry| Some(entry.model.to_string()))),
            (GroupBy::Upstream, Box::new(|entry| Some(entry.upstream.to_string()))),
            (
                GroupBy::Provider,
                Box::new(|entry| Some(entry.provider.as_deref().unwrap_or("(none)").to_owned())),
            ),
            (
                GroupBy::Tag("team".into()),
                Box::new(|entry| Some(entry.tags.get("team").unwrap_or("(none)").to_owned())),
            ),
            (GroupBy::Day, Box::new(move |entry| Some(cut(entry.ended, 10)))),
            (GroupBy::Hour, Box::new(move |entry| Some(cut(entry.ended, 13)))),
        ];
        for (by, group) in ways {
            let mut expected: BTreeMap<String, Spend> = BTreeMap::new();
            for entry in entries.iter().filter(|entry| meant(entry)) {
                if let Some(group) = group(entry) {
                    expected.entry(group).or_default().add(entry);
                }
            }
            let rows = ledger.spend(&by, filter).await.unwrap();
            assert!(rows.is_sorted_by(|one, next| one.spend.cost >= next.spend.cost));
            let rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.group, row.spend)).collect();
            assert_eq!(rows, expected, "{by:?} {filter:?}");
        }
        let mut total = Spend::default();
        entries
            .iter()
            .filter(|entry| meant(entry))
            .for_each(|entry| total.add(entry));
        assert_eq!(ledger.total(filter).await.unwrap(), total);
    }
    ledger.close().await;
}

async fn amounts_past_a_column_are_summed(options: LedgerOptions) {
    let ledger = options.open().await.unwrap();
    // Nine million dollars each: three are more pico-dollars than a column holds.
    let large = 9_000_000 * 1_000_000_000_000_i128 + 123_456_789_012;
    for _ in 0..3 {
        ledger.record(&entry("a/b", large));
    }
    written(&ledger, 3).await;
    let total = ledger.total(&Filter::new()).await.unwrap();
    assert_eq!(total.cost, UsdAmount::from_pico(3 * large));
    ledger.close().await;
}

fn estimate() -> Entry {
    let mut entry = entry("a/b", 0);
    entry.state = EntryState::Estimated;
    entry.bill = None;
    entry.estimate = Some(UsdAmount::from_pico(5));
    entry
}

async fn a_correction_takes_the_estimates_place(options: LedgerOptions) {
    let ledger = options.flush_every(Duration::from_secs(1)).open().await.unwrap();
    let (mut first, mut second) = (estimate(), estimate());
    for entry in [&mut first, &mut second] {
        (entry.usage.cache_written, entry.usage.cache_written_1h) = (500, 500);
    }
    // One is corrected before it is written, one after.
    ledger.record(&first);
    let bill = UsdAmount::from_pico(77);
    // One bill has counts: none of the estimate's stands beside them.
    let (counted, mut usage) = (first.id, TokenUsage::new(12, 3));
    usage.charged = Some(bill);
    let correction = |entry: &Entry| Correction::new(entry.id, NOW, bill, (entry.id == counted).then_some(usage));
    ledger.correct(&correction(&first));
    written(&ledger, 2).await;
    ledger.record(&second);
    written(&ledger, 3).await;
    ledger.correct(&correction(&second));
    ledger.correct(&correction(&estimate()));
    written(&ledger, 5).await;
    for mut entry in [first, second] {
        correction(&entry).apply(&mut entry);
        let read = ledger.page(&Filter::new(), None).await.unwrap();
        assert!(read.contains(&entry), "{read:?}");
    }
    assert_eq!(ledger.stray_corrections(), 1);
    assert!(ledger.awaiting_bill(UtcTime::from_millis(0)).await.unwrap().is_empty());
    ledger.close().await;
}

async fn a_bill_that_is_left_changes_only_what_is_recorded(options: LedgerOptions) {
    let ledger = options.open().await.unwrap();
    let pico = UsdAmount::from_pico;
    let (mut left, mut billed) = (estimate(), estimate());
    for entry in [&mut left, &mut billed] {
        entry.recorded = pico(50);
        ledger.record(entry);
    }
    let deferred = |entry: &Entry| Correction::deferred(entry.id, NOW, pico(5));
    let bill = Correction::new(billed.id, NOW, pico(7), None);
    // One comes late: another process has had the bill.
    for correction in [deferred(&left), bill.clone(), deferred(&billed)] {
        ledger.correct(&correction);
    }
    written(&ledger, 5).await;
    deferred(&left).apply(&mut left);
    assert_eq!((left.recorded, left.awaits_bill()), (pico(5), true));
    bill.apply(&mut billed);
    let before = billed.clone();
    deferred(&billed).apply(&mut billed);
    assert_eq!(billed, before);
    let read = ledger.page(&Filter::new(), None).await.unwrap();
    assert!(
        read.len() == 2 && read.contains(&left) && read.contains(&billed),
        "{read:?}"
    );
    assert_eq!(ledger.awaiting_bill(UtcTime::from_millis(0)).await.unwrap(), [left]);
    assert_eq!(ledger.stray_corrections(), 0);
    ledger.close().await;
}

async fn a_bill_is_claimed_by_one_of_several_processes(options: impl Fn() -> LedgerOptions) {
    #[derive(Debug)]
    struct NoBills;
    impl BillSource for NoBills {
        fn bill(&self, _: &Entry) -> BillFuture {
            Box::pin(async { Ok(None) })
        }
    }
    let reconciler = || {
        Reconciler::builder(Arc::new(NoBills))
            .spawn_on(tokio::runtime::Handle::current())
            .unwrap()
    };
    let one = options().open().await.unwrap();
    // A file belongs to one process: there the same one claims twice at once.
    let two = options().open().await.unwrap_or_else(|_| one.clone());
    let hour = Duration::from_secs(3600);
    let now = UtcTime::now();
    for number in 0..40 {
        let mut entry = estimate();
        // Too old, claimed, and of a process that still asks.
        entry.ended = now.before(match number {
            0..10 => 24 * 5 * hour,
            10..30 => 2 * hour,
            _ => hour / 2,
        });
        one.record(&entry);
    }
    written(&one, 40).await;
    let (of_one, of_two) = (reconciler(), reconciler());
    let claim = async |ledger: &DatabaseLedger, by: &Reconciler, lease| {
        let (since, before) = (now.before(24 * 3 * hour), now.before(hour));
        ledger.claim_bills(by, since, before, lease).await.unwrap()
    };
    let (a, b) = tokio::join!(claim(&one, &of_one, hour), claim(&two, &of_two, hour));
    assert_eq!((a + b, of_one.pending() + of_two.pending()), (20, 20), "{a} and {b}");
    assert_eq!(claim(&one, &of_one, hour).await, 0, "they are claimed");
    for ledger in [one, two] {
        ledger.close().await;
    }
}

async fn it_is_the_same_after_a_restart(options: impl Fn() -> LedgerOptions) {
    let ledger = options().flush_every(Duration::from_secs(3600)).open().await.unwrap();
    let late = estimate();
    ledger.record(&late);
    ledger.record(&entry("a/b", 3));
    assert_eq!(ledger.waiting(), 2);
    let closed = ledger.close().await;
    assert_eq!((closed.written, closed.lost), (2, 0), "a clean stop loses nothing");
    ledger.record(&entry("a/b", 3));
    assert_eq!(ledger.lost(), 1, "what comes later is counted");

    let ledger = options().open().await.unwrap();
    assert_eq!(ledger.lost_before().runs, 0);
    assert_eq!(
        ledger.awaiting_bill(UtcTime::from_millis(0)).await.unwrap(),
        std::slice::from_ref(&late)
    );
    ledger.correct(&Correction::new(late.id, NOW, UsdAmount::from_pico(9), None));
    ledger.close().await;
    let ledger = options().open().await.unwrap();
    assert_eq!(
        ledger.total(&Filter::new()).await.unwrap().cost,
        UsdAmount::from_pico(12)
    );
    ledger.close().await;
}

async fn a_stalled_queue_loses_and_counts(options: LedgerOptions) {
    let ledger = options
        .max_waiting(10)
        .flush_every(Duration::from_secs(3600))
        .open()
        .await
        .unwrap();
    for _ in 0..25 {
        ledger.record(&entry("a/b", 1));
    }
    assert_eq!((ledger.waiting(), ledger.lost()), (10, 15));
    let closed = ledger.close().await;
    assert_eq!((closed.written, closed.lost), (10, 15));
}

async fn many_at_once_are_all_written(options: LedgerOptions) {
    let ledger = Arc::new(
        options
            .batch(100)
            .flush_every(Duration::from_millis(1))
            .open()
            .await
            .unwrap(),
    );
    let tasks: Vec<_> = (0..2_000)
        .map(|number| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move {
                let mut entry = entry("a/b", 1);
                entry.tags = Tags::new([("n", number.to_string())]).unwrap();
                ledger.record(&entry);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let closed = ledger.close().await;
    assert_eq!((closed.written, closed.lost), (2_000, 0));
    let total = ledger.total(&Filter::new()).await.unwrap();
    assert_eq!((total.attempts, total.cost), (2_000, UsdAmount::from_pico(2_000)));
}

/// Settled on each account: of a budget without a window, one for each model, and one of a day.
async fn spent(ledger: &DatabaseLedger) -> Vec<(String, String)> {
    let book = InMemoryBudgetStore::new();
    let budgets = [
        Budget::usd("all", "100").unwrap(),
        Budget::usd("each", "100").unwrap().each("model").each("team"),
        Budget::usd("day", "100").unwrap().per(Window::Day),
    ];
    let budgets = Budgets::in_store(budgets, Arc::new(book.clone())).unwrap();
    ledger.restore(&budgets).await.unwrap();
    let accounts = book.accounts().into_iter();
    let mut all: Vec<_> = accounts
        .map(|account| {
            (
                format!("{} {}", account.budget.name(), account.account),
                account.settled.to_string(),
            )
        })
        .collect();
    all.sort();
    all
}

async fn what_is_forgotten_stays_spent(options: LedgerOptions) {
    let ledger = options.open().await.unwrap();
    let (now, year) = (UtcTime::now(), Duration::from_secs(365 * 86_400));
    for number in 0..1_203_u64 {
        let mut entry = entry(if number % 3 == 0 { "a/b" } else { "c/d" }, 999_999_999_999);
        entry.ended = if number < 3 {
            now
        } else {
            now.before(year).before(Duration::from_millis(number))
        };
        entry.recorded = UsdAmount::from_pico(999_999_999 + i128::from(number));
        entry.tags = Tags::new([("team", ["search", "support"][usize::from(number % 2 == 0)])]).unwrap();
        ledger.record(&entry);
    }
    written(&ledger, 1_203).await;
    let before = spent(&ledger).await;
    let old = now.before(year / 2);
    assert_eq!(ledger.forget_before(now.before(2 * year)).await.unwrap().entries, 0);
    // In two parts: the sums add up.
    let part = now.before(year).before(Duration::from_millis(600));
    assert_eq!(ledger.forget_before(part).await.unwrap().entries, 602);
    assert_eq!(ledger.forget_before(old).await.unwrap().entries, 598);
    assert_eq!(ledger.total(&Filter::new()).await.unwrap().attempts, 3);
    assert_eq!(
        ledger
            .spend(&GroupBy::Tag("team".into()), &Filter::new())
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(spent(&ledger).await, before);
    assert!(
        ledger.forget_before(old).await.unwrap().entries == 0 && before.len() == 6,
        "{before:?}"
    );
    ledger.close().await;
}
