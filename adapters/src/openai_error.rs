//! Failures as async-openai's own error.

use async_openai::error::{ApiError, ApiErrorResponse, OpenAIError, WrappedError};
use http::StatusCode;
use serde::Deserialize;

/// A response that is an error. async-openai itself reads the envelope of statuses below 500 only, and takes the whole body of the others for
/// the message.
pub(crate) async fn api_error(response: reqwest::Response) -> OpenAIError {
    let status_code = response.status();
    let body = match response.bytes().await {
        Ok(body) => body,
        Err(error) => return error.into(),
    };
    let api_error = match serde_json::from_slice::<WrappedError>(&body) {
        Ok(wrapped) => wrapped.error,
        // Of a layer around the endpoints.
        Err(_) => ApiError {
            message: String::from_utf8_lossy(&body).into_owned(),
            ..ApiError::default()
        },
    };
    OpenAIError::ApiError(ApiErrorResponse { status_code, api_error })
}

/// Why a chat's stream was interrupted, as the call's error would have been before the answer began; `None` for any other error.
///
/// The last chunk of an interrupted chat has the finish reason `error` and a member `error`. async-openai knows neither: to its caller the
/// chunk is an `OpenAIError::JSONDeserialize`, with the chunk as text. A stream of responses needs no help: its last event is
/// `ResponseStreamEvent::ResponseError`, with message and code.
///
/// ```
/// use async_openai::types::chat::ChatCompletionResponseStream;
/// use futures_util::StreamExt;
/// use tower_openrouter_adapters::stream_error;
///
/// # async fn show(mut stream: ChatCompletionResponseStream) {
/// while let Some(chunk) = stream.next().await {
///     match chunk {
///         Ok(chunk) => println!("{chunk:?}"),
///         Err(error) => match stream_error(&error) {
///             Some(why) => println!("interrupted: {} {:?}", why.status_code, why.api_error.code),
///             None => println!("{error}"),
///         },
///     }
/// }
/// # }
/// ```
#[must_use]
pub fn stream_error(error: &OpenAIError) -> Option<ApiErrorResponse> {
    let OpenAIError::JSONDeserialize(_, chunk) = error else {
        return None;
    };
    let last: LastChunk = serde_json::from_str(chunk).ok()?;
    Some(ApiErrorResponse {
        status_code: StatusCode::from_u16(last.error.code).ok()?,
        api_error: ApiError {
            message: last.error.message,
            r#type: last.error.r#type,
            param: last.error.param,
            code: last.error.metadata.map(|metadata| metadata.error_type),
            ..ApiError::default()
        },
    })
}

#[derive(Deserialize)]
struct LastChunk {
    error: Detail,
}

#[derive(Deserialize)]
struct Detail {
    message: String,
    r#type: Option<String>,
    param: Option<String>,
    code: u16,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    error_type: String,
}
