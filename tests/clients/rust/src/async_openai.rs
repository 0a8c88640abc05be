//! async-openai: chat, responses, embeddings.

use ::async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    middleware::ReqwestService,
    types::{
        chat::{
            ChatCompletionMessageToolCalls, ChatCompletionRequestUserMessage, ChatCompletionStreamOptions,
            ChatCompletionTool, ChatCompletionTools, CreateChatCompletionRequest, FunctionObject, ResponseFormat,
            ResponseFormatJsonSchema,
        },
        embeddings::{CreateEmbeddingRequest, EmbeddingInput},
        responses::{
            CreateResponse, FunctionTool, InputParam, OutputItem, Response, ResponseStreamEvent, ResponseTextParam,
            TextResponseFormatConfiguration, Tool,
        },
    },
};
use futures_util::StreamExt;
use serde_json::json;

use crate::{
    Ask,
    answer::{Answer, Failure, TOOL, schema},
};

pub(crate) async fn call(ask: &Ask, answer: &mut Answer) -> Option<Failure> {
    let config = OpenAIConfig::new()
        .with_api_base(format!("{}/v1", ask.base))
        .with_api_key(ask.key());
    // A service of its own is how its retries are switched off.
    let client = Client::with_config(config).with_http_service(ReqwestService::new(reqwest::Client::new()));
    let result = match ask.api.as_str() {
        "responses" => responses(&client, ask, answer).await,
        "embeddings" => embeddings(&client, ask, answer).await,
        "models" => models(&client, answer).await,
        _ => chat(&client, ask, answer).await,
    };
    result.err().map(failed)
}

fn failed(error: OpenAIError) -> Failure {
    let message = error.to_string();
    match error {
        OpenAIError::ApiError(error) => Failure::new("ApiError", message).status(error.status_code.as_u16()),
        OpenAIError::Reqwest(_) => Failure::new("Reqwest", message),
        OpenAIError::JSONDeserialize(..) => Failure::new("JSONDeserialize", message),
        OpenAIError::StreamError(_) => Failure::new("StreamError", message),
        _ => Failure::new("other", message),
    }
}

async fn chat(client: &Client<OpenAIConfig>, ask: &Ask, answer: &mut Answer) -> Result<(), OpenAIError> {
    let mut request = CreateChatCompletionRequest {
        model: ask.model.clone(),
        ..CreateChatCompletionRequest::default()
    };
    if !ask.prompt.is_empty() {
        request.messages = vec![ChatCompletionRequestUserMessage::from(ask.prompt.as_str()).into()];
    }
    if ask.wants("tools") {
        let function = FunctionObject {
            name: TOOL.to_owned(),
            parameters: Some(schema()),
            ..FunctionObject::default()
        };
        request.tools = Some(vec![ChatCompletionTools::Function(ChatCompletionTool { function })]);
    }
    if ask.wants("schema") {
        request.response_format = Some(ResponseFormat::JsonSchema { json_schema: place() });
    }
    if !ask.stream {
        let whole = client.chat().create(request).await?;
        for choice in &whole.choices {
            answer.say(choice.message.content.as_deref());
            for call in choice.message.tool_calls.iter().flatten() {
                if let ChatCompletionMessageToolCalls::Function(call) = call {
                    answer.call(Some(&call.function.name), Some(&call.function.arguments));
                }
            }
            answer.finish = choice.finish_reason.map(|reason| json!(reason));
        }
        answer.by(Some(&whole.model));
        if let Some(usage) = &whole.usage {
            answer.count(usage.prompt_tokens, usage.completion_tokens);
        }
        return Ok(());
    }
    request.stream_options = Some(ChatCompletionStreamOptions {
        include_usage: Some(true),
        include_obfuscation: None,
    });
    let mut chunks = client.chat().create_stream(request).await?;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        answer.by(Some(&chunk.model));
        for choice in &chunk.choices {
            answer.say(choice.delta.content.as_deref());
            for call in choice.delta.tool_calls.iter().flatten() {
                let function = call.function.as_ref();
                answer.call(
                    function.and_then(|function| function.name.as_deref()),
                    function.and_then(|function| function.arguments.as_deref()),
                );
            }
            answer.finish = choice
                .finish_reason
                .map(|reason| json!(reason))
                .or(answer.finish.take());
        }
        if let Some(usage) = &chunk.usage {
            answer.count(usage.prompt_tokens, usage.completion_tokens);
        }
    }
    Ok(())
}

async fn responses(client: &Client<OpenAIConfig>, ask: &Ask, answer: &mut Answer) -> Result<(), OpenAIError> {
    let mut request = CreateResponse {
        model: Some(ask.model.clone()),
        input: InputParam::Text(ask.prompt.clone()),
        ..CreateResponse::default()
    };
    if ask.wants("tools") {
        request.tools = Some(vec![Tool::Function(FunctionTool {
            name: TOOL.to_owned(),
            parameters: Some(schema()),
            strict: Some(true),
            ..FunctionTool::default()
        })]);
    }
    if ask.wants("schema") {
        request.text = Some(ResponseTextParam {
            format: TextResponseFormatConfiguration::JsonSchema(place()),
            verbosity: None,
        });
    }
    if !ask.stream {
        whole(&client.responses().create(request).await?, answer);
        return Ok(());
    }
    let mut events = client.responses().create_stream(request).await?;
    while let Some(event) = events.next().await {
        match event? {
            ResponseStreamEvent::ResponseOutputTextDelta(text) => answer.say(Some(&text.delta)),
            ResponseStreamEvent::ResponseCompleted(end) => {
                answer.text.clear();
                whole(&end.response, answer);
            }
            // The error of a stream is an event of its own to the caller.
            ResponseStreamEvent::ResponseError(error) => {
                answer.error = Some(Failure::new("ResponseError", error.message));
            }
            _ => {}
        }
    }
    Ok(())
}

fn whole(response: &Response, answer: &mut Answer) {
    answer.say(response.output_text().as_deref());
    for item in &response.output {
        if let OutputItem::FunctionCall(call) = item {
            answer.call(Some(&call.name), Some(&call.arguments));
        }
    }
    answer.finish = Some(json!(response.status));
    answer.by(Some(&response.model));
    if let Some(usage) = &response.usage {
        answer.count(usage.input_tokens, usage.output_tokens);
    }
}

fn place() -> ResponseFormatJsonSchema {
    ResponseFormatJsonSchema {
        name: "place".to_owned(),
        description: None,
        schema: schema(),
        strict: Some(true),
    }
}

async fn embeddings(client: &Client<OpenAIConfig>, ask: &Ask, answer: &mut Answer) -> Result<(), OpenAIError> {
    let request = CreateEmbeddingRequest {
        model: ask.model.clone(),
        input: EmbeddingInput::StringArray(vec![ask.prompt.clone(), "more".to_owned()]),
        dimensions: Some(8),
        ..CreateEmbeddingRequest::default()
    };
    let got = client.embeddings().create(request).await?;
    answer.vectors = Some(got.data.iter().map(|row| row.embedding.len()).collect());
    answer.count(got.usage.prompt_tokens, 0u32);
    Ok(())
}

async fn models(client: &Client<OpenAIConfig>, answer: &mut Answer) -> Result<(), OpenAIError> {
    let list = client.models().list().await?;
    answer.models = Some(list.data.into_iter().map(|model| model.id).collect());
    Ok(())
}
