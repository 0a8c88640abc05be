//! The other APIs of async-openai over a stack, and what is none of the stack's.

use async_openai::{
    error::OpenAIError,
    types::{
        embeddings::{CreateEmbeddingRequest, EmbeddingInput},
        images::CreateImageRequest,
        responses::{
            CreateResponse, FunctionTool, InputParam, OutputItem, Response, ResponseFormatJsonSchema,
            ResponseStreamEvent, ResponseTextParam, Status, TextResponseFormatConfiguration, Tool,
        },
    },
};
use futures_util::StreamExt;

use crate::{
    openai_chat::client,
    support::{EMBEDDER, FIRST, QUESTION, RESCUED, WORDS, calls, parsed, rescued, schema, world},
};

fn question(text: &str) -> CreateResponse {
    CreateResponse {
        model: Some(FIRST.to_owned()),
        input: InputParam::Text(text.to_owned()),
        ..CreateResponse::default()
    }
}

fn with_tool() -> CreateResponse {
    CreateResponse {
        tools: Some(vec![Tool::Function(FunctionTool {
            name: "get_weather".to_owned(),
            parameters: Some(schema()),
            strict: Some(true),
            ..FunctionTool::default()
        })]),
        ..question("How is the weather in Oslo?")
    }
}

fn called(response: &Response) -> (String, String) {
    let call = response.output.iter().find_map(|item| match item {
        OutputItem::FunctionCall(call) => Some((call.name.clone(), call.arguments.clone())),
        _ => None,
    });
    call.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_response_is_rescued_plain_and_streamed() {
    let (simulator, stack) = rescued().await;
    let client = client(stack);
    let response = client.responses().create(question(QUESTION)).await.unwrap();
    assert_eq!(
        (response.output_text().as_deref(), response.status),
        (Some(RESCUED), Status::Completed)
    );
    assert!(response.usage.unwrap().output_tokens > 0);

    let mut stream = client.responses().create_stream(question(QUESTION)).await.unwrap();
    let (mut said, mut whole) = (String::new(), None);
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            ResponseStreamEvent::ResponseOutputTextDelta(text) => said += &text.delta,
            ResponseStreamEvent::ResponseCompleted(end) => whole = end.response.output_text(),
            _ => {}
        }
    }
    assert_eq!((said.as_str(), whole.as_deref()), (RESCUED, Some(RESCUED)));
    assert_eq!(calls(&simulator), 4);
}

#[tokio::test(start_paused = true)]
async fn a_response_calls_tools_plain_and_streamed() {
    let (_simulator, stack) = world("tool", "ok").await;
    let client = client(stack);
    let response = client.responses().create(with_tool()).await.unwrap();
    let (name, arguments) = called(&response);
    assert_eq!(
        (name.as_str(), &parsed(&arguments)["city"]),
        ("get_weather", &"Oslo".into())
    );

    let mut stream = client.responses().create_stream(with_tool()).await.unwrap();
    let mut whole = None;
    while let Some(event) = stream.next().await {
        if let ResponseStreamEvent::ResponseCompleted(end) = event.unwrap() {
            whole = Some(called(&end.response));
        }
    }
    assert_eq!(whole, Some((name, arguments)));
}

#[tokio::test(start_paused = true)]
async fn a_response_fits_its_schema() {
    let (_simulator, stack) = world("ok", "ok").await;
    let format = ResponseFormatJsonSchema {
        name: "place".to_owned(),
        description: None,
        schema: schema(),
        strict: Some(true),
    };
    let request = CreateResponse {
        text: Some(ResponseTextParam {
            format: TextResponseFormatConfiguration::JsonSchema(format),
            verbosity: None,
        }),
        ..question("Where is it?")
    };
    let response = client(stack).responses().create(request).await.unwrap();
    let told = parsed(&response.output_text().unwrap());
    assert!(told["city"].is_string(), "{told}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_stream_of_a_response_ends_with_its_error_event() {
    let (_simulator, stack) = world("words=9;cut@4", "ok").await;
    let mut stream = client(stack)
        .responses()
        .create_stream(question(QUESTION))
        .await
        .unwrap();
    let (mut said, mut last) = (String::new(), None);
    while let Some(event) = stream.next().await {
        let event = event.unwrap();
        if let ResponseStreamEvent::ResponseOutputTextDelta(text) = &event {
            said += &text.delta;
        }
        last = Some(event);
    }
    assert_eq!(said.trim_end(), WORDS);
    let Some(ResponseStreamEvent::ResponseError(error)) = last else {
        panic!("it ended with {last:?}");
    };
    assert_eq!(error.code.as_deref(), Some("truncated"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn texts_are_embedded() {
    let (_simulator, stack) = world("ok", "ok").await;
    let request = CreateEmbeddingRequest {
        model: EMBEDDER.to_owned(),
        input: EmbeddingInput::StringArray(vec!["one".to_owned(), "two".to_owned()]),
        dimensions: Some(8),
        ..CreateEmbeddingRequest::default()
    };
    let answer = client(stack).embeddings().create(request).await.unwrap();
    let lengths: Vec<_> = answer.data.iter().map(|row| row.embedding.len()).collect();
    assert_eq!(lengths, [8, 8]);
}

#[tokio::test(start_paused = true)]
async fn the_models_of_the_chain_are_listed() {
    let (simulator, stack) = world("ok", "ok").await;
    let models = client(stack).models().list().await.unwrap();
    let names: Vec<_> = models.data.iter().map(|model| model.id.as_str()).collect();
    assert!(names.contains(&FIRST), "{names:?}");
    assert!(simulator.report().attempts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_none_of_the_stacks_is_404_with_our_words() {
    let (simulator, stack) = world("ok", "ok").await;
    let client = client(stack);
    let request = CreateImageRequest {
        prompt: "the sky".to_owned(),
        ..CreateImageRequest::default()
    };
    let image = client.images().generate(request).await.map(drop);
    let kept = client.responses().retrieve("resp_1").await.map(drop);
    for (what, failed) in [("image", image), ("kept response", kept)] {
        let Err(OpenAIError::ApiError(error)) = failed else {
            panic!("{what}: {failed:?}");
        };
        assert_eq!(error.status_code.as_u16(), 404, "{what}");
        assert_eq!(error.api_error.code.as_deref(), Some("unknown_url"), "{what}");
        assert!(
            error.api_error.message.starts_with("no API has this path: use"),
            "{what}: {error}"
        );
    }
    assert!(simulator.report().attempts.is_empty());
}
