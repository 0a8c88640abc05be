//! What an attempt costs if the upstream reports counts and no charge: of a failure without content, and of an answer of another tier.

use std::sync::Arc;

use crate::support::{
    ask, call,
    ledger::Kept,
    prices::{of, usd},
    raw::{Raw, Step, chunk, events, json, send},
};
use tower_openrouter::{
    ApiKey, Catalogue, ChatServiceExt, FailureKind, Stack,
    layers::ledger::{Entry, EntryOutcome, EntryState},
    transport::{Dialect, OPENROUTER, Upstream},
};

const ROW: &str =
    r#"{"id":"acme/paid","context_length":100000,"pricing":{"prompt":"0.000001","completion":"0.00001"}}"#;

/// How a plain call ended, and its one entry.
async fn entry_of(dialect: Dialect, answer: Vec<Step>, prices: Catalogue) -> (Option<FailureKind>, Entry) {
    let raw = Raw::always(answer).await;
    let kept = Kept::new();
    let upstream = Upstream::new(OPENROUTER, raw.url(), dialect).unwrap();
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new("sk-aaaa").unwrap())
        .attempts(1)
        .chain(["acme/paid"])
        .prices(Arc::new(prices))
        .ledger(kept.clone())
        .build()
        .unwrap();
    let got = call(&stack, false, ask()).await;
    (got.kind(), kept.entries().remove(0))
}

/// A provider that is called directly charges for the prompt of an answer without content; OpenRouter promises that it does not.
#[tokio::test(start_paused = true)]
async fn what_a_failure_without_content_has_counted_is_paid_unless_the_router_promises_otherwise() {
    let answer = |usage: &str| {
        let empty = r#"{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}"#;
        vec![
            json(),
            send(format!(r#"{{"id":"gen-1","choices":[{empty}],"usage":{usage}}}"#)),
        ]
    };
    let counted = r#"{"prompt_tokens":12000,"completion_tokens":0}"#;
    let charged = r#"{"prompt_tokens":12000,"completion_tokens":0,"cost":0.02}"#;
    for (dialect, usage, cost) in [
        (Dialect::OpenAi, counted, "0.012"),
        (Dialect::OpenRouter, counted, "0"),
        (Dialect::OpenAi, charged, "0.02"),
        (Dialect::OpenRouter, charged, "0.02"),
    ] {
        let catalogue = of(&[ROW]);
        let (kind, entry) = entry_of(dialect, answer(usage), catalogue).await;
        assert_eq!(kind, Some(FailureKind::EmptyResponse));
        assert_eq!(
            (entry.cost(), entry.state),
            (usd(cost), EntryState::Settled),
            "{dialect:?} {usage}"
        );
    }
}

/// The tier that served stands beside the usage. One without a price leaves an estimate: by the highest price that is known if it
/// is more expensive, and by the listed one if it is cheaper.
#[tokio::test(start_paused = true)]
async fn an_answer_is_priced_by_the_tier_that_served_it() {
    let answer = |tier: &str| {
        let text = "word ".repeat(1_000);
        let said =
            format!(r#"{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}"#);
        let usage = r#"{"prompt_tokens":12,"completion_tokens":1000}"#;
        vec![
            json(),
            send(format!(
                r#"{{"id":"gen-1","choices":[{said}],"service_tier":"{tier}","usage":{usage}}}"#
            )),
        ]
    };
    let endpoint = |tier: &str| {
        format!(r#"{{"tag":"x","service_tier":{tier},"pricing":{{"prompt":"0.000001","completion":"0.00004"}}}}"#)
    };
    let listed = |tiers: &[&str]| {
        let endpoints: Vec<_> = tiers.iter().map(|tier| endpoint(tier)).collect();
        let catalogue = of(&[ROW]);
        let list = format!(r#"{{"id":"acme/paid","endpoints":[{}]}}"#, endpoints.join(","));
        catalogue.add_endpoints(&serde_json::from_str(&list).unwrap());
        catalogue
    };
    for (tier, tiers, cost, state) in [
        ("default", ["\"priority\""].as_slice(), "0.010012", EntryState::Settled),
        ("priority", &["\"priority\""], "0.040012", EntryState::Settled),
        ("priority", &["null"], "0.040012", EntryState::Estimated),
        ("priority", &[], "0.010012", EntryState::Estimated),
        ("flex", &["\"flex\""], "0.040012", EntryState::Settled),
        ("flex", &["\"priority\""], "0.010012", EntryState::Estimated),
        ("flex", &[], "0.010012", EntryState::Estimated),
    ] {
        let (kind, entry) = entry_of(Dialect::OpenAi, answer(tier), listed(tiers)).await;
        assert_eq!(
            (kind, entry.cost(), entry.state),
            (None, usd(cost), state),
            "{tier} {tiers:?}"
        );
    }
}

/// A stream that ends without usage at a provider that is more expensive than the model's row: the estimate is by that provider's price.
#[tokio::test(start_paused = true)]
async fn an_interrupted_answer_is_priced_by_the_provider_that_gave_it() {
    for (provider, least, most) in [
        ("Cheap", "0.008", "0.0081"),
        ("Costly", "0.032", "0.0321"),
        ("Unheard", "0.032", "0.0321"),
    ] {
        let catalogue = of(&[ROW]);
        let offer = |name: &str, price: &str| {
            format!(
                r#"{{"provider_name":"{name}","tag":"x","pricing":{{"prompt":"0.000001","completion":"{price}"}}}}"#
            )
        };
        let offers = [offer("Cheap", "0.00001"), offer("Costly", "0.00004")].join(",");
        let list = format!(r#"{{"id":"acme/paid","endpoints":[{offers}]}}"#);
        catalogue.add_endpoints(&serde_json::from_str(&list).unwrap());
        let text = "word ".repeat(800);
        let delta = format!(
            r#"data: {{"id":"gen-1","provider":"{provider}","model":"acme/paid","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#
        );
        let raw = Raw::always(vec![events(), send(format!("{delta}\n\n")), Step::Hang]).await;
        let kept = Kept::new();
        let upstream = Upstream::new(OPENROUTER, raw.url(), Dialect::OpenAi).unwrap();
        let stack = Stack::builder()
            .upstream(upstream, ApiKey::new("sk-aaaa").unwrap())
            .chain(["acme/paid"])
            .prices(Arc::new(catalogue))
            .ledger(kept.clone())
            .build()
            .unwrap();
        let mut answer = stack.stream(ask()).await.unwrap();
        answer.next_frame().await.unwrap().unwrap();
        drop(answer);
        let entry = kept.entries().remove(0);
        assert_eq!(entry.state, EntryState::Estimated, "{provider}");
        let cost = entry.cost();
        assert!(cost >= usd(least) && cost <= usd(most), "{provider}: {cost}");
    }
}

/// Of a stream that its caller leaves no usage is known: what was shown is counted by its text, and not by its chunks.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_left_is_counted_by_its_text_in_however_few_chunks() {
    let text = "word ".repeat(1_000);
    let letters = |count: usize| text.get(..count).unwrap().to_owned();
    let mut tokens = Vec::new();
    // The same text in two chunks and in a thousand.
    for size in [2_500, 5] {
        let mut steps = vec![events()];
        steps.extend((0..text.len() / size).map(|_| chunk(&letters(size), "null")));
        steps.push(Step::Hang);
        let raw = Raw::always(steps).await;
        let kept = Kept::new();
        let stack = raw
            .builder()
            .chain(["acme/paid"])
            .prices(Arc::new(of(&[ROW])))
            .ledger(kept.clone())
            .build()
            .unwrap();
        let mut answer = stack.stream(ask()).await.unwrap();
        let mut shown = 0;
        while shown < text.len() {
            shown += answer.next_text().await.unwrap().unwrap().len();
        }
        drop(answer);
        let entry = kept.entries().remove(0);
        assert_eq!(
            (entry.outcome, entry.state),
            (EntryOutcome::Dropped, EntryState::Estimated),
            "{size}"
        );
        assert!(entry.cost() >= usd("0.005"), "{size}: {}", entry.cost());
        tokens.push(entry.usage.answer);
    }
    let [few, many] = tokens[..] else { unreachable!() };
    assert!((500..=2_500).contains(&few), "{few} tokens in two chunks");
    assert!(
        many.abs_diff(few) <= few,
        "{few} tokens in two chunks, {many} in a thousand"
    );
}
