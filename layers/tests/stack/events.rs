//! Each decision is an event with typed fields, and no event says a key, a prompt or an answer.

use tower_llm_layers::{FailureKind, Stage};

use super::Stack;
use crate::support::log::{heard, listen, messages, one};
use crate::support::{Beat, Leaf, Step, ask, candidate, fails, millis, read, secs, streamed};

#[tokio::test(start_paused = true)]
async fn every_decision_is_logged_and_no_secret() {
    listen();
    let broken = Beat::Fail(fails(FailureKind::Truncated));
    let leaf = Leaf::new([])
        .on(
            "a",
            [
                Step::fail(fails(FailureKind::RateLimited).says(429, "slow down").hint(secs(5))),
                Step::Hang,
            ],
        )
        .on("b", [Step::fail(fails(FailureKind::QuotaExhausted))])
        .on("d", [Step::body([Beat::Frame(Stage::Content), broken])])
        .on("e", [Step::ok()]);
    let pooled = |name: &str| candidate(name).with_pool("free");
    let chain = [candidate("a"), pooled("b"), pooled("c"), candidate("d")];
    let chain = tower_llm_layers::fallback::Chain::new(chain).unwrap();
    let stack = Stack::of(chain).over(leaf.clone());
    let request = streamed();
    assert_eq!(request.body().prompt, "the secret prompt");
    let response = ask(&stack, request).await.unwrap();
    read(response.into_body()).await.error.unwrap();
    assert_eq!(
        messages(),
        [
            "attempt started",
            "attempt failed",
            "retrying",
            "attempt started",
            "attempt timed out",
            "attempt failed",
            "not retrying",
            "next candidate",
            "attempt started",
            "attempt failed",
            "not retrying",
            "candidate passed over",
            "next candidate",
            "attempt started",
            "answer began",
            "answer interrupted",
        ]
    );
    let started = one("attempt started");
    let expected = [
        ("attempt", "1 u64"),
        ("level", "DEBUG"),
        ("message", "attempt started"),
        ("model", "a"),
        ("stream", "true bool"),
        ("upstream", "router"),
    ];
    assert_eq!(
        started.into_iter().collect::<Vec<_>>(),
        expected.map(|(name, value)| (name, value.to_owned()))
    );
    let failed = one("attempt failed");
    assert_eq!((&*failed["kind"], &*failed["status"]), ("rate_limited", "429 u64"));
    assert_eq!(
        (&*failed["level"], &*failed["model"], &*failed["upstream"]),
        ("WARN", "a", "router")
    );
    assert!(failed.contains_key("error"), "{failed:?}");
    assert_eq!(&one("retrying")["wait"], "5.5s");
    assert_eq!(&one("attempt timed out")["phase"], "first_token");
    assert_eq!(&one("next candidate")["model"], "b");
    let passed = one("candidate passed over");
    assert_eq!(
        (&*passed["model"], &*passed["reason"]),
        ("c", "paid from the same pool as b")
    );
    assert_eq!(&one("answer interrupted")["kind"], "truncated");

    let chain = tower_llm_layers::fallback::Chain::new([candidate("e")]).unwrap();
    let stack = Stack::of(chain).over(leaf);
    read(ask(&stack, streamed()).await.unwrap().into_body()).await;
    assert_eq!(&one("answer ended")["attempt"], "1 u64");
    let mut request = streamed();
    request
        .headers_mut()
        .insert("x-request-timeout-ms", "0".parse().unwrap());
    ask(&stack, request).await.unwrap_err();
    assert_eq!(&one("deadline passed")["phase"], "deadline");
    ask(&stack, streamed()).await.map(drop).unwrap();
    let wrong = Leaf::new([Step::fail(fails(FailureKind::BadRequest))]);
    let stack = Stack::of(crate::support::chain(["a"])).over(wrong);
    ask(&stack, streamed()).await.unwrap_err();
    assert_eq!(&one("no next candidate")["kind"], "bad_request");

    let all = format!("{:?}", heard());
    assert!(!all.contains("secret"), "{all}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_attempt_is_logged_too() {
    listen();
    let stack = Stack::of(crate::support::chain(["a"])).over(Leaf::new([Step::Hang]));
    let _left = tokio::time::timeout(millis(700), ask(&stack, streamed())).await;
    assert_eq!(messages(), ["attempt started", "attempt dropped"]);
    assert_eq!(&one("attempt dropped")["duration"], "700ms");
}
