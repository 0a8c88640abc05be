//! async-openai's chat over a stack, with its own types.

use std::time::Duration;

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::chat::{
        ChatCompletionMessageToolCalls, ChatCompletionRequestUserMessage, ChatCompletionResponseStream,
        ChatCompletionStreamOptions, ChatCompletionTool, ChatCompletionTools, CreateChatCompletionRequest,
        FinishReason, FunctionObject, ResponseFormat, ResponseFormatJsonSchema,
    },
};
use futures_util::StreamExt;
use tokio::time::Instant;
use tower_openrouter::Stack;
use tower_openrouter_adapters::AsyncOpenAiTransport;

use crate::support::{FIRST, QUESTION, RESCUED, calls, left, parsed, rescued, schema, world};

/// A client as a program has it, and one line more.
pub(crate) fn client(stack: Stack) -> Client<OpenAIConfig> {
    let config = OpenAIConfig::new()
        .with_api_base("https://api.openai.com/v1")
        .with_api_key("the stack has its own");
    Client::with_config(config).with_http_service(AsyncOpenAiTransport::new(stack))
}

pub(crate) fn question(text: &str) -> CreateChatCompletionRequest {
    CreateChatCompletionRequest {
        model: FIRST.to_owned(),
        messages: vec![ChatCompletionRequestUserMessage::from(text).into()],
        ..CreateChatCompletionRequest::default()
    }
}

fn with_tool() -> CreateChatCompletionRequest {
    let function = FunctionObject {
        name: "get_weather".to_owned(),
        parameters: Some(schema()),
        ..FunctionObject::default()
    };
    CreateChatCompletionRequest {
        tools: Some(vec![ChatCompletionTools::Function(ChatCompletionTool { function })]),
        ..question("How is the weather in Oslo?")
    }
}

/// What a stream says, its finish reason, and its count of tokens.
async fn read(mut stream: ChatCompletionResponseStream) -> (String, Option<FinishReason>, u32) {
    let (mut said, mut finish, mut tokens) = (String::new(), None, 0);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.unwrap();
        for choice in chunk.choices {
            said += &choice.delta.content.unwrap_or_default();
            finish = choice.finish_reason.or(finish);
        }
        tokens = chunk.usage.map_or(tokens, |usage| usage.completion_tokens);
    }
    (said, finish, tokens)
}

#[tokio::test(start_paused = true)]
async fn a_dead_first_model_is_rescued() {
    let (simulator, stack) = rescued().await;
    let answer = client(stack).chat().create(question(QUESTION)).await.unwrap();
    let choice = &answer.choices[0];
    assert_eq!(choice.message.content.as_deref(), Some(RESCUED));
    assert_eq!(choice.finish_reason, Some(FinishReason::Stop));
    assert!(answer.usage.unwrap().completion_tokens > 0);
    assert_eq!(calls(&simulator), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dead_first_model_is_rescued_in_a_stream() {
    let (simulator, stack) = rescued().await;
    let request = CreateChatCompletionRequest {
        stream_options: Some(ChatCompletionStreamOptions {
            include_usage: Some(true),
            include_obfuscation: None,
        }),
        ..question(QUESTION)
    };
    let (said, finish, tokens) = read(client(stack).chat().create_stream(request).await.unwrap()).await;
    assert_eq!((said.as_str(), finish), (RESCUED, Some(FinishReason::Stop)));
    assert!(tokens > 0);
    assert_eq!(calls(&simulator), 2);
}

#[tokio::test(start_paused = true)]
async fn chunks_come_as_they_are_generated() {
    let (_simulator, stack) = world("words=9;stall=20s@4", "ok").await;
    let begun = Instant::now();
    let mut stream = client(stack).chat().create_stream(question(QUESTION)).await.unwrap();
    let first = stream.next().await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let begin = first.choices[0].delta.content.clone().unwrap();
    let said = begin + &read(stream).await.0;
    assert_eq!(said.split_whitespace().count(), 9, "{said}");
    assert!(begun.elapsed() >= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn tools_are_called_plain_and_streamed() {
    let (_simulator, stack) = world("tool", "ok").await;
    let client = client(stack);
    let answer = client.chat().create(with_tool()).await.unwrap();
    assert_eq!(answer.choices[0].finish_reason, Some(FinishReason::ToolCalls));
    let ChatCompletionMessageToolCalls::Function(call) = &answer.choices[0].message.tool_calls.as_ref().unwrap()[0]
    else {
        panic!("no function is called");
    };
    assert_eq!(call.function.name, "get_weather");
    assert_eq!(parsed(&call.function.arguments)["city"], "Oslo");

    let mut stream = client.chat().create_stream(with_tool()).await.unwrap();
    let (mut name, mut arguments) = (String::new(), String::new());
    while let Some(chunk) = stream.next().await {
        for call in chunk
            .unwrap()
            .choices
            .into_iter()
            .filter_map(|choice| choice.delta.tool_calls)
            .flatten()
        {
            let function = call.function.unwrap();
            name += &function.name.unwrap_or_default();
            arguments += &function.arguments.unwrap_or_default();
        }
    }
    assert_eq!(
        (name, arguments),
        ("get_weather".to_owned(), call.function.arguments.clone())
    );
}

#[tokio::test(start_paused = true)]
async fn structured_output_fits_its_schema() {
    let (_simulator, stack) = world("ok", "ok").await;
    let request = CreateChatCompletionRequest {
        response_format: Some(ResponseFormat::JsonSchema {
            json_schema: ResponseFormatJsonSchema {
                name: "place".to_owned(),
                description: None,
                schema: schema(),
                strict: Some(true),
            },
        }),
        ..question("Where is it?")
    };
    let answer = client(stack).chat().create(request).await.unwrap();
    let told = parsed(answer.choices[0].message.content.as_deref().unwrap());
    assert!(told["city"].is_string(), "{told}");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_stream_closes_the_connection_upstream() {
    let (simulator, stack) = world("words=900;delay=1s", "ok").await;
    let mut stream = client(stack).chat().create_stream(question(QUESTION)).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    left(&simulator).await;
    assert!(simulator.report().attempts[0].pieces < 30);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_call_closes_the_connection_upstream() {
    let (simulator, stack) = world("hang", "ok").await;
    let client = client(stack);
    let chat = client.chat();
    let call = chat.create(question(QUESTION));
    assert!(tokio::time::timeout(Duration::from_millis(500), call).await.is_err());
    left(&simulator).await;
}
