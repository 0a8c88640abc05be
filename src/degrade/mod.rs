//! Canned replies: the last source of a degraded answer.

mod shapes;

use std::{fmt, sync::Arc};

use http::{Extensions, HeaderMap, Request};
use tower_llm_layers::{FailureKind, LlmRequest, Tags, degrade::Degradation};

use crate::{Api, ChatFrame};

/// The request, as far as a reply of your own may need it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// The model; `None` if the request names none.
    pub model: Option<&'a str>,
    /// Whether a stream is wanted. The reply comes in the right form by itself.
    pub streaming: bool,
    /// What the call is accounted under.
    pub tags: &'a Tags,
    /// What went wrong.
    pub reason: FailureKind,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The request's extensions.
    pub extensions: &'a Extensions,
}

type Reply = dyn Fn(&Asked<'_>) -> Option<String> + Send + Sync;

/// A text returned as the answer if every candidate has failed, in the shape of the request's API, as a plain answer or a stream: the same for
/// all callers, or computed. A request for embeddings keeps its failure.
///
/// ```
/// use tower_openrouter::{ApiKey, Stack, degrade::CannedReply};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0")?)
///     .chain(["openai/gpt-5"])
///     .canned_reply(CannedReply::text("We cannot answer right now. Please try again in a minute."))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CannedReply(Arc<Reply>);

impl CannedReply {
    /// The same text for all callers.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(move |_| Some(text.clone()))
    }

    /// Computed; `None` leaves the failure as it is.
    pub fn new(reply: impl Fn(&Asked<'_>) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(reply))
    }
}

impl<R: LlmRequest> Degradation<R, ChatFrame> for CannedReply {
    fn canned(&self, request: &Request<R>, reason: FailureKind) -> Option<Vec<ChatFrame>> {
        let api = api_of(request.uri().path())?;
        let body = request.body();
        let asked = Asked {
            model: body.model(),
            streaming: body.is_streaming(),
            tags: body.call().tags(),
            reason,
            headers: request.headers(),
            extensions: request.extensions(),
        };
        let text = (self.0)(&asked)?;
        Some(shapes::frames(
            api,
            &text,
            asked.model.unwrap_or("none"),
            asked.streaming,
        ))
    }
}

/// The API of a request, if a text can answer it: embeddings cannot be made up.
fn api_of(path: &str) -> Option<Api> {
    let mut all = Api::ALL.into_iter().filter(|api| *api != Api::Embeddings);
    all.find(|api| path.ends_with(api.uri()))
}

impl fmt::Debug for CannedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CannedReply")
    }
}
