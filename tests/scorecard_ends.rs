//! S06, S09 and S11 to S13 of the scorecard in the other APIs: silence is left with the defaults as well, an end that lacks its last mark is an end, a
//! request that is too long for one model goes to another at once, in whatever form the upstream says so, and what a filter refused is final.

use std::time::Duration;

use tokio::time::Instant;
use tower_openrouter::{Api, FailureKind as K, Phase, Stack, layers::resume::ResumeLayer};

use crate::{
    apis::{Got, SKY, call, event, first_does, forms, is_good, plain, request, stream},
    scorecard_apis::{OTHERS, ask, sent, standard, whole, with_defaults, world},
    support::{
        FIRST, SECOND, TEXT, World,
        raw::{Raw, Step, events, head, json, send},
    },
};

/// As for the simulator: two retries, one fallback.
fn over(raw: &Raw) -> Stack {
    let builder = raw.builder().chain([FIRST, SECOND]).attempts_per_candidate(3);
    builder.idle_timeout(Duration::from_secs(15)).build().unwrap()
}

/// The answer of the first model, from one attempt.
fn whole_at_once(what: &str, got: &Got) {
    assert_eq!((got.text.as_str(), got.kind()), (SKY, None), "{what}: {got:?}");
    assert_eq!(sent(got), [FIRST], "{what}");
}

#[tokio::test(start_paused = true)]
async fn s06_with_the_defaults_is_passed_in_every_api() {
    for api in OTHERS {
        for &streamed in forms(api) {
            let what = format!("S06 {api}, streamed: {streamed}");
            let (world, spare) = (world(api, "hang").await, World::new("ok").await);
            let begun = Instant::now();
            let got = call(&with_defaults(api, &world, &spare).build().unwrap(), ask(api, streamed)).await;
            whole(&what, api, &got);
            assert_eq!(sent(&got), [FIRST, SECOND], "{what}");
            let (took, within) = (begun.elapsed(), if streamed { 30 } else { 100 });
            assert!(took <= Duration::from_secs(within), "{what}: {took:?}");
        }
    }
}

/// A message is resumed; a response that was shown ends in the honest error.
#[tokio::test(start_paused = true)]
async fn s09_with_the_defaults_is_passed_in_every_api() {
    const SHORT: &str = "stall=30s@4";
    for api in [Api::Responses, Api::Messages] {
        for stall in [SHORT, "stall=500s@4"] {
            for streamed in [true, false] {
                let what = format!("S09 {api} {stall}, streamed: {streamed}");
                let world = World::new(&format!("GOOD;{stall}")).await;
                let builder = with_defaults(api, &world, &world).resume(ResumeLayer::new());
                let begun = Instant::now();
                let got = call(&builder.build().unwrap(), ask(api, streamed)).await;
                // The short one is as long as the timeout.
                let may_be_whole = !streamed || api == Api::Messages || (stall == SHORT && got.kind().is_none());
                if may_be_whole {
                    whole(&what, api, &got);
                } else {
                    assert_eq!(got.kind(), Some(K::Timeout(Phase::Idle)), "{what}: {got:?}");
                    assert!(
                        !got.text.is_empty() && got.text.len() < TEXT.len() && TEXT.starts_with(&got.text),
                        "{what}: {got:?}"
                    );
                    assert_eq!(sent(&got), [FIRST], "{what}");
                }
                assert!(
                    begun.elapsed() <= Duration::from_secs(45),
                    "{what}: {:?}",
                    begun.elapsed()
                );
            }
        }
    }
    // The simulator sends a list of vectors in one piece.
    let list = plain(Api::Embeddings);
    let (half, _) = list.split_at(list.len() / 2);
    let raw = first_does(Api::Embeddings, vec![json(), send(half), Step::Hang]).await;
    let stack = raw.builder().chain([FIRST, SECOND]).fallback_for_embeddings(true);
    let begun = Instant::now();
    let got = call(&stack.build().unwrap(), request(Api::Embeddings, false)).await;
    assert!(is_good(Api::Embeddings, &got), "{got:?}");
    assert!(begun.elapsed() <= Duration::from_secs(45), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn s11_a_response_without_its_last_mark_is_an_end() {
    // Behind the last item OpenRouter was seen to close the stream: then the usage is missing.
    for (plan, has_usage) in [("no-done;GOOD", true), ("no-finish;GOOD", false)] {
        let world = World::new(plan).await;
        let stack = standard(Api::Responses, &world, &world).build().unwrap();
        let begun = Instant::now();
        let got = call(&stack, ask(Api::Responses, true)).await;
        whole(plan, Api::Responses, &got);
        assert_eq!((sent(&got), got.has_usage()), (vec![FIRST], has_usage), "{plan}");
        assert!(
            begun.elapsed() <= Duration::from_secs(8),
            "{plan}: {:?}",
            begun.elapsed()
        );
    }
}

/// Some gateways end a message with `[DONE]`, and send no `message_stop`. Without either it is not known whether something is missing.
#[tokio::test(start_paused = true)]
async fn s11_a_message_without_its_last_event_is_an_end_if_it_is_done() {
    let (begun, ended) = stream(Api::Messages);
    let (reason, _) = ended.split_once("event: message_stop").unwrap();
    let of = |text: String| [events(), send(text)];
    let raw = first_does(Api::Messages, of(format!("{begun}{reason}data: [DONE]\n\n")).to_vec()).await;
    let got = call(&over(&raw), request(Api::Messages, true)).await;
    whole_at_once("with [DONE]", &got);
    assert!(got.has_usage());
    // What is shown behind the reason takes it back, and a block that is open has no end.
    let more = r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" And"}}"#;
    let (_, open_reason) = reason.split_once("\n\n").unwrap();
    for (what, text) in [
        ("closed", format!("{begun}{reason}")),
        ("more", format!("{begun}{reason}{}", event(more))),
        ("an open block", format!("{begun}{open_reason}")),
        ("no reason", begun.clone()),
    ] {
        let raw = first_does(Api::Messages, of(text).to_vec()).await;
        let got = call(&over(&raw), request(Api::Messages, true)).await;
        assert_eq!(got.kind(), Some(K::Truncated), "{what}: {got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s12_too_long_a_context_goes_to_another_model_at_once_in_every_api() {
    for api in OTHERS {
        for streamed in [true, false] {
            for plan in ["400-context", "400-context;error-shape=string-code"] {
                let is_met = match api {
                    Api::Embeddings => !streamed,
                    _ => true,
                };
                // The second shape is that of Responses alone.
                if !is_met || (plan.contains(';') && api != Api::Responses) {
                    continue;
                }
                let what = format!("{api} {plan}, streamed: {streamed}");
                let (world, spare) = (world(api, plan).await, World::new("ok").await);
                let got = call(&standard(api, &world, &spare).build().unwrap(), ask(api, streamed)).await;
                whole(&what, api, &got);
                assert_eq!(sent(&got), [FIRST, SECOND], "{what}");
            }
        }
    }
}

/// The words of real servers.
#[tokio::test(start_paused = true)]
async fn s12_is_met_in_each_form_that_servers_send() {
    let refused = |body: String| vec![head("400 Bad Request", "application/json"), send(body)];
    let openai = |words: &str, code: &str| {
        refused(format!(
            r#"{{"error":{{"message":"{words}","type":"invalid_request_error","param":"input","code":{code}}}}}"#
        ))
    };
    let anthropic = |words: &str| {
        refused(format!(
            r#"{{"type":"error","error":{{"type":"invalid_request_error","message":"{words}"}},"request_id":"req_1"}}"#
        ))
    };
    let streamed = |list: &[&str]| {
        let text: String = list.iter().map(|json| event(json)).collect();
        vec![events(), send(text)]
    };
    let too_long = "Your input exceeds the context window of this model. Please adjust your input and try again.";
    let created = r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"a/b","output":[]}}"#;
    let error = format!(
        r#"{{"type":"error","sequence_number":2,"error":{{"type":"invalid_request_error","code":"context_length_exceeded","message":"{too_long}","param":"input"}}}}"#
    );
    let failed = format!(
        r#"{{"type":"response.failed","sequence_number":2,"response":{{"id":"resp_1","object":"response","status":"failed","output":[],"error":{{"code":"context_length_exceeded","message":"{too_long}"}},"usage":null}}}}"#
    );
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"a/b","content":[],"stop_reason":null,"usage":{"input_tokens":200000,"output_tokens":1}}}"#;
    let full = r#"{"type":"message_delta","delta":{"stop_reason":"model_context_window_exceeded","stop_sequence":null},"usage":{"output_tokens":0}}"#;
    let whole_full = r#"{"id":"msg_1","type":"message","role":"assistant","model":"a/b","content":[],"stop_reason":"model_context_window_exceeded","stop_sequence":null,"usage":{"input_tokens":200000,"output_tokens":0}}"#;
    for (api, is_streamed, steps) in [
        (Api::Responses, true, openai(too_long, "\"context_length_exceeded\"")),
        (Api::Responses, false, openai(too_long, "\"context_length_exceeded\"")),
        (Api::Responses, true, streamed(&[created, &error])),
        (Api::Responses, true, streamed(&[created, &failed])),
        (
            Api::Messages,
            false,
            anthropic("prompt is too long: 208310 tokens > 200000 maximum"),
        ),
        (
            Api::Messages,
            true,
            anthropic(
                "input length and `max_tokens` exceed context limit: 199759 + 8192 > 200000, decrease input length or `max_tokens` and try again",
            ),
        ),
        (
            Api::Messages,
            true,
            streamed(&[start, full, r#"{"type":"message_stop"}"#]),
        ),
        (Api::Messages, false, vec![json(), send(whole_full)]),
    ] {
        let what = format!("{api}, streamed: {is_streamed}, {steps:?}");
        let raw = first_does(api, steps).await;
        let got = call(&over(&raw), request(api, is_streamed)).await;
        assert_eq!((got.text.as_str(), got.kind()), (SKY, None), "{what}: {got:?}");
        assert_eq!(sent(&got), [FIRST, SECOND], "{what}");
    }
}

/// A limit that was reached is an end, also if hidden reasoning has taken all of it; and the last model's refusal is reported as what it is.
#[tokio::test(start_paused = true)]
async fn s12_a_limit_that_was_reached_is_an_answer() {
    for api in [Api::Responses, Api::Messages] {
        for streamed in [true, false] {
            for plan in ["words=3;finish=length", "reasoning-only"] {
                let what = format!("{api} {plan}, streamed: {streamed}");
                let world = World::new(plan).await;
                let got = call(&standard(api, &world, &world).build().unwrap(), ask(api, streamed)).await;
                assert_eq!((got.kind(), sent(&got)), (None, vec![FIRST]), "{what}: {got:?}");
            }
            let world = World::new("400-context").await;
            let alone = standard(api, &world, &world).chain([FIRST]).build().unwrap();
            let got = call(&alone, ask(api, streamed)).await;
            assert_eq!(got.kind(), Some(K::ContextLengthExceeded), "{api}: {got:?}");
            assert_eq!(sent(&got), [FIRST], "{api}");
        }
    }
}

/// An answer that a filter withheld counts as refused, too.
#[tokio::test(start_paused = true)]
async fn s13_a_content_filter_is_final_in_every_api() {
    for api in OTHERS {
        for &streamed in forms(api) {
            for plan in ["400-policy", "403-moderation", "finish=content_filter;text="] {
                // Vectors have no reason to end.
                if api == Api::Embeddings && plan.starts_with("finish") {
                    continue;
                }
                let what = format!("S13 {api} {plan}, streamed: {streamed}");
                let world = world(api, plan).await;
                let got = call(&standard(api, &world, &world).build().unwrap(), ask(api, streamed)).await;
                assert_eq!(got.kind(), Some(K::ContentFiltered), "{what}: {got:?}");
                assert_eq!(world.simulator.report().attempts.len(), 1, "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s13_a_caller_sees_that_a_filter_ended_an_answer_or_that_the_model_refused() {
    for (api, plan, mark) in [
        (
            Api::Responses,
            "finish=content_filter;GOOD",
            r#""incomplete_details":{"reason":"content_filter"}"#,
        ),
        (Api::Responses, "finish=refusal;GOOD", r#""type":"refusal""#),
        (
            Api::Messages,
            "finish=content_filter;GOOD",
            r#""stop_reason":"refusal""#,
        ),
    ] {
        for streamed in [true, false] {
            let what = format!("S13 {api} {plan}, streamed: {streamed}");
            let world = World::new(plan).await;
            let got = call(&standard(api, &world, &world).build().unwrap(), ask(api, streamed)).await;
            assert_eq!((got.kind(), sent(&got)), (None, vec![FIRST]), "{what}: {got:?}");
            let bytes = got.bytes().concat();
            assert!(
                memchr::memmem::find(&bytes, mark.as_bytes()).is_some(),
                "{what}: {got:?}"
            );
            if !plan.starts_with("finish=refusal") {
                assert_eq!(got.text, TEXT, "{what}");
            }
        }
    }
}
