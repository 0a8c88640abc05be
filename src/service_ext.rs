//! What one does with a stack, or with any other service that answers chats.

use std::future::Future;

use http_body_util::BodyExt;
#[cfg(feature = "typed")]
use openrouter_wire::chat::ChatResponse;
use openrouter_wire::{ApiAnswer, embeddings::EmbeddingResponse};
use tower::{ServiceExt, util::BoxCloneSyncService};

use crate::{
    Api, Error, FailureKind,
    api::IntoApiRequest,
    endpoint::{ApiEndpoint, Endpoints, ModelsEndpoint, OpenAiEndpoint},
    stack::{Answer, BoxStack, ChatService, Completion, ModelsOf, respond},
};
#[cfg(feature = "typed")]
use crate::{
    tools::{ToolRun, ToolRunError, Tools},
    typed::{StrictSchema, Typed, TypedError, asking, in_type},
};

/// What one does with a [`ChatService`].
///
/// Implemented for all that fit; nothing to implement.
pub trait ChatServiceExt: ChatService {
    /// Asks for a streamed answer. Resolves when the answer begins.
    ///
    /// What goes along with one call only, its [`Priority`](tower_llm_layers::Priority) say, or how it is to use the cache, is set on its
    /// request:
    ///
    /// ```
    /// use tower_openrouter::{ChatRequest, ChatServiceExt, Error, Stack, layers::Priority};
    ///
    /// # async fn run(stack: Stack) -> Result<(), Error> {
    /// let batch = ChatRequest::user("Summarise the report.").priority(Priority::Batch);
    /// let answer = stack.complete(batch).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If no answer began, with what was tried.
    ///
    /// # Cancellation
    ///
    /// Dropping the future or the [`Answer`] closes the connection, and with it, at most providers, the bill.
    fn stream(&self, request: impl IntoApiRequest) -> impl Future<Output = Result<Answer<Self::Body>, Error>> + Send {
        let service = self.clone();
        let request = request.into_api_request().map(|body| body.stream(true));
        async move {
            let response = respond(service, request).await?;
            Ok(Answer::new(response))
        }
    }

    /// Asks for a whole answer. What goes along with one call only is set on its request, as for [`stream`](Self::stream).
    ///
    /// # Errors
    ///
    /// If there is none, with what was tried. [`BadRequest`](crate::FailureKind::BadRequest), and nothing is sent, if the request is an
    /// [`ApiRequest`](crate::ApiRequest) of another API than chat: then its typed request says what the answer is.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the connection; a plain call is billed in full all the same.
    fn complete<Q: IntoApiRequest>(
        &self,
        request: Q,
    ) -> impl Future<Output = Result<Completion<Q::Answer>, Error>> + Send {
        let service = self.clone();
        let request = request.into_api_request().map(|body| body.stream(false));
        async move {
            let api = request.body().api();
            if api != Q::Answer::API {
                return Err(of_another_api(api));
            }
            let response = respond(service, request).await?;
            Answer::read_at_once(response).whole().await
        }
    }

    /// Asks for a whole answer of your type: its JSON schema goes along as `response_format`, in the place of one that the request has. See
    /// [`typed`](crate::typed).
    ///
    /// # Errors
    ///
    /// If the schema cannot be expressed, and nothing is sent; if there is no answer, with what was tried; if the model refused, the answer was cut
    /// short, or does not fit, with the answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the connection; a plain call is billed in full all the same.
    #[cfg(feature = "typed")]
    #[cfg_attr(docsrs, doc(cfg(feature = "typed")))]
    fn complete_as<T>(
        &self,
        request: impl IntoApiRequest<Answer = ChatResponse>,
    ) -> impl Future<Output = Result<Typed<T>, TypedError>> + Send
    where
        T: serde::de::DeserializeOwned + schemars::JsonSchema,
    {
        let service = self.clone();
        let request = request.into_api_request().map(|body| body.stream(false));
        async move {
            let strict = StrictSchema::of::<T>()?;
            let response = respond(service, asking(request, &strict)?).await?;
            let completion = Answer::read_at_once(response).whole().await?;
            in_type(completion, &strict)
        }
    }

    /// Calls the model, runs the tools that it calls, and calls it again with their results, until it answers without a call. See
    /// [`tools`](crate::tools).
    ///
    /// # Errors
    ///
    /// If a call of the model failed, or the run reached one of its bounds, with the conversation so far.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the tools that run, and closes the connection.
    #[cfg(feature = "typed")]
    #[cfg_attr(docsrs, doc(cfg(feature = "typed")))]
    fn run_tools(
        &self,
        request: impl IntoApiRequest<Answer = ChatResponse>,
        tools: &Tools,
    ) -> impl Future<Output = Result<ToolRun, ToolRunError>> + Send {
        let service = self.clone();
        let request = request.into_api_request();
        async move { crate::tools::run(service, request, tools).await }
    }

    /// Asks for embeddings: the same as [`complete`](Self::complete), for what it is mostly called.
    ///
    /// ```
    /// use tower_openrouter::{ChatServiceExt, EmbeddingRequest, Error, Stack};
    ///
    /// # async fn run(stack: Stack) -> Result<(), Error> {
    /// let texts = EmbeddingRequest::new("openai/text-embedding-3-small", ["why is the sky blue?"]);
    /// let answer = stack.embed(texts).await?;
    /// println!("{:?}", answer.response.vectors().next());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no answer, with what was tried.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the connection; the call is billed in full all the same.
    fn embed(
        &self,
        request: impl IntoApiRequest<Answer = EmbeddingResponse>,
    ) -> impl Future<Output = Result<Completion<EmbeddingResponse>, Error>> + Send {
        self.complete(request)
    }

    /// Type-erases the service.
    fn boxed_stack(self) -> BoxStack {
        BoxCloneSyncService::new(self.map_response(|response| response.map(BodyExt::boxed_unsync)))
    }

    /// All APIs as one service that routes by path: for axum's `fallback_service`, hyper-util or any other server.
    fn into_endpoints(self) -> Endpoints<Self> {
        let models = self.clone().into_models_endpoint();
        Endpoints::new(self, models)
    }

    /// One API as a service, whatever the path: for axum's `route_service` or any other server.
    fn into_endpoint(self, api: Api) -> ApiEndpoint<Self> {
        ApiEndpoint::new(self, api)
    }

    /// An endpoint that any OpenAI client can call: chat completions with OpenAI's error envelope.
    fn into_openai_endpoint(self) -> OpenAiEndpoint<Self> {
        self.into_endpoint(Api::Chat)
    }

    /// The list of models of this service: those of a [`Stack`](super::Stack); of any other service none.
    fn into_models_endpoint(self) -> ModelsEndpoint {
        ModelsEndpoint::new(ModelsOf::service(&self))
    }
}

impl<T: ChatService> ChatServiceExt for T {}

fn of_another_api(api: Api) -> Error {
    let message = format!(
        "this is a request of the {api} API, whose answer is no chat's: pass the typed request, or call the service and read the frames"
    );
    Error::new(FailureKind::BadRequest, message)
}
