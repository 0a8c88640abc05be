//! The spans of calls that are answered.

use tower_llm_layers::{AttemptLog, FailureKind, Stage, observe::names as n};

use super::{Stack, answer, attempts, fields, operation, stream, whole};
use crate::support::{Beat, Leaf, Step, ask, chain, fails, log, read, secs, streamed};

#[tokio::test(start_paused = true)]
async fn a_streamed_answer() {
    log::listen();
    let stack = Stack::of(chain(["gpt-5"])).over(Leaf::new([Step::body(answer())]));
    let response = ask(&stack, stream("gpt-5")).await.unwrap();
    assert!(
        response.extensions().get::<AttemptLog>().is_some(),
        "the log is published"
    );
    assert_eq!(operation().fields.get(n::OUTCOME), None, "it is in progress");
    assert_eq!(read(response.into_body()).await.stages.len(), 6);

    let (operation, attempts) = (operation(), attempts());
    let expected = [
        "otel.name=chat gpt-5",
        "otel.kind=client",
        "otel.status_code=OK",
        "gen_ai.operation.name=chat",
        "gen_ai.provider.name=router",
        "gen_ai.request.model=gpt-5",
        "gen_ai.request.stream=true bool",
        "gen_ai.request.max_tokens=500",
        "gen_ai.response.model=the-model-2026",
        "gen_ai.response.finish_reasons=stop",
        "gen_ai.response.time_to_first_chunk=2.0",
        "gen_ai.usage.input_tokens=100",
        "gen_ai.usage.output_tokens=20",
        "error.type=-",
        "llm.outcome=answered",
        "llm.attempts=1",
        "llm.retries=-",
        "llm.fallbacks=-",
        "llm.cost.usd=0.25",
        "llm.cost.wasted_usd=0.0",
        "llm.tags=-",
    ];
    let names = [
        n::SPAN_NAME,
        n::SPAN_KIND,
        n::STATUS_CODE,
        n::OPERATION,
        n::PROVIDER,
        n::REQUEST_MODEL,
        n::REQUEST_STREAM,
        n::REQUEST_MAX_TOKENS,
        n::RESPONSE_MODEL,
        n::FINISH_REASONS,
        n::RESPONSE_TIME_TO_FIRST_CHUNK,
        n::INPUT_TOKENS,
        n::OUTPUT_TOKENS,
        n::ERROR_TYPE,
        n::OUTCOME,
        n::ATTEMPTS,
        n::RETRY_COUNT,
        n::FALLBACK_COUNT,
        n::COST,
        n::COST_WASTED,
        n::TAGS,
    ];
    assert_eq!(fields(&operation, names), expected);
    assert!(operation.writes.values().all(|writes| *writes == 1), "{operation:#?}");
    assert_eq!((operation.parent, operation.handles), (None, 0), "it is closed");

    assert_eq!(attempts.len(), 1);
    let expected = [
        "otel.name=chat gpt-5",
        "otel.status_code=OK",
        "gen_ai.provider.name=router",
        "gen_ai.request.model=gpt-5",
        "gen_ai.response.time_to_first_chunk=2.0",
        "gen_ai.usage.output_tokens=20",
        "llm.attempt.number=1",
        "llm.outcome=answered",
        "llm.cost.usd=-",
    ];
    let names = [
        n::SPAN_NAME,
        n::STATUS_CODE,
        n::PROVIDER,
        n::REQUEST_MODEL,
        n::RESPONSE_TIME_TO_FIRST_CHUNK,
        n::OUTPUT_TOKENS,
        n::ATTEMPT_NUMBER,
        n::OUTCOME,
        n::COST,
    ];
    assert_eq!(fields(&attempts[0], names), expected);
    assert!(attempts[0].writes.values().all(|writes| *writes == 1));
    assert_eq!((attempts[0].parent, attempts[0].handles), (Some(0), 0));
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_has_no_first_chunk() {
    log::listen();
    let stack = Stack::of(chain(["gpt-5"])).over(Leaf::new([Step::silent_for(secs(3))]));
    read(ask(&stack, whole("gpt-5")).await.unwrap().into_body()).await;
    let names = [
        n::REQUEST_STREAM,
        n::RESPONSE_TIME_TO_FIRST_CHUNK,
        n::OUTCOME,
        n::RESPONSE_MODEL,
    ];
    let expected = [
        "gen_ai.request.stream=false bool",
        "gen_ai.response.time_to_first_chunk=-",
        "llm.outcome=answered",
        "gen_ai.response.model=gpt-5",
    ];
    assert_eq!(fields(&operation(), names), expected);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_model_is_named_by_what_it_is() {
    log::listen();
    let stack = Stack::of(chain(["gpt-5"])).over(Leaf::new([]));
    read(ask(&stack, streamed()).await.unwrap().into_body()).await;
    let names = [n::SPAN_NAME, n::REQUEST_MODEL, n::RESPONSE_MODEL, n::REQUEST_MAX_TOKENS];
    let expected = [
        "otel.name=chat",
        "gen_ai.request.model=-",
        "gen_ai.response.model=gpt-5",
        "gen_ai.request.max_tokens=-",
    ];
    assert_eq!(fields(&operation(), names), expected);
    assert_eq!(
        fields(&attempts()[0], [n::SPAN_NAME]),
        ["otel.name=chat gpt-5"],
        "the attempt knows it"
    );
}

#[tokio::test(start_paused = true)]
async fn events_belong_to_their_attempt_and_decisions_to_the_operation() {
    log::listen();
    let leaf = Leaf::new([])
        .on("a", [Step::Hang])
        .on("b", [Step::body([Beat::Frame(Stage::Content), Beat::Stall])]);
    let stack = Stack::of(chain(["a", "b"])).over(leaf);
    let response = ask(&stack, stream("a")).await.unwrap();
    // The attempt at `b` stalls once it has begun.
    let reading = read(response.into_body()).await;
    assert_eq!(reading.error.map(|error| error.kind.as_str()), Some("timeout_idle"));
    let spans = log::spans();
    let place = |message: &str| {
        let (_, span) = log::placed()
            .into_iter()
            .find(|(fields, _)| fields["message"] == message)
            .unwrap_or_else(|| panic!("{message}: {:#?}", log::messages()));
        let span = &spans[span.expect("it hangs on a span")];
        (
            span.name,
            span.fields.get(n::REQUEST_MODEL).cloned().unwrap_or_default(),
        )
    };
    assert_eq!(place("attempt timed out"), ("llm attempt", "a".into()));
    assert_eq!(place("attempt failed"), ("llm attempt", "a".into()));
    assert_eq!(place("next candidate"), ("llm operation", "a".into()));
    assert_eq!(place("answer began"), ("llm attempt", "b".into()));
    assert_eq!(place("answer interrupted"), ("llm attempt", "b".into()));
    assert!(
        log::placed().iter().all(|(_, span)| span.is_some()),
        "nothing stands alone"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_of_prompt_answer_key_and_tags_is_recorded() {
    log::listen();
    let fails = fails(FailureKind::Overloaded);
    let leaf = Leaf::new([]).on("a", [Step::fail(fails), Step::body(answer())]);
    let mut stack = Stack::of(chain(["a"]));
    stack.observe = stack.observe.tags(["team"]);
    let mut request = stream("a");
    let key = http::HeaderValue::from_static("Bearer the secret key");
    request.headers_mut().insert("authorization", key);
    read(ask(&stack.over(leaf), request).await.unwrap().into_body()).await;
    let told = format!("{:#?} {:#?}", log::spans(), log::placed());
    assert!(!told.contains("secret"), "{told}");
    assert_eq!(
        fields(&operation(), [n::TAGS]),
        ["llm.tags=team=search"],
        "the one asked for"
    );
}
