//! One call of an endpoint: from the bytes of a request to the response.

use std::{error::Error as StdError, future::Future, sync::Arc};

use bytes::{Buf, Bytes};
use http::{Method, Request, Response, header, request};
use http_body::Body;
use tokio::time::{Instant, timeout};
#[cfg(feature = "cache")]
use tower_llm_layers::cache::idempotency::IdempotencyKey;
use tower_llm_layers::{AttemptLog, LlmRequest, rate_limit::LimitReport};

use super::{
    EndpointBody,
    body_budget::BodyBytes,
    decode::Coding,
    envelope::Shape,
    headers::{
        EVENTS, check_version, client_retries, client_timeout, from_client, set_event_stream_headers, to_client,
    },
    limits::write_limits,
    problem::Problem,
    settings::Settings,
    upload,
    waiting::{KeepAlive, Waiting},
};
use crate::{
    Api, ApiRequest, ChatFrame, Error, Tags,
    stack::{Answer, ChatService},
};

/// Answers one request to this API.
pub(super) async fn answer<S, B>(
    stack: S,
    shape: Shape,
    settings: Arc<Settings>,
    mut request: Request<B>,
) -> Response<EndpointBody>
where
    S: ChatService,
    B: Body<Data: Buf, Error: Into<Box<dyn StdError + Send + Sync>>>,
{
    let method = request.method().clone();
    let report = request.extensions_mut().get_or_insert_default::<LimitReport>().clone();
    let mut response = match respond(stack, shape, &settings, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(shape),
    };
    write_limits(response.headers_mut(), &report);
    for_method(response, &method)
}

/// To HEAD the same head, with the length of the body that is left out.
pub(super) fn for_method(response: Response<EndpointBody>, method: &Method) -> Response<EndpointBody> {
    if *method != Method::HEAD {
        return response;
    }
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.into_length() {
        head.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(head, EndpointBody::default())
}

/// The answer, or why there is none.
async fn respond<S, B>(
    stack: S,
    shape: Shape,
    settings: &Settings,
    request: Request<B>,
) -> Result<Response<EndpointBody>, Problem>
where
    S: ChatService,
    B: Body<Data: Buf, Error: Into<Box<dyn StdError + Send + Sync>>>,
{
    if request.method() != Method::POST {
        return Err(Problem::wrong_method(request.method(), "POST"));
    }
    let (parts, body) = request.into_parts();
    if shape.api == Api::Messages {
        check_version(&parts.headers)?;
    }
    // A small body is counted until the response begins.
    let (body, _counted) = read_body(&parts, body, settings).await?;
    let mut call = ApiRequest::from_json(shape.api, body).map_err(|error| Problem::of_request(&error))?;
    let streaming = call.is_streaming();
    if let Some(time) = client_timeout(&parts.headers) {
        let (call, ends) = (call.call_mut(), Instant::now() + time);
        // After that no client waits for the answer. Of a stream it waits for the head only.
        if streaming {
            call.limit_first_token(ends);
        } else {
            call.limit_deadline(ends);
        }
    }
    if let Some(retries) = client_retries(&parts.headers) {
        tracing::info!(retries, "the client sends this call again");
    }
    let mut outgoing = call.into_http();
    *outgoing.headers_mut() = from_client(&parts.headers, shape.api, &settings.headers);
    // What layers in front have found out, the tenant say, stays with the call.
    *outgoing.extensions_mut() = parts.extensions;
    #[cfg(feature = "cache")]
    if let Some(key) = IdempotencyKey::from_headers(&parts.headers) {
        // Not as a header, which would go upstream.
        outgoing.extensions_mut().insert(key);
    }

    let asked = crate::stack::respond(stack, outgoing);
    if streaming {
        return streamed(asked, shape, settings.keep_alive).await;
    }
    let response = asked.await.map_err(|error| Problem::of_failure(&error))?;
    let (head, body) = response.into_parts();
    let attempts = head.extensions.get::<AttemptLog>();
    let headers = to_client(&head, shape.api, attempts, "application/json");
    let plain = Answer::read_at_once(Response::from_parts(head, body)).plain().await;
    let frame = plain.map_err(|error| Problem::of_failure(&error))?;
    let mut response = Response::new(EndpointBody::whole(frame.into()));
    *response.headers_mut() = headers;
    Ok(response)
}

/// The streamed answer; if it has not begun in time, its head with signs of life.
async fn streamed<F, B>(
    asked: F,
    shape: Shape,
    keep_alive: Option<KeepAlive>,
) -> Result<Response<EndpointBody>, Problem>
where
    F: Future<Output = Result<Response<B>, Error>> + Send + 'static,
    B: Body<Data = ChatFrame, Error = Error> + Send + 'static,
{
    let begun = match keep_alive {
        None => asked.await,
        Some(keep_alive) => {
            // On the heap: the response's body may take it over.
            let mut asked = Box::pin(asked);
            match timeout(keep_alive.after(), &mut asked).await {
                Ok(begun) => begun,
                Err(_) => return Ok(early(asked, keep_alive, shape)),
            }
        }
    };
    let (head, body) = begun.map_err(|error| Problem::of_failure(&error))?.into_parts();
    let attempts = head.extensions.get::<AttemptLog>();
    let mut response = Response::new(EndpointBody::events(body, &head.extensions, shape));
    *response.headers_mut() = to_client(&head, shape.api, attempts, EVENTS);
    set_event_stream_headers(response.headers_mut());
    Ok(response)
}

/// The head of an answer that has not begun: nothing is known of it yet.
fn early<F, B>(asked: F, keep_alive: KeepAlive, shape: Shape) -> Response<EndpointBody>
where
    F: Future<Output = Result<Response<B>, Error>> + Send + 'static,
    B: Body<Data = ChatFrame, Error = Error> + Send + 'static,
{
    let mut response = Response::new(EndpointBody::waiting(Waiting::new(asked, keep_alive, shape)));
    set_event_stream_headers(response.headers_mut());
    response
}

/// The body without its encoding, in time and within the limits.
async fn read_body<B>(
    parts: &request::Parts,
    body: B,
    settings: &Settings,
) -> Result<(Bytes, Option<BodyBytes>), Problem>
where
    B: Body<Data: Buf, Error: Into<Box<dyn StdError + Send + Sync>>>,
{
    let coding = Coding::of(&parts.headers)?;
    let largest = settings.max_body_bytes;
    let mut counted = BodyBytes::new(&settings.bodies, largest, parts.extensions.get::<Tags>());
    let mut body = upload::read(body, largest, settings.upload, &mut counted).await?;
    if let Some(coding) = coding {
        body = coding.decode(body, largest, &mut counted).await?;
    }
    Ok(counted.hold(body))
}
