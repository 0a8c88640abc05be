//! What watches one exchange with an upstream: the transport begins it, the body continues it.

use http::response;

use crate::{ChatFrame, Error};

/// Watches one exchange.
///
/// Dropped without [`failed`](Self::failed) or [`ended`](Self::ended) before it, the exchange was dropped by its caller: after a timeout, when
/// another candidate was faster, or when the client left.
pub trait ExchangeWatch: Send {
    /// The head of the response has come.
    fn head(&mut self, head: &response::Parts);

    /// So many bytes of a plain answer have come. Its frame comes when it is whole.
    fn piece(&mut self, _bytes: usize) {}

    /// A frame of the answer has come.
    fn frame(&mut self, frame: &ChatFrame);

    /// The exchange has failed: no connection, an error in place of an answer, or an answer that was interrupted.
    fn failed(&mut self, error: &Error);

    /// The whole answer has come. May be called again.
    fn ended(&mut self);
}
