//! The recorded cost of an attempt that has ended.

use http::{HeaderName, HeaderValue, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceBuilder};
use tower_llm_layers::{
    AttemptLog, FailureKind, Phase, Stage, TokenUsage, UsdAmount,
    attempt::AttemptLayer,
    cost::CostLayer,
    ledger::{EntryOutcome, EntryState},
};

use super::{budgeted, recorded, to, up_to};
use crate::support::{Beat, Kept, Leaf, Step, TestError, ask, charged, fails, plain, read, usd};

const CONTENT: Beat = Beat::Frame(Stage::Content);
const FINISH: Beat = Beat::Frame(Stage::Finish);

#[tokio::test(start_paused = true)]
async fn the_bill_is_the_truth_wherever_it_comes_and_the_estimate_stands_beside_it() {
    let beats = [
        vec![CONTENT, FINISH, charged(100, 20, "0.0003")],
        vec![charged(100, 20, "0.0003"), CONTENT, FINISH],
        vec![CONTENT, charged(100, 20, "0.0003"), FINISH],
    ];
    for beats in beats {
        let (service, kept) = recorded(Leaf::new([Step::body(beats)]));
        read(ask(&service, to("a")).await.unwrap().into_body()).await;
        let entry = kept.only();
        assert_eq!(
            (entry.state, entry.outcome),
            (EntryState::Settled, EntryOutcome::Answered)
        );
        assert_eq!((entry.bill, entry.estimate), (Some(usd("0.0003")), Some(usd("0.0003"))));
        assert_eq!((entry.cost(), entry.recorded), (usd("0.0003"), usd("0.0003")));
        assert_eq!((entry.usage.prompt, entry.usage.answer), (100, 20));
        assert_eq!(
            (&*entry.upstream, &*entry.model, entry.tags.get("team")),
            ("router", "a", Some("search"))
        );
    }
}

/// Media have tokens that the text of a prompt says nothing of. A count that was reported stands.
#[tokio::test(start_paused = true)]
async fn media_of_a_prompt_without_usage_are_estimated() {
    let told = Beat::Charged(Stage::Trailer, TokenUsage::new(90, 5));
    for (beats, prompt, pictures) in [(vec![CONTENT, FINISH], 2_100, 2), (vec![CONTENT, FINISH, told], 90, 0)] {
        let (service, kept) = recorded(Leaf::new([Step::body(beats)]));
        let mut request = to("a");
        request.body_mut().needs.images = 2;
        read(ask(&service, request).await.unwrap().into_body()).await;
        let usage = kept.only().usage;
        assert_eq!((usage.prompt, usage.image_count), (prompt, pictures));
    }
}

/// What comes before an answer is a floor: its charge is not the bill, and its cached tokens are those of the prompt.
#[tokio::test(start_paused = true)]
async fn what_is_reported_before_an_answer_is_a_floor() {
    let mut start = TokenUsage::new(90, 1);
    (start.cached, start.charged) = (80, Some(usd("0.0001")));
    let start = Beat::Charged(Stage::Preamble, start);
    let (service, kept) = recorded(Leaf::new([Step::body([start.clone(), CONTENT, CONTENT])]));
    read(ask(&service, to("a")).await.unwrap().into_body()).await;
    let entry = kept.only();
    assert_eq!((entry.state, entry.bill), (EntryState::Estimated, None));
    assert_eq!(
        (entry.usage.prompt, entry.usage.cached, entry.usage.answer),
        (90, 80, 2)
    );
    // A failure before the answer costs nothing, as if it had not begun.
    let failed = Beat::Fail(fails(FailureKind::Overloaded));
    let (service, kept) = recorded(Leaf::new([Step::body([start, failed])]));
    read(ask(&service, to("a")).await.unwrap().into_body()).await;
    assert_eq!(kept.only().cost(), UsdAmount::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_charge_reported_once_is_not_lost_to_tokens_reported_twice() {
    let mut tokens = TokenUsage::default();
    (tokens.prompt, tokens.answer) = (100, 20);
    let again = Beat::Charged(Stage::Trailer, tokens);
    let (service, kept) = recorded(Leaf::new([Step::body([CONTENT, charged(100, 20, "0.7"), again])]));
    read(ask(&service, to("a")).await.unwrap().into_body()).await;
    assert_eq!(kept.only().bill, Some(usd("0.7")));
}

#[tokio::test(start_paused = true)]
async fn with_a_key_of_ones_own_the_providers_charge_comes_on_top() {
    let mut usage = TokenUsage::default();
    usage.answer = 1;
    usage.charged = Some(usd("0.05"));
    usage.charged_upstream = Some(usd("1.00"));
    let (service, kept) = recorded(Leaf::new([Step::body([CONTENT, Beat::Charged(Stage::Trailer, usage)])]));
    read(ask(&service, to("a")).await.unwrap().into_body()).await;
    assert_eq!(kept.only().bill, Some(usd("1.05")));
}

#[tokio::test(start_paused = true)]
async fn a_charge_of_zero_alone_is_no_bill_for_a_model_with_a_price() {
    let mut free = TokenUsage::default();
    free.charged = Some(UsdAmount::ZERO);
    let (service, kept) = recorded(Leaf::new([Step::body([
        CONTENT,
        FINISH,
        Beat::Charged(Stage::Trailer, free),
    ])]));
    read(ask(&service, to("a")).await.unwrap().into_body()).await;
    let entry = kept.only();
    assert_eq!(
        (entry.state, entry.cost(), entry.estimate),
        (EntryState::Estimated, usd("0.00011"), Some(usd("0.00011")))
    );
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_word_on_usage_is_an_estimate_of_what_was_seen() {
    let (service, kept) = recorded(Leaf::new([Step::body([CONTENT, CONTENT, CONTENT, FINISH])]));
    read(ask(&service, to("a")).await.unwrap().into_body()).await;
    let entry = kept.only();
    // A hundred tokens of prompt at a millionth of a dollar, three of answer at ten.
    assert_eq!(
        (entry.state, entry.bill, entry.cost()),
        (EntryState::Estimated, None, usd("0.00013"))
    );
}

/// Every kind, and whether it costs nothing if the answer has not begun.
const KINDS: [(FailureKind, bool); 18] = [
    (FailureKind::Connect, true),
    (FailureKind::RateLimited, true),
    (FailureKind::QuotaExhausted, true),
    (FailureKind::Overloaded, true),
    (FailureKind::Upstream, true),
    (FailureKind::EmptyResponse, true),
    (FailureKind::NoEndpoint, true),
    (FailureKind::ContextLengthExceeded, true),
    (FailureKind::ContentFiltered, true),
    (FailureKind::InsufficientFunds, true),
    (FailureKind::Auth, true),
    (FailureKind::BadRequest, true),
    (FailureKind::Reset, false),
    (FailureKind::Timeout(Phase::FirstToken), false),
    (FailureKind::Truncated, false),
    (FailureKind::Malformed, false),
    (FailureKind::Cancelled, false),
    (FailureKind::Internal, false),
];

#[tokio::test(start_paused = true)]
async fn a_failure_is_one_entry_and_free_only_if_nothing_was_generated() {
    for (kind, free) in KINDS {
        let before = Step::fail(fails(kind));
        let first = Step::body([Beat::Frame(Stage::Preamble), Beat::Fail(fails(kind))]);
        let after = Step::body([CONTENT, CONTENT, Beat::Fail(fails(kind))]);
        for (step, free, seen) in [(before, free, 0), (first, free, 0), (after, false, 2)] {
            let (service, kept) = recorded(Leaf::new([step]));
            if let Ok(response) = ask(&service, to("a")).await {
                read(response.into_body()).await;
            }
            let entry = kept.only();
            assert_eq!(entry.outcome, EntryOutcome::Failed(kind));
            let prompt = if free { UsdAmount::ZERO } else { usd("0.0001") };
            let seen = UsdAmount::from_pico(seen * 10_000_000);
            assert_eq!(entry.cost(), prompt.saturating_add(seen), "{kind}");
            let state = if free {
                EntryState::Settled
            } else {
                EntryState::Estimated
            };
            assert_eq!((entry.state, entry.bill.is_some()), (state, free), "{kind}");
        }
    }
}

/// A server that gave up waiting for the one behind it: that one may have made the answer.
#[tokio::test(start_paused = true)]
async fn a_timeout_behind_the_upstream_is_recorded_like_one_of_ours() {
    for (status, free) in [
        (408, false),
        (504, false),
        (524, false),
        (500, true),
        (502, true),
        (522, true),
    ] {
        let (layer, _, kept) = budgeted("1.00");
        let error = fails(FailureKind::Upstream).says(status, "gave up").generation("gen-1");
        let service = layer.bills_follow(true).layer(Leaf::new([Step::fail(error)]));
        let mut request = up_to("a", 500);
        request.body_mut().streaming = false;
        assert!(ask(&service, request).await.is_err());
        let entry = kept.only();
        let (cost, state) = if free {
            (UsdAmount::ZERO, EntryState::Settled)
        } else {
            (usd("0.0051"), EntryState::Estimated)
        };
        assert_eq!(
            (entry.cost(), entry.recorded, entry.state),
            (cost, cost, state),
            "{status}"
        );
        assert_eq!(entry.generation_id.as_deref(), Some("gen-1"), "its bill can follow");
    }
}

/// What a failure without content costs: what the upstream reported, unless it promises otherwise.
#[tokio::test(start_paused = true)]
async fn counts_that_come_with_a_failure_are_priced() {
    for kind in [FailureKind::ContentFiltered, FailureKind::EmptyResponse] {
        for (charged, promises, cost) in [
            (None, false, "0.05003"),
            (None, true, "0"),
            (Some("0"), false, "0"),
            (Some("0.01"), false, "0.01"),
            (Some("0.01"), true, "0.01"),
        ] {
            let mut usage = TokenUsage::new(50_000, 3);
            usage.charged = charged.map(usd);
            let error = TestError {
                is_uncharged: promises,
                ..fails(kind)
            };
            let step = Step::body([Beat::Charged(Stage::Trailer, usage), Beat::Fail(error)]);
            let (service, kept) = recorded(Leaf::new([step]));
            read(ask(&service, to("a")).await.unwrap().into_body()).await;
            let entry = kept.only();
            assert_eq!(
                (entry.cost(), entry.state),
                (usd(cost), EntryState::Settled),
                "{kind} {charged:?} {promises}"
            );
        }
        // Zeros say nothing.
        let nothing = Beat::Charged(Stage::Trailer, TokenUsage::default());
        let (service, kept) = recorded(Leaf::new([Step::body([nothing, Beat::Fail(fails(kind))])]));
        read(ask(&service, to("a")).await.unwrap().into_body()).await;
        assert_eq!(
            (kept.only().cost(), kept.only().state),
            (UsdAmount::ZERO, EntryState::Settled)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_is_recorded_at_what_was_seen() {
    let (service, kept) = recorded(Leaf::new([Step::body([CONTENT, CONTENT, Beat::Stall])]));
    let mut body = ask(&service, to("a")).await.unwrap().into_body();
    for _ in 0..2 {
        body.frame().await.unwrap().unwrap();
    }
    drop(body);
    let entry = kept.only();
    assert_eq!(
        (entry.state, entry.outcome),
        (EntryState::Estimated, EntryOutcome::Dropped)
    );
    assert_eq!(entry.cost(), usd("0.00012"));
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_that_never_came_may_have_been_made_whole() {
    let (layer, book, kept) = budgeted("1.00");
    let service = layer.layer(Leaf::new([Step::Hang]));
    let mut request = plain();
    *request.body_mut() = up_to("a", 500).into_body();
    request.body_mut().streaming = false;
    let waiting = tokio::time::timeout(std::time::Duration::from_secs(1), ask(&service, request));
    assert!(waiting.await.is_err());
    let entry = kept.only();
    assert_eq!((entry.outcome, entry.reserved), (EntryOutcome::Dropped, usd("0.0051")));
    assert_eq!((entry.cost(), entry.recorded), (usd("0.0051"), usd("0.0051")));
    assert_eq!(
        (book.accounts()[0].settled, book.accounts()[0].reserved),
        (usd("0.0051"), usd("0"))
    );
}

#[tokio::test(start_paused = true)]
async fn where_bills_follow_the_budget_keeps_the_whole_hold_until_then() {
    for follow in [false, true] {
        let (layer, book, kept) = budgeted("1.00");
        let service = layer
            .bills_follow(follow)
            .layer(Leaf::new([Step::body([CONTENT, Beat::Stall])]));
        let mut response = ask(&service, up_to("a", 500)).await.unwrap();
        response.body_mut().frame().await.unwrap().unwrap();
        drop(response);
        let entry = kept.only();
        assert_eq!(entry.cost(), usd("0.00011"));
        // Nothing names the answer here, so no bill can follow.
        assert_eq!((entry.generation_id.is_none(), entry.recorded), (true, usd("0.00011")));
        assert_eq!(book.accounts()[0].settled, usd("0.00011"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_numbered_and_its_cost_stands_in_its_line() {
    let kept = Kept::new();
    let leaf = Leaf::new([Step::body([CONTENT, charged(1, 1, "0.25")])]);
    let service = ServiceBuilder::new()
        .layer(AttemptLayer::new())
        .layer(CostLayer::new().ledger(kept.clone()))
        .service(leaf);
    let response = ask(&service, to("a")).await.unwrap();
    let log: AttemptLog = response.extensions().get::<AttemptLog>().unwrap().clone();
    assert_eq!(log.cost(), None);
    read(response.into_body()).await;
    assert_eq!((log.cost(), kept.only().attempt), (Some(usd("0.25")), 1));
    assert!(log.to_string().contains("$0.25"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_unpolled_was_never_sent() {
    let (layer, book, kept) = budgeted("1.00");
    let mut service = layer.layer(Leaf::new([]));
    let call = tower::Service::call(tower::ServiceExt::ready(&mut service).await.unwrap(), to("a"));
    assert!(book.accounts()[0].reserved > UsdAmount::ZERO);
    drop(call);
    assert!(kept.entries().is_empty());
    assert_eq!(
        (book.accounts()[0].settled, book.accounts()[0].reserved),
        (usd("0"), usd("0"))
    );
}

/// Which header names an answer is the upstream's to say.
#[tokio::test(start_paused = true)]
async fn an_answer_is_named_by_the_header_that_was_set_and_by_no_other() {
    let named = HeaderName::from_static("x-answer");
    for (layer, id) in [
        (CostLayer::new(), None),
        (CostLayer::new().generation_header(named.clone()), Some("gen-1")),
    ] {
        let (kept, named) = (Kept::new(), named.clone());
        let leaf = ServiceBuilder::new()
            .map_response(move |mut response: Response<_>| {
                response
                    .headers_mut()
                    .insert(named.clone(), HeaderValue::from_static("gen-1"));
                response
            })
            .service(Leaf::new([]));
        let service = layer.ledger(kept.clone()).layer(leaf);
        read(ask(&service, to("a")).await.unwrap().into_body()).await;
        assert_eq!(kept.only().generation_id.as_deref(), id);
    }
}
