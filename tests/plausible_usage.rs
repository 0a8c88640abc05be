//! Usage that does not say what was taken never empties a bill: budgets end, whatever an upstream reports.

use std::sync::Arc;

use crate::support::{
    ask, call,
    ledger::Kept,
    raw::{Raw, Step, done, events, json, send},
};
use tower_openrouter::{
    Candidate, Stack, UsdAmount,
    layers::{
        Needs, PriceList, Quote, TokenUsage, UtcTime, WorstCasePrice,
        budget::{Budget, Budgets, InMemoryBudgetStore},
        ledger::EntryState,
    },
};

/// Usage objects that were seen in the wild and say little or nothing.
const USELESS: [&str; 8] = [
    "{}",
    r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#,
    r#"{"prompt_tokens":null,"completion_tokens":null}"#,
    r#"{"total_tokens":705}"#,
    r#"{"prompt_tokens":5,"completion_tokens":0}"#,
    r#"{"prompt_tokens":5,"completion_tokens":"many"}"#,
    r#"{"queue_time":0.1}"#,
    r#"{"prompt_tokens":0,"completion_tokens":0,"cost":null}"#,
];

/// 15 millionths of a dollar for a token of answer, nothing for the prompt.
#[derive(Debug)]
struct Flat;

impl PriceList for Flat {
    fn quote(&self, _: &Candidate, _: &Needs, _: UtcTime) -> Quote {
        Quote::Known(WORST_CASE)
    }

    fn cost(&self, _: &Candidate, usage: &TokenUsage, _: UtcTime) -> Option<UsdAmount> {
        WORST_CASE.cost(usage.prompt, usage.answer).ok()
    }
}

const WORST_CASE: WorstCasePrice = WorstCasePrice::new()
    .answer_token(UsdAmount::from_pico(15_000_000))
    .max_answer(Some(700));

/// A stack that may spend five cents; each answer of 700 tokens costs about one.
fn five_cents(raw: &Raw) -> (Stack, InMemoryBudgetStore, Arc<Kept>) {
    let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
    let budget = Budget::usd("all", "0.05").unwrap();
    let stack = raw
        .builder()
        .prices(Arc::new(Flat))
        .budgets(Budgets::in_store([budget], Arc::new(book.clone())).unwrap())
        .ledger(kept.clone())
        .build()
        .unwrap();
    (stack, book, kept)
}

/// An answer of 700 words.
fn plain(usage: &str) -> Vec<Step> {
    let text = "word ".repeat(700);
    let body = format!(
        r#"{{"id":"gen-1","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
    );
    vec![json(), send(body)]
}

/// The same streamed; `early` stands in the first chunk that shows something, `late` behind the finish.
fn stream(early: &str, late: &str) -> Vec<Step> {
    let chunk = |text: &str, finish: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"gen-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}],\"usage\":{usage}}}\n\n"
        )
    };
    let mut text = chunk("word ", "null", early);
    text.push_str(&chunk("word ", "null", "null").repeat(699));
    text.push_str(&chunk("", "\"stop\"", "null"));
    text.push_str(&format!(
        "data: {{\"id\":\"gen-1\",\"choices\":[],\"usage\":{late}}}\n\n"
    ));
    vec![events(), send(text), done()]
}

#[tokio::test(start_paused = true)]
async fn a_budget_ends_whatever_usage_is_reported() {
    for usage in USELESS {
        let early = stream(usage, "null");
        for (steps, streamed) in [(plain(usage), false), (stream("null", usage), true), (early, true)] {
            let raw = Raw::always(steps).await;
            let (stack, book, kept) = five_cents(&raw);
            let mut answered = 0;
            while answered < 50 && call(&stack, streamed, ask()).await.error.is_none() {
                answered += 1;
            }
            assert!(answered <= 5, "{usage}: {answered} answers of $0.0105 for $0.05");
            let entry = &kept.entries()[0];
            let shown = UsdAmount::from_pico(700 * 15_000_000);
            assert!(entry.recorded >= shown, "{usage}: {}", entry.recorded);
            assert_eq!(entry.state, EntryState::Estimated, "{usage}");
            let account = &book.accounts()[0];
            assert_eq!(account.reserved, UsdAmount::ZERO);
            assert!(account.settled <= "0.05".parse().unwrap());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plausible_report_is_settled_in_the_names_of_each_server() {
    for (usage, answer, cached) in [
        (r#"{"prompt_tokens":12,"completion_tokens":710}"#, 710, 0),
        (
            r#"{"input_tokens":12,"output_tokens":710,"input_tokens_details":{"cached_tokens":4}}"#,
            710,
            4,
        ),
        (
            r#"{"input_tokens":3,"cache_read_input_tokens":9,"output_tokens":710}"#,
            710,
            9,
        ),
        (r#"{"prompt_tokens":12,"total_tokens":722}"#, 710, 0),
    ] {
        for (steps, streamed) in [(plain(usage), false), (stream("null", usage), true)] {
            let raw = Raw::always(steps).await;
            let (stack, _, kept) = five_cents(&raw);
            assert!(call(&stack, streamed, ask()).await.error.is_none());
            let entry = &kept.entries()[0];
            assert_eq!(entry.state, EntryState::Settled, "{usage}");
            let counts = (entry.usage.prompt, entry.usage.answer, entry.usage.cached);
            assert_eq!(counts, (12, answer, cached), "{usage}");
        }
    }
}

/// Languages whose letters have several bytes, letters written as escapes, and a stream of single tokens with long words among them: an honest
/// count is none too few, and the cached tokens stay cheap.
#[tokio::test(start_paused = true)]
async fn an_honest_count_is_settled_in_every_language_and_form() {
    let usage = |tokens: usize| {
        format!(r#"{{"prompt_tokens":12,"completion_tokens":{tokens},"prompt_tokens_details":{{"cached_tokens":8}}}}"#)
    };
    let chunk = |text: &str| {
        format!("data: {{\"id\":\"gen-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let end = |usage: &str| {
        format!(
            "data: {{\"id\":\"gen-1\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}],\"usage\":{usage}}}\n\n"
        )
    };
    let whole = |text: &str, usage: &str| {
        format!(
            r#"{{"id":"gen-1","choices":[{{"index":0,"message":{{"content":"{text}"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
        )
    };
    // Some seven bytes a token, some six, and six for each letter of three.
    let (hindi, russian, escaped) = ("नमस्ते ", "привет ", r"\u043f\u0440\u0438\u0432\u0435\u0442 ");
    for (text, tokens) in [(hindi, 3), (russian, 3), (escaped, 3)] {
        let body = whole(&text.repeat(100), &usage(tokens * 100));
        let raw = Raw::always(vec![json(), send(body)]).await;
        let (stack, _, kept) = five_cents(&raw);
        assert!(call(&stack, false, ask()).await.error.is_none());
        let entry = &kept.entries()[0];
        assert_eq!((entry.state, entry.usage.cached), (EntryState::Settled, 8), "{text}");
    }
    let mut words = chunk(" a").repeat(90);
    words.push_str(&chunk(" international").repeat(10));
    let raw = Raw::always(vec![events(), send(words + &end(&usage(100))), done()]).await;
    let (stack, _, kept) = five_cents(&raw);
    assert!(call(&stack, true, ask()).await.error.is_none());
    let entry = &kept.entries()[0];
    assert_eq!((entry.state, entry.usage.answer), (EntryState::Settled, 100));
    assert_eq!(entry.usage.cached, 8);
}

/// A count of the answer that cannot be true says nothing of the prompt.
#[tokio::test(start_paused = true)]
async fn a_doubt_about_the_answer_leaves_what_was_cached() {
    let usage = r#"{"prompt_tokens":12,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":8}}"#;
    for (steps, streamed) in [
        (plain(usage), false),
        (stream("null", usage), true),
        (stream(usage, "null"), true),
    ] {
        let raw = Raw::always(steps).await;
        let (stack, _, kept) = five_cents(&raw);
        assert!(call(&stack, streamed, ask()).await.error.is_none());
        let entry = &kept.entries()[0];
        assert_eq!((entry.state, entry.usage.answer), (EntryState::Estimated, 700));
        assert_eq!((entry.usage.prompt, entry.usage.cached), (12, 8));
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_without_usage_is_priced_by_what_arrived() {
    let short =
        r#"{"id":"gen-1","choices":[{"index":0,"message":{"content":"word word word word "},"finish_reason":"stop"}]}"#;
    let raw = Raw::always(vec![json(), send(short)]).await;
    let (stack, book, kept) = five_cents(&raw);
    assert!(call(&stack, false, ask()).await.error.is_none());
    let entry = &kept.entries()[0];
    assert_eq!((entry.state, entry.usage.answer), (EntryState::Estimated, 4));
    assert_eq!(book.accounts()[0].settled, UsdAmount::from_pico(4 * 15_000_000));
}

#[tokio::test(start_paused = true)]
async fn a_response_from_the_routers_cache_costs_nothing_without_a_word_on_cost() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-openrouter-cache-status: HIT\r\nconnection: close\r\n\r\n";
    let Some(Step::Send(body)) = plain(USELESS[1]).pop() else {
        unreachable!()
    };
    let raw = Raw::always(vec![send(head), Step::Send(body)]).await;
    let (stack, book, kept) = five_cents(&raw);
    assert!(call(&stack, false, ask()).await.error.is_none());
    let entry = &kept.entries()[0];
    assert_eq!((entry.state, entry.cost()), (EntryState::Settled, UsdAmount::ZERO));
    assert_eq!(book.accounts()[0].settled, UsdAmount::ZERO);
}
