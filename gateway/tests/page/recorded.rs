//! What is recorded of a call, however it ends.

use http::Request;
use http_body_util::BodyExt;
use openrouter_gateway::calls::{CallOutcome, Calls, Filter};
use tower::ServiceExt;
use tower_openrouter::UsdAmount;

use super::support::{FIRST, SECOND, World, chat, tagged, whole};

#[tokio::test]
async fn a_rescued_call_has_its_attempts_and_its_cost() {
    let world = World::new("503;no-hint").await;
    let request = tagged(chat(FIRST, false), &[("key", "ci"), ("team", "search")]);
    assert_eq!(world.call(request).await.0, 200);
    let call = world.last();
    assert_eq!(
        (call.outcome, call.rescued, call.status),
        (CallOutcome::Answered, true, Some(200))
    );
    assert_eq!(
        (call.key.as_deref(), call.tags.get("team")),
        (Some("ci"), Some("search"))
    );
    assert_eq!(
        (call.requested.as_deref(), call.model.as_deref()),
        (Some(FIRST), Some(SECOND))
    );
    let attempts: Vec<_> = call
        .attempts
        .iter()
        .map(|attempt| (&*attempt.model, attempt.outcome, attempt.status))
        .collect();
    let (failed, last) = attempts.split_at(attempts.len() - 1);
    assert!(
        !failed.is_empty()
            && failed
                .iter()
                .all(|attempt| (attempt.0, attempt.2) == (FIRST, Some(503)))
    );
    assert_eq!(last, [(SECOND, "answered", None)]);
    assert!(call.attempts.iter().all(|attempt| attempt.is_sent));
    assert!(
        call.attempts[0]
            .reason
            .as_deref()
            .is_some_and(|reason| !reason.is_empty())
    );
    assert!(call.provider.is_some());
    let tokens = call.tokens.unwrap();
    assert!(tokens.prompt > 0 && tokens.answer > 0);
    assert!(
        call.cost.unwrap() > UsdAmount::ZERO && !call.cost_is_estimate,
        "{call:?}"
    );
    assert!(call.estimate.unwrap() > UsdAmount::ZERO);
    let totals = world.calls.totals(std::time::Duration::from_secs(3_600));
    assert_eq!((totals.answered, totals.rescued, totals.failed), (1, 1, 0));
    assert_eq!(totals.cost, call.cost.unwrap());
}

#[tokio::test]
async fn the_cost_of_a_stream_is_known_at_its_end() {
    let world = World::new("ok").await;
    let mut updates = world.calls.subscribe();
    let response = world.send(chat(FIRST, true)).await;
    let began = updates.try_recv().unwrap();
    assert_eq!(
        (began.outcome, began.requested.as_deref()),
        (CallOutcome::Running, Some(FIRST))
    );
    let running = world.calls.in_progress(&Filter::default(), 10).pop().unwrap();
    assert_eq!(
        (running.outcome, running.status, running.cost),
        (CallOutcome::Running, Some(200), None)
    );
    assert!(running.first_token_ms.is_some());
    let body = whole(response).await;
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    let call = world.last();
    assert_eq!(
        (call.id, call.outcome, call.streamed),
        (began.id, CallOutcome::Answered, true)
    );
    assert!(call.cost.unwrap() > UsdAmount::ZERO && call.first_token_ms.is_some() && call.tokens.is_some());
    assert_eq!(updates.try_recv().unwrap().outcome, CallOutcome::Answered);
    assert_eq!(world.calls.count_in_progress(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_call() {
    let world = World::new("stall=1m@2").await;
    // In the middle of the answer.
    let mut body = world.send(chat(FIRST, true)).await.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let call = world.last();
    assert_eq!((call.outcome, call.attempts[0].outcome), (CallOutcome::Left, "dropped"));
    assert!(call.tokens.is_some(), "what was shown is accounted for");
    // Before it.
    world.simulator.plan(FIRST, "hang").unwrap();
    let mut updates = world.calls.subscribe();
    let pending = tokio::spawn(world.app.clone().oneshot(chat(FIRST, false)));
    updates.recv().await.unwrap();
    pending.abort();
    assert!(pending.await.is_err());
    let call = world.last();
    assert_eq!((call.outcome, call.status, call.id), (CallOutcome::Left, None, 2));
    assert_eq!(world.calls.count_in_progress(), 0);
    assert_eq!(world.calls.totals(std::time::Duration::from_secs(3_600)).left, 2);
}

#[tokio::test]
async fn an_interrupted_answer_is_no_whole_one() {
    let world = World::new("cut@3").await;
    let (status, body) = world.call(chat(FIRST, true)).await;
    assert_eq!(status, 200);
    assert!(!body.ends_with(b"data: [DONE]\n\n"));
    let call = world.last();
    assert_eq!((call.outcome, call.rescued), (CallOutcome::Interrupted, false));
    assert_eq!(call.model.as_deref(), Some(FIRST), "the one that began it");
    assert!(call.reason.as_deref().is_some_and(|reason| !reason.is_empty()));
}

/// The head of a stream goes out before its answer, if that takes long.
#[tokio::test(start_paused = true)]
async fn a_stream_whose_answer_never_began_has_failed() {
    let world = World::new("hang").await;
    world.simulator.plan(SECOND, "hang").unwrap();
    let (status, body) = world.call(chat(FIRST, true)).await;
    let call = world.last();
    assert_eq!(
        (status.as_u16(), call.outcome, call.first_token_ms),
        (200, CallOutcome::Failed, None),
        "{body:?}"
    );
    let totals = world.calls.totals(std::time::Duration::from_secs(3_600));
    assert_eq!((totals.failed, totals.interrupted), (1, 0));
    assert_eq!(totals.first_token.quantile(50), None);
}

#[tokio::test]
async fn a_failure_is_distinguished_from_a_refusal() {
    let world = World::new("503;no-hint").await;
    world.simulator.plan(SECOND, "500").unwrap();
    let (status, _) = world.call(chat(FIRST, false)).await;
    assert!(status.is_server_error());
    let call = world.last();
    assert_eq!((call.outcome, call.model.as_deref()), (CallOutcome::Failed, None));
    assert!(call.reason.is_some() && call.attempts.len() >= 2);
    // What the client sent is at fault.
    let broken = Request::post("/v1/chat/completions").body("{".into()).unwrap();
    assert_eq!(world.call(broken).await.0, 400);
    let call = world.last();
    assert_eq!(
        (call.outcome, call.status, call.attempts.len()),
        (CallOutcome::Refused, Some(400), 0)
    );
    world.simulator.plan(FIRST, "400").unwrap();
    assert_eq!(world.call(chat(FIRST, false)).await.0, 400);
    assert_eq!(world.last().outcome, CallOutcome::Refused);
    // No call of an API.
    world
        .call(Request::get("/v1/models").body(axum::body::Body::empty()).unwrap())
        .await;
    assert_eq!(world.calls.recent(&Filter::default(), 10).len(), 3);
}

/// Of all these calls only the first reaches the upstream.
#[tokio::test]
async fn calls_of_an_outage_that_were_never_sent_have_failed() {
    for plan in ["429;retry-after=3600", "403-key"] {
        let world = World::new(plan).await;
        world.simulator.plan(SECOND, plan).unwrap();
        for _ in 0..3 {
            assert_eq!(world.call(chat(FIRST, false)).await.0, 429, "{plan}");
            let call = world.last();
            assert_eq!(call.outcome, CallOutcome::Failed, "{plan}: {call:?}");
        }
        let sent = world.simulator.report().attempts.len();
        assert!(sent < 6, "{plan}: {sent}");
        let totals = world.calls.totals(std::time::Duration::from_secs(3_600));
        assert_eq!((totals.failed, totals.refused), (3, 0), "{plan}");
        assert_eq!(totals.success_per_mille(), Some(0), "{plan}");
    }
}

#[tokio::test]
async fn a_cached_answer_is_marked_and_costs_nothing() {
    let world = World::with("cache = { bytes = 1000000, tenant = 'global' }", Calls::new(), None).await;
    // A cut answer is not cached.
    world.simulator.plan_all("text=Grey%20today").unwrap();
    for stream in [false, true] {
        let first = world.call(chat(FIRST, stream)).await;
        assert_eq!(first.0, 200);
        assert!(world.last().cached.is_none());
        world.call(chat(FIRST, stream)).await;
        let call = world.last();
        assert!(
            call.cached.as_deref().is_some_and(|cached| cached.starts_with("hit")),
            "{call:?}"
        );
        assert_eq!((call.model.as_deref(), call.cost), (Some(FIRST), None));
        assert_eq!(call.outcome, CallOutcome::Answered);
    }
}

#[tokio::test]
async fn what_is_passed_on_is_the_same_byte_for_byte() {
    use tower_openrouter::{ApiKey, ChatServiceExt, Stack};

    let world = World::new("text=Grey%20today").await;
    let base = world.simulator.base_url();
    let bare = Stack::builder()
        .upstream(base.as_str(), ApiKey::new(super::support::KEY).unwrap())
        .build()
        .unwrap()
        .into_endpoints();
    for stream in [false, true] {
        let (status, body) = world.call(chat(FIRST, stream)).await;
        let response = bare.clone().oneshot(chat(FIRST, stream)).await.unwrap();
        assert_eq!(response.status(), status);
        let plain = response.into_body().collect().await.unwrap().to_bytes();
        let normal = |bytes: &[u8]| {
            // Ids and times differ between two calls.
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.split("gen-")
                .map(|part| part.trim_start_matches(|letter: char| letter != '"').to_owned())
                .collect::<String>()
                .len()
        };
        assert_eq!(normal(&body), normal(&plain));
    }
}
