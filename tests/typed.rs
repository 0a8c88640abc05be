//! Typed answers, whole messages out of streams, and an answer as a stream.

use futures_util::{StreamExt as _, stream::FusedStream as _};
use http::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tower_openrouter::{
    Answer, ChatBody, ChatRequest, ChatServiceExt as _, Error, FailureKind,
    conformance::JsonSchemaCheck,
    layers::conformance::ConformanceLayer,
    typed::{TypedError, response_format},
};

use crate::{
    scripted::{answer, calls, says, stack},
    support::{FIRST, TEXT, World},
};

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct City {
    name: String,
    inhabitants: Option<u32>,
}

#[tokio::test(start_paused = true)]
async fn the_schema_goes_along_and_the_answer_comes_as_the_type() {
    let (stack, sent) = stack([says(r#"{"name":"Oslo","inhabitants":717710}"#)], |builder| builder);
    let typed = stack
        .complete_as::<City>(ChatRequest::user("Which city?"))
        .await
        .unwrap();
    assert_eq!((&*typed.value.name, typed.value.inhabitants), ("Oslo", Some(717_710)));
    assert!(typed.completion.attempts.is_some());
    let format = &sent.all()[0]["response_format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["json_schema"]["name"], "City");
    assert_eq!(format["json_schema"]["strict"], true);
    let required = format["json_schema"]["schema"]["required"].as_array().unwrap();
    assert!(
        required.len() == 2 && required.contains(&json!("inhabitants")),
        "{required:?}"
    );
    assert_eq!(format["json_schema"]["schema"]["additionalProperties"], false);
}

#[tokio::test(start_paused = true)]
async fn the_simulator_answers_to_the_schema() {
    let world = World::new("ok").await;
    world.simulator.plan(FIRST, "ok").unwrap();
    let stack = world
        .builder()
        .chain([FIRST])
        .conformance(ConformanceLayer::new(JsonSchemaCheck::new()))
        .build()
        .unwrap();
    let typed = stack.complete_as::<City>(ChatRequest::user("Which city?")).await;
    assert!(typed.is_ok(), "{typed:?}");
}

#[tokio::test(start_paused = true)]
async fn what_came_is_kept_whatever_is_wrong_with_it() {
    let refusal = answer(
        json!({"role": "assistant", "content": null, "refusal": "I cannot."}),
        "stop",
    );
    let cut = answer(json!({"role": "assistant", "content": "{\"name\":\"Os"}), "length");
    let (stack, _) = stack([says(r#"{"name":7}"#), refusal, cut], |builder| builder);
    let ask = || stack.complete_as::<City>(ChatRequest::user("Which city?"));

    let error = ask().await.unwrap_err();
    assert!(
        matches!(&error, TypedError::Mismatch(both) if both.0.path() == "name"),
        "{error}"
    );
    assert_eq!(error.text(), Some(r#"{"name":7}"#));
    let error = Error::from(error);
    assert_eq!(error.kind(), FailureKind::Nonconformant);
    assert_eq!(error.partial_text(), Some(r#"{"name":7}"#));
    assert!(error.attempts().is_some());

    let error = ask().await.unwrap_err();
    assert!(matches!(error, TypedError::Refused(_)), "{error}");
    assert!(error.completion().is_some());

    let error = ask().await.unwrap_err();
    assert!(matches!(error, TypedError::CutShort(_)), "{error}");
    assert_eq!(error.text(), Some("{\"name\":\"Os"));
    assert!(!format!("{error} {error:?}").contains("Os\""));

    let error = ask().await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Upstream);
}

#[tokio::test(start_paused = true)]
async fn the_value_may_stand_in_another_choice_than_the_first() {
    let mut split = says(r#"{"name":"Oslo","inhabitants":717710}"#);
    let first = json!({"message": {"role": "assistant", "content": null}, "finish_reason": "stop"});
    split["choices"].as_array_mut().unwrap().insert(0, first);
    let (stack, _) = stack([split], |builder| builder);
    let typed = stack.complete_as::<City>(ChatRequest::user("Which city?")).await;
    assert_eq!(typed.unwrap().value.name, "Oslo");
}

#[tokio::test(start_paused = true)]
async fn a_schema_that_cannot_be_expressed_sends_nothing() {
    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema counts")]
    struct Counts {
        by_name: std::collections::HashMap<String, u32>,
    }
    let (stack, sent) = stack([], |builder| builder);
    let error = stack
        .complete_as::<Counts>(ChatRequest::user("Count."))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, TypedError::Schema(error) if error.path() == "/properties/by_name/additionalProperties"),
        "{error}"
    );
    assert!(sent.all().is_empty());
    assert!(response_format::<Counts>().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stream_becomes_the_message_that_a_plain_call_would_have_brought() {
    let plain = calls(&[("find", r#"{"name":"Oslo"}"#), ("find", r#"{"name":"Bergen"}"#)]);
    let (stack, _) = stack([plain.clone(), plain], |builder| builder);
    let whole = stack.complete(ChatRequest::user("Hi")).await.unwrap().response;
    let streamed = stack.stream(ChatRequest::user("Hi")).await.unwrap();
    let streamed = streamed.into_completion().await.unwrap().response;
    let message = |response: &tower_openrouter::response::ChatResponse| response.choices[0].message.to_message();
    let (one, other) = (
        message(&whole).tool_calls.unwrap(),
        message(&streamed).tool_calls.unwrap(),
    );
    assert_eq!(one.len(), 2);
    assert_eq!(one, other);
    assert_eq!(whole.finish_reason(), streamed.finish_reason());
    assert_eq!(streamed.usage.unwrap().total_tokens, whole.usage.unwrap().total_tokens);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_stream_is_no_message_and_keeps_its_text() {
    let cut = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"The sky\"}}]}\n\n";
    let answer = Answer::new(Response::new(ChatBody::from_event_stream(cut.to_owned())));
    let error = answer.into_completion().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.partial_text()),
        (FailureKind::Truncated, Some("The sky"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_a_stream_that_stays_at_its_end() {
    let world = World::new("GOOD").await;
    let mut answer = world
        .alone()
        .stream(ChatRequest::user("Why is the sky blue?"))
        .await
        .unwrap();
    let mut text = String::new();
    assert!(!answer.is_terminated());
    while let Some(frame) = answer.next().await {
        text.push_str(&frame.unwrap().text().unwrap_or_default());
    }
    assert_eq!(text, TEXT);
    assert!(answer.is_terminated() && answer.next().await.is_none() && answer.next_frame().await.is_none());
    assert!(
        answer.usage().is_some(),
        "its own methods see what was read as a stream"
    );

    let cut = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"The sky\"}}]}\n\n";
    let mut answer = Answer::new(Response::new(ChatBody::from_event_stream(cut.to_owned())));
    let frames: Vec<_> = answer.by_ref().collect().await;
    assert!(frames.last().unwrap().is_err());
    assert!(answer.is_terminated() && answer.next().await.is_none());
}
