//! openrouter-rs: chat, responses, messages, embeddings.

use ::openrouter_rs::{
    OpenRouterClient,
    api::{
        chat::{ChatCompletionRequest, Message},
        embeddings::{EmbeddingInput, EmbeddingRequest, EmbeddingVector},
        messages::{
            AnthropicContentPart, AnthropicMessage, AnthropicMessagesRequest, AnthropicMessagesStreamEvent,
            AnthropicTool,
        },
        responses::ResponsesRequest,
    },
    error::OpenRouterError,
    types::{ResponseFormat, Role, Tool, completion::FinishReason, stream::StreamEvent},
};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::{
    Ask,
    answer::{Answer, Failure, TOOL, schema},
};

pub(crate) async fn call(ask: &Ask, answer: &mut Answer) -> Option<Failure> {
    let result = match ask.api.as_str() {
        "responses" => responses(ask, answer).await,
        "messages" => messages(ask, answer).await,
        "embeddings" => embeddings(ask, answer).await,
        "models" => models(ask, answer).await,
        _ => chat(ask, answer).await,
    };
    result.err().map(failed)
}

fn client(ask: &Ask) -> Result<OpenRouterClient, OpenRouterError> {
    OpenRouterClient::builder()
        .base_url(format!("{}/api/v1", ask.base))
        .api_key(ask.key())
        .build()
}

fn failed(error: OpenRouterError) -> Failure {
    let message = error.to_string();
    match error {
        OpenRouterError::Api(error) => Failure::new("Api", message).status(error.status.as_u16()),
        OpenRouterError::HttpRequest(_) => Failure::new("HttpRequest", message),
        OpenRouterError::Serialization(_) => Failure::new("Serialization", message),
        _ => Failure::new("other", message),
    }
}

async fn chat(ask: &Ask, answer: &mut Answer) -> Result<(), OpenRouterError> {
    let client = client(ask)?;
    let mut request = ChatCompletionRequest::builder();
    request.model(ask.model.as_str()).messages(if ask.prompt.is_empty() {
        Vec::new()
    } else {
        vec![Message::new(Role::User, ask.prompt.as_str())]
    });
    if ask.wants("tools") {
        request.tool(Tool::new(TOOL, "The weather in a city", schema()));
    }
    if ask.wants("schema") {
        request.response_format(ResponseFormat::json_schema("place", true, schema()));
    }
    let request = request.build()?;
    if !ask.stream {
        let whole = client.chat().create(&request).await?;
        for choice in &whole.choices {
            answer.say(choice.content());
            for call in choice.tool_calls().unwrap_or_default() {
                answer.call(Some(&call.function.name), Some(&call.function.arguments));
            }
            answer.finish = choice.finish_reason().map(|reason| json!(reason));
        }
        answer.by(Some(&whole.model));
        if let Some(usage) = &whole.usage {
            answer.count(usage.prompt_tokens, usage.completion_tokens);
        }
        return Ok(());
    }
    let mut events = client.chat().stream_tool_aware(&request).await?;
    while let Some(event) = events.next().await {
        match event {
            StreamEvent::ContentDelta(text) => answer.say(Some(&text)),
            StreamEvent::Error(error) => return Err(error),
            StreamEvent::Done {
                tool_calls,
                finish_reason,
                usage,
                model,
                ..
            } => {
                answer.by(Some(&model));
                for call in tool_calls {
                    answer.call(Some(&call.function.name), Some(&call.function.arguments));
                }
                // This is how the client shows its caller that a stream failed.
                if matches!(finish_reason, Some(FinishReason::Error)) {
                    answer.error = Some(Failure::new("FinishReason::Error", ""));
                }
                answer.finish = finish_reason.map(|reason| json!(reason));
                if let Some(usage) = usage {
                    answer.count(usage.prompt_tokens, usage.completion_tokens);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

async fn responses(ask: &Ask, answer: &mut Answer) -> Result<(), OpenRouterError> {
    let client = client(ask)?;
    let mut request = ResponsesRequest::builder();
    request.model(ask.model.as_str()).input(json!(ask.prompt));
    if ask.wants("tools") {
        request.tools(vec![
            json!({ "type": "function", "name": TOOL, "strict": true, "parameters": schema() }),
        ]);
    }
    if ask.wants("schema") {
        request
            .text(json!({ "format": { "type": "json_schema", "name": "place", "strict": true, "schema": schema() } }));
    }
    let request = request.build()?;
    if !ask.stream {
        let whole = json!(client.responses().create(&request).await?);
        whole_response(&whole, answer);
        return Ok(());
    }
    let mut events = client.responses().stream(&request).await?;
    while let Some(event) = events.next().await {
        let event = event?;
        let text = |name: &str| event.data.get(name).and_then(Value::as_str);
        match event.event_type.as_str() {
            "response.output_text.delta" => answer.say(text("delta")),
            "response.completed" => {
                answer.text.clear();
                whole_response(event.data.get("response").unwrap_or(&Value::Null), answer);
            }
            "error" => answer.error = Some(Failure::new("error", text("message").unwrap_or_default())),
            _ => {}
        }
    }
    Ok(())
}

fn whole_response(response: &Value, answer: &mut Answer) {
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    for item in list(response, "output") {
        let text = |name: &str| item.get(name).and_then(Value::as_str);
        if text("type") == Some("function_call") {
            answer.call(text("name"), text("arguments"));
        }
        for part in list(&item, "content") {
            answer.say(part.get("text").and_then(Value::as_str));
        }
    }
    answer.finish = response.get("status").cloned();
    answer.by(response.get("model").and_then(Value::as_str));
    answer.count_json(response.get("usage").unwrap_or(&Value::Null));
}

async fn messages(ask: &Ask, answer: &mut Answer) -> Result<(), OpenRouterError> {
    let client = client(ask)?;
    let mut request = AnthropicMessagesRequest::builder();
    request
        .model(ask.model.as_str())
        .max_tokens(4096u32)
        .messages(if ask.prompt.is_empty() {
            Vec::new()
        } else {
            vec![AnthropicMessage::user(ask.prompt.as_str())]
        });
    if ask.wants("tools") {
        request.tool(AnthropicTool::custom(TOOL, "The weather in a city", schema()));
    }
    let request = request.build()?;
    if !ask.stream {
        let whole = client.messages().create(&request).await?;
        for part in &whole.content {
            match part {
                AnthropicContentPart::Text { text, .. } => answer.say(Some(text)),
                AnthropicContentPart::ToolUse { name, input, .. } => {
                    let input = input.as_ref().map(Value::to_string);
                    answer.call(Some(name), input.as_deref());
                }
                _ => {}
            }
        }
        answer.by(whole.model.as_deref());
        answer.finish = whole.stop_reason.map(Value::from);
        answer.count_json(&json!(whole.usage));
        return Ok(());
    }
    let mut events = client.messages().stream(&request).await?;
    while let Some(event) = events.next().await {
        match event?.data {
            AnthropicMessagesStreamEvent::MessageStart { message } => answer.by(message.model.as_deref()),
            AnthropicMessagesStreamEvent::ContentBlockStart { content_block, .. } => {
                if let AnthropicContentPart::ToolUse { name, .. } = *content_block {
                    answer.call(Some(&name), None);
                }
            }
            AnthropicMessagesStreamEvent::ContentBlockDelta { delta, .. } => {
                answer.say(delta.get("text").and_then(Value::as_str));
                answer.call(None, delta.get("partial_json").and_then(Value::as_str));
            }
            AnthropicMessagesStreamEvent::MessageDelta { delta, usage } => {
                answer.finish = delta.get("stop_reason").cloned();
                answer.count_json(&usage);
            }
            AnthropicMessagesStreamEvent::Error { error } => {
                let message = error.get("message").and_then(Value::as_str);
                answer.error = Some(Failure::new("Error", message.unwrap_or_default()));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn embeddings(ask: &Ask, answer: &mut Answer) -> Result<(), OpenRouterError> {
    let request = EmbeddingRequest::builder()
        .model(ask.model.as_str())
        .input(EmbeddingInput::TextArray(vec![ask.prompt.clone(), "more".to_owned()]))
        .dimensions(8u32)
        .build()?;
    let got = client(ask)?.models().create_embedding(&request).await?;
    let lengths = got.data.iter().map(|row| match &row.embedding {
        EmbeddingVector::Float(numbers) => numbers.len(),
        _ => 0,
    });
    answer.vectors = Some(lengths.collect());
    if let Some(usage) = &got.usage {
        answer.count(usage.prompt_tokens, 0u32);
    }
    Ok(())
}

async fn models(ask: &Ask, answer: &mut Answer) -> Result<(), OpenRouterError> {
    let list = client(ask)?.models().list().await?;
    answer.models = Some(list.into_iter().map(|model| model.id).collect());
    Ok(())
}
