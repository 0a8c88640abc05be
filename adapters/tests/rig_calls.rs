//! rig's providers over a stack, with rig's own types.

use futures_util::StreamExt;
use rig_core::{
    client::{CompletionClient, EmbeddingsClient, ModelListingClient},
    completion::{AssistantContent, CompletionModel, CompletionResponse, FinishReason, ToolDefinition},
    embeddings::EmbeddingModel,
    providers::{anthropic, openai, openrouter},
    streaming::StreamedAssistantContent,
};
use tower_openrouter::Stack;
use tower_openrouter_adapters::RigTransport;

use crate::support::{EMBEDDER, FIRST, QUESTION, RESCUED, calls, left, rescued, schema, world};

/// Of each provider that speaks one of the APIs: a model by this name.
macro_rules! models {
    ($stack:expr, $name:ident => $check:expr) => {
        let $name = openai_responses(&$stack).completion_model(FIRST);
        $check
        let $name = openai_chat(&$stack).completion_model(FIRST);
        $check
        let $name = openrouter_chat(&$stack).completion_model(FIRST);
        $check
        let $name = anthropic_messages(&$stack).completion_model(FIRST);
        $check
    };
}
pub(crate) use models;

const KEY: &str = "the stack has its own";

pub(crate) fn openai_responses(stack: &Stack) -> openai::Client<RigTransport> {
    let transport = RigTransport::new(stack.clone());
    openai::Client::builder()
        .api_key(KEY)
        .http_client(transport)
        .build()
        .unwrap()
}

pub(crate) fn openai_chat(stack: &Stack) -> openai::CompletionsClient<RigTransport> {
    let transport = RigTransport::new(stack.clone());
    openai::CompletionsClient::builder()
        .api_key(KEY)
        .http_client(transport)
        .build()
        .unwrap()
}

pub(crate) fn openrouter_chat(stack: &Stack) -> openrouter::Client<RigTransport> {
    let transport = RigTransport::new(stack.clone());
    openrouter::Client::builder()
        .api_key(KEY)
        .http_client(transport)
        .build()
        .unwrap()
}

pub(crate) fn anthropic_messages(stack: &Stack) -> anthropic::Client<RigTransport> {
    let transport = RigTransport::new(stack.clone());
    anthropic::Client::builder()
        .api_key(KEY)
        .http_client(transport)
        .build()
        .unwrap()
}

fn text(response: &CompletionResponse) -> String {
    response
        .choice
        .iter()
        .filter_map(|part| match part {
            AssistantContent::Text(text) => Some(text.text.as_str()),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_dead_first_model_is_rescued() {
    let (simulator, stack) = rescued().await;
    models!(stack, model => {
        let request = model.completion_request(QUESTION).max_tokens(500).build();
        let response = model.completion(request).await.unwrap();
        assert_eq!(text(&response), RESCUED);
        assert!(response.usage.output_tokens > 0, "{:?}", response.usage);
    });
    assert_eq!(calls(&simulator), 8);
}

#[tokio::test(start_paused = true)]
async fn a_dead_first_model_is_rescued_in_a_stream() {
    let (simulator, stack) = rescued().await;
    models!(stack, model => {
        let mut stream = model.completion_request(QUESTION).max_tokens(500).stream().await.unwrap();
        let mut said = String::new();
        while let Some(item) = stream.next().await {
            if let StreamedAssistantContent::Text(text) = item.unwrap() {
                said += &text.text;
            }
        }
        assert_eq!(said, RESCUED);
        let end = stream.response.as_ref().unwrap();
        assert!(end.usage.output_tokens > 0);
        assert_eq!(end.finish_reason, Some(FinishReason::Stop));
    });
    assert_eq!(calls(&simulator), 8);
}

#[tokio::test(start_paused = true)]
async fn tools_are_called_plain_and_streamed() {
    let (_simulator, stack) = world("tool", "ok").await;
    let tool = ToolDefinition {
        name: "get_weather".to_owned(),
        description: "The weather in a city".to_owned(),
        parameters: schema(),
    };
    models!(stack, model => {
        let request = || model.completion_request("How is the weather in Oslo?").max_tokens(500).tool(tool.clone());
        let response = model.completion(request().build()).await.unwrap();
        let called = response.choice.iter().find_map(|part| match part {
            AssistantContent::ToolCall(call) => Some(call.function.clone()),
            _ => None,
        });
        let called = called.unwrap();
        assert_eq!((called.name.as_str(), called.arguments["city"].as_str()), ("get_weather", Some("Oslo")));

        let mut stream = request().stream().await.unwrap();
        let mut streamed = None;
        while let Some(item) = stream.next().await {
            if let StreamedAssistantContent::ToolCall { tool_call, .. } = item.unwrap() {
                streamed = Some(tool_call.function);
            }
        }
        assert_eq!(streamed, Some(called));
    });
}

#[tokio::test(start_paused = true)]
async fn structured_output_fits_its_schema() {
    let (simulator, stack) = world("ok", "ok").await;
    let model = openrouter_chat(&stack).completion_model(FIRST);
    let schema = serde_json::from_value(schema()).unwrap();
    let request = model.completion_request("Where is it?").output_schema(schema).build();
    let response = model.completion(request).await.unwrap();
    let answer = crate::support::parsed(&text(&response));
    assert!(answer["city"].is_string(), "{answer}");
    let sent = crate::support::parsed(std::str::from_utf8(&simulator.report().attempts[0].body).unwrap());
    assert_eq!(sent["response_format"]["type"], "json_schema");
}

#[tokio::test(start_paused = true)]
async fn texts_are_embedded() {
    let (_simulator, stack) = world("ok", "ok").await;
    let texts = || ["one".to_owned(), "two".to_owned()];
    let openai = openai_responses(&stack).embedding_model_with_ndims(EMBEDDER, 8);
    let openrouter = openrouter_chat(&stack).embedding_model_with_ndims(EMBEDDER, 8);
    for rows in [
        openai.embed_texts(texts()).await.unwrap(),
        openrouter.embed_texts(texts()).await.unwrap(),
    ] {
        let lengths: Vec<_> = rows
            .iter()
            .map(|row| (row.document.as_str(), row.vec.is_empty()))
            .collect();
        assert_eq!(lengths, [("one", false), ("two", false)]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_models_of_the_chain_are_listed() {
    let (simulator, stack) = world("ok", "ok").await;
    let models = openai_chat(&stack).list_models().await.unwrap();
    let names: Vec<_> = models.data.iter().map(|model| model.id.as_str()).collect();
    assert!(names.contains(&FIRST), "{names:?}");
    assert!(simulator.report().attempts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn dropping_the_stream_closes_the_connection_upstream() {
    let (simulator, stack) = world("words=900;delay=1s", "ok").await;
    let model = openrouter_chat(&stack).completion_model(FIRST);
    let mut stream = model.completion_request(QUESTION).stream().await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    left(&simulator).await;
}
