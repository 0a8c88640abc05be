//! What a person reads afterwards.

use tower_llm_layers::{AttemptLog, FailureKind, Phase, Stage};

use super::Stack;
use crate::support::{Beat, Leaf, Step, ask, chain, fails, millis, read, secs, streamed};

#[tokio::test(start_paused = true)]
async fn a_bad_night() {
    let overloaded = fails(FailureKind::Overloaded).says(503, "overloaded (Anthropic)");
    let throttled = fails(FailureKind::RateLimited)
        .says(429, "rate_limited")
        .hint(secs(120));
    let leaf = Leaf::new([])
        .on("claude-sonnet-4.5", [Step::Fail(millis(400), overloaded), Step::Hang])
        .on("gpt-5", [Step::Fail(millis(300), throttled)]);
    let stack = Stack::of(chain(["claude-sonnet-4.5", "gpt-5"])).over(leaf);
    let error = ask(&stack, streamed()).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::RateLimited);
    assert_eq!(error.hint, Some(secs(120)), "the hint is kept");
    assert_eq!(
        error.log().to_string(),
        [
            "  1  claude-sonnet-4.5             503 overloaded (Anthropic)            after  0.4 s, waited 1 s",
            "  2  claude-sonnet-4.5             no first token in 10 s                after   10 s",
            "  3  gpt-5                         429 rate_limited, retry after 120 s (past the 78.3 s left)  after  0.3 s",
        ]
        .join("\n")
    );
}

#[tokio::test(start_paused = true)]
async fn a_good_one_while_it_is_in_progress_and_when_it_has_ended() {
    let beats = vec![
        Beat::Frame(Stage::Content),
        Beat::Pause(secs(2)),
        Beat::Frame(Stage::Finish),
    ];
    let gone = fails(FailureKind::QuotaExhausted).says(429, "free models: 50 a day");
    let leaf = Leaf::new([Step::fail(gone), Step::Answer(millis(400), beats)]);
    let stack = Stack::of(chain(["a:free", "b:free", "c"])).over(leaf);
    let response = ask(&stack, streamed()).await.unwrap();
    let log = response.extensions().get::<AttemptLog>().unwrap().clone();
    assert_eq!(log.answered_by().unwrap().model(), "c");
    let before = [
        "  1  a:free                        429 free models: 50 a day             after   0 ms",
        "  -  b:free                        passed over: paid from the same pool as a:free",
        "  2  c                             answering, first token in 0.4 s",
    ]
    .join("\n");
    assert_eq!(log.to_string(), before);
    read(response.into_body()).await;
    let last = "  2  c                             answered, first token in 0.4 s        after  2.4 s";
    assert_eq!(log.to_string().lines().last(), Some(last));
    assert_eq!((log.sent(), log.attempts().len()), (2, 3));
    assert_eq!(log.elapsed(), millis(2400));
}

#[tokio::test(start_paused = true)]
async fn one_that_was_interrupted_and_one_that_was_left() {
    let cut = fails(FailureKind::Truncated).says(502, "the stream was cut");
    for (end, line) in [
        (
            Beat::Fail(cut),
            "  1  a                             502 the stream was cut, first token in 3 s  after    5 s",
        ),
        (
            Beat::Stall,
            "  1  a                             the stream fell silent for 30 s, first token in 3 s  after   35 s",
        ),
    ] {
        let beats = vec![Beat::Frame(Stage::Content), Beat::Pause(secs(2)), ALIVE, end];
        let leaf = Leaf::new([Step::Answer(secs(3), beats)]);
        let response = ask(&Stack::of(chain(["a"])).over(leaf), streamed()).await;
        let response = response.unwrap();
        let log = response.extensions().get::<AttemptLog>().unwrap().clone();
        read(response.into_body()).await.error.unwrap();
        assert_eq!(log.to_string(), line);
    }
    let leaf = Leaf::new([Step::Hang]).always("b", Step::silent_for(secs(80)));
    let stack = Stack::of(chain(["a"])).over(leaf);
    let mut request = streamed();
    let soon = tokio::time::Instant::now() + secs(4);
    request.body_mut().call.limit_deadline(soon);
    let error = ask(&stack, request).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::Timeout(Phase::Deadline));
    assert_eq!(
        error.log().to_string(),
        "  1  a                             dropped                               after    4 s"
    );
}

const ALIVE: Beat = Beat::Frame(Stage::KeepAlive);

#[tokio::test(start_paused = true)]
async fn the_caps_say_why_they_ended_it() {
    let leaf = Leaf::new([]).always("a", Step::fail(fails(FailureKind::EmptyResponse)));
    let stack = Stack {
        cap: 1,
        ..Stack::of(chain(["a", "b"]))
    };
    let error = ask(&stack.over(leaf.clone()), streamed()).await.unwrap_err();
    let line =
        "  1  a                             empty_response (the attempts of this call are used up)  after   0 ms";
    assert_eq!(error.log().to_string(), line);
    let stack = Stack {
        budget: tower_llm_layers::retry::RetryBudget::new(0.0, 0.0),
        ..Stack::of(chain(["a", "b"]))
    };
    let response = ask(&stack.over(leaf), streamed()).await.unwrap();
    let text = crate::support::text(&response);
    assert_eq!(
        text.lines().next().unwrap(),
        "  1  a                             empty_response (the process-wide retry ratio is used up)  after   0 ms"
    );
}
