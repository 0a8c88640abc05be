//! Failures, as rig's own errors, and no call that rig repeats.

use std::io;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, StatusCode};
use reqwest::Body;
use rig_core::{
    client::CompletionClient,
    completion::{CompletionError, CompletionModel},
    http_client::{Error, HttpClientExt},
    prelude::TranscriptionClient,
    providers::openrouter,
    streaming::StreamedAssistantContent,
    transcription::TranscriptionModel,
};
use tower::service_fn;
use tower_openrouter_adapters::RigTransport;

use crate::{
    rig_calls::{anthropic_messages, models, openai_chat, openai_responses, openrouter_chat},
    support::{FIRST, QUESTION, WORDS, calls, world},
};

/// What a program can read of an error: its status, our word for it in the envelope, and the wait.
fn read(error: &CompletionError) -> (Option<StatusCode>, String, Option<u64>) {
    let envelope = error.provider_response_json().ok().flatten().unwrap_or_default();
    let headers = error.provider_response_headers();
    let wait = headers.and_then(|headers| headers.get("retry-after")?.to_str().ok()?.parse().ok());
    (error.provider_response_status(), envelope.to_string(), wait)
}

#[tokio::test(start_paused = true)]
async fn each_class_of_error_has_its_status_and_our_words() {
    for (plan, status, word) in [
        ("400", 400, "invalid_request"),
        ("401", 502, "upstream_auth"),
        ("403", 403, "upstream_forbidden"),
        ("404", 404, "model_not_found"),
        ("500", 502, "upstream"),
        ("503", 503, "upstream_overloaded"),
    ] {
        for is_streamed in [false, true] {
            let (_simulator, stack) = world(plan, plan).await;
            let model = openrouter_chat(&stack).completion_model(FIRST);
            let request = model.completion_request(QUESTION);
            let error = if is_streamed {
                first_error(request.stream().await.unwrap()).await.1
            } else {
                model.completion(request.build()).await.unwrap_err()
            };
            let (found, envelope, _) = read(&error);
            assert_eq!(found.map(|status| status.as_u16()), Some(status), "{plan}: {error:?}");
            assert!(envelope.contains(word), "{plan}: {envelope}");
        }
    }
}

/// The text before the first error.
async fn first_error(
    mut stream: rig_core::streaming::StreamingCompletionResponse,
) -> (String, CompletionError, Option<StreamedAssistantContent>) {
    let mut said = String::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(StreamedAssistantContent::Text(text)) => said += &text.text,
            Ok(StreamedAssistantContent::Final(end)) if end.finish_reason.is_some() => {
                panic!("it ended as if it were whole: {end:?}")
            }
            Ok(_) => {}
            Err(error) => return (said, error, stream.next().await.and_then(Result::ok)),
        }
    }
    panic!("no error after {said:?}")
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_not_repeated_and_says_how_long_to_wait() {
    let plan = "429-upstream;retry-after=40";
    let (simulator, stack) = world(plan, plan).await;
    let model = openrouter_chat(&stack).completion_model(FIRST);
    let error = model
        .completion(model.completion_request(QUESTION).build())
        .await
        .unwrap_err();
    let (status, envelope, wait) = read(&error);
    assert_eq!(status, Some(StatusCode::TOO_MANY_REQUESTS));
    assert!(envelope.contains("rate_limit_exceeded"), "{envelope}");
    assert!((38..=40).contains(&wait.unwrap()), "{wait:?}");
    assert_eq!(calls(&simulator), 2);

    let (simulator, stack) = world("503", "503").await;
    models!(stack, model => {
        let stream = model.completion_request(QUESTION).max_tokens(500).stream().await;
        let rest = match stream {
            Ok(stream) => stream.collect::<Vec<_>>().await,
            Err(_) => Vec::new(),
        };
        assert!(rest.iter().all(Result::is_err), "{rest:?}");
    });
    assert_eq!(calls(&simulator), 8);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_stream_is_an_error_in_each_api() {
    for (plan, code) in [
        ("words=9;cut@4", "\"truncated\""),
        ("words=9;error=502@4", "\"upstream\""),
    ] {
        let (_simulator, stack) = world(plan, plan).await;
        models!(stack, model => {
            let stream = model.completion_request(QUESTION).max_tokens(500).stream().await.unwrap();
            let (said, error, after) = first_error(stream).await;
            assert_eq!(said.trim_end(), WORDS, "{plan}");
            assert!(matches!(error, CompletionError::ProviderResponse(_)), "{plan}: {error:?}");
            assert!(error.to_string().contains(code), "{plan}: {error}");
            assert!(after.is_none(), "{plan}: {after:?}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_none_of_the_stacks_is_404_with_our_words() {
    let (simulator, stack) = world("ok", "ok").await;
    let model = openai_chat(&stack).transcription_model("openai/whisper-1");
    let error = model
        .transcription_request()
        .data(vec![1, 2, 3])
        .send()
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("no API has this path"), "{error}");
    assert!(error.to_string().contains("404"), "{error}");
    assert!(simulator.report().attempts.is_empty());
}

#[tokio::test]
async fn without_a_stack_each_call_is_an_error() {
    let transport: RigTransport = RigTransport::default();
    let client = openrouter::Client::builder()
        .api_key("none")
        .http_client(transport)
        .build()
        .unwrap();
    let model = client.completion_model(FIRST);
    let error = model
        .completion(model.completion_request(QUESTION).build())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("RigTransport::new(stack)"), "{error}");
}

#[tokio::test]
async fn a_failure_of_a_layer_is_the_clients_own_error() {
    let failing = service_fn(|_: Request<Body>| async { Err::<http::Response<Body>, _>(io::Error::other("full")) });
    let request = Request::post("https://openrouter.ai/api/v1/chat/completions").body(Bytes::new());
    let answer = RigTransport::over(failing).send::<_, Bytes>(request.unwrap()).await;
    let error = answer.err().unwrap();
    assert!(matches!(error, Error::Instance(_)), "{error:?}");
    assert!(error.to_string().contains("full"), "{error}");
}
