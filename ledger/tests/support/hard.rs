//! What holds for hard data in whichever database: it goes in, or it is lost alone.

use std::time::Duration;

use tower_llm_layers::{
    TokenUsage, UsdAmount,
    ledger::{Correction, Entry, GroupBy, Ledger},
};
use tower_llm_ledger::{DatabaseLedger, Filter, LedgerOptions};

use super::{NOW, entry, log::Log, until};

/// Everything below. `sql` runs a statement in the database of this name.
pub(crate) async fn hold(options: impl Fn(&'static str) -> LedgerOptions, sql: impl AsyncFn(&'static str, &str)) {
    odd_texts_are_cleaned(options("odd")).await;
    sums_of_huge_counts_are_given(options("huge"), async |text| sql("huge", text).await).await;
    large_names_pass_in_batches(options("names")).await;
    a_row_that_makes_no_sense_hides_no_other(options("future"), async |text| sql("future", text).await).await;
}

/// A row that the database refuses is lost alone, and logged. `refuse` makes it refuse the model `bad/model`, and beyond ASCII any.
pub(crate) async fn a_refused_row_is_lost_alone(options: LedgerOptions, refuse: impl AsyncFnOnce()) {
    let (log, _listening) = Log::listen();
    let ledger = options.open().await.unwrap();
    refuse().await;
    let refused = entry("bad/model", 1_000);
    for number in 0..300 {
        match number {
            77 => ledger.record(&refused),
            78 => ledger.record(&entry("Zoë/model", 7)),
            _ => ledger.record(&entry("a/b", 1)),
        }
    }
    ledger.correct(&Correction::new(refused.id, NOW, UsdAmount::from_pico(5), None));
    let closed = ledger.close().await;
    assert_eq!((closed.written, closed.lost, ledger.rejected()), (300, 1, 1));
    let total = ledger.total(&Filter::new()).await.unwrap();
    assert_eq!((total.attempts, total.cost), (299, UsdAmount::from_pico(298 + 7)));
    let plainer = ledger.recent(&Filter::new().model("Zo?/model"), 9).await.unwrap();
    assert_eq!(plainer.len(), 1, "kept in the characters that the database takes");
    let said = log.text();
    assert_eq!(
        said.matches("the database refuses an entry: it is lost").count(),
        1,
        "{said}"
    );
    assert!(said.contains(&refused.id.to_string()), "{said}");
    assert!(!said.contains("trying again"), "{said}");
}

async fn all_are_written(ledger: &DatabaseLedger, count: u64) {
    until(|| ledger.written() >= count).await;
    assert_eq!((ledger.written(), ledger.lost()), (count, 0));
}

async fn odd_texts_are_cleaned(options: LedgerOptions) {
    let ledger = options.open().await.unwrap();
    let (nul, long) = ("a\0b\r\n\u{1b}[31m", "x".repeat(1 << 20));
    let mut odd = entry(nul, 3);
    odd.upstream = "open\0router".into();
    odd.generation_id = Some("gen\0-1".into());
    ledger.record(&odd);
    ledger.record(&entry(&long, 4));
    ledger.record(&entry("fine/model", 5));
    all_are_written(&ledger, 3).await;
    let find = async |filter: Filter| ledger.recent(&filter, 9).await.unwrap();
    let [found] = &find(Filter::new().model(nul)).await[..] else {
        unreachable!("a filter means a name as it is kept")
    };
    assert_eq!((&*found.model, &*found.upstream), ("a?b???[31m", "open?router"));
    assert_eq!(found.generation_id.as_deref(), Some("gen?-1"));
    let [found] = &find(Filter::new().model(&long)).await[..] else {
        unreachable!("a filter means a name as it is kept")
    };
    assert!(
        found.model.len() <= 512 && found.model.ends_with("x..."),
        "{}",
        found.model
    );
    assert_eq!(ledger.spend(&GroupBy::Model, &Filter::new()).await.unwrap().len(), 3);
    ledger.close().await;
}

fn huge(prompt: u64) -> Entry {
    let mut huge = entry("a/b", 1);
    let mut usage = TokenUsage::default();
    (usage.prompt, usage.cached, usage.answer) = (prompt, u64::MAX, 5);
    huge.usage = usage;
    huge.bill = Some(UsdAmount::from_pico(i128::MAX));
    huge.estimate = Some(UsdAmount::from_pico(i128::MIN));
    huge
}

async fn sums_of_huge_counts_are_given(options: LedgerOptions, sql: impl AsyncFn(&str)) {
    let ledger = options.flush_every(Duration::ZERO).open().await.unwrap();
    for _ in 0..3 {
        ledger.record(&huge(1 << 63));
    }
    ledger.record(&entry("c/d", 1));
    all_are_written(&ledger, 4).await;
    // As rows of an older version hold them.
    sql("UPDATE entries SET prompt_tokens = 9223372036854775807, bill = -9223372036854775807, recorded = 9223372036854775807 WHERE model = 'a/b'").await;
    let total = ledger.total(&Filter::new()).await.unwrap();
    assert_eq!((total.attempts, total.answer_tokens), (4, 35));
    assert_eq!(total.prompt_tokens, u64::MAX, "as many as can be shown");
    let rows = ledger.spend(&GroupBy::Model, &Filter::new()).await.unwrap();
    let [other, _] = &rows[..] else {
        unreachable!("{rows:?}")
    };
    assert_eq!(
        (&*other.group, other.spend.prompt_tokens),
        ("c/d", 10),
        "the others are exact"
    );
    ledger.close().await;
}

async fn large_names_pass_in_batches(options: LedgerOptions) {
    let ledger = options.flush_every(Duration::from_secs(3600)).open().await.unwrap();
    let name = "m".repeat(1 << 20);
    for _ in 0..1_142 {
        ledger.record(&entry(&name, 1));
    }
    let closed = ledger.close().await;
    assert_eq!((closed.written, closed.lost), (1_142, 0));
}

async fn a_row_that_makes_no_sense_hides_no_other(options: LedgerOptions, sql: impl AsyncFn(&str)) {
    let ledger = options.open().await.unwrap();
    for number in 0..1_500 {
        // More than a page of them in a row.
        let model = if (100..1_300).contains(&number) {
            "later/version"
        } else {
            "a/b"
        };
        let mut entry = entry(model, 1);
        entry.ended = NOW.after(Duration::from_millis(number));
        ledger.record(&entry);
    }
    all_are_written(&ledger, 1_500).await;
    sql("UPDATE entries SET outcome = 'of a later version' WHERE model = 'later/version'").await;
    let mut lines = Vec::new();
    assert_eq!(ledger.export_json_lines(&Filter::new(), &mut lines).await.unwrap(), 300);
    assert_eq!(ledger.recent(&Filter::new(), 250).await.unwrap().len(), 200);
    assert_eq!(
        ledger.total(&Filter::new()).await.unwrap().attempts,
        1_500,
        "it cost all the same"
    );
    ledger.close().await;
}
