//! What answers chats: a stack, or any other service of that form.

use http::{Request, Response};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use tower::util::BoxCloneSyncService;
use tower_service::Service;

use crate::{ApiRequest, ChatFrame, Error};

/// Any service that answers chats: a [`Stack`], a stack put together by hand, or a boxed one.
///
/// Implemented for all that fit; nothing to implement.
pub trait ChatService:
    Service<Request<ApiRequest>, Response = Response<Self::Body>, Error = Error, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
    /// The body of its answers.
    type Body: Body<Data = ChatFrame, Error = Error> + Send + 'static;
}

impl<T, B> ChatService for T
where
    T: Service<Request<ApiRequest>, Response = Response<B>, Error = Error, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data = ChatFrame, Error = Error> + Send + 'static,
{
    type Body = B;
}

/// The body of a boxed stack's answers.
pub type BoxChatBody = UnsyncBoxBody<ChatFrame, Error>;

/// A stack whose type is forgotten: for a struct's field or an application's state. Still `Clone + Send + Sync`.
pub type BoxStack = BoxCloneSyncService<Request<ApiRequest>, Response<BoxChatBody>, Error>;
