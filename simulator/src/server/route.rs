//! Which request is answered by whom.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::reply::Reply;
use super::{Line, account, admin, chat, embeddings, prologue};
use crate::fault::{Fault, Refusal};
use crate::plan::Step;
use crate::plans::Fate;
use crate::stage::Player;
use crate::state::Shared;
use crate::ticket::Ticket;
use crate::wire::error::{About, Refused, page};

/// The largest body that is taken.
const LARGEST: usize = 20 * 1024 * 1024;

/// One request with all that an answer needs.
pub(super) struct Asked {
    pub(super) shared: Arc<Shared>,
    pub(super) line: Line,
    pub(super) parts: Parts,
    pub(super) body: Bytes,
    pub(super) key: String,
}

impl Asked {
    /// Opens the record of this request.
    pub(super) fn ticket(&self, model: &str, stream: bool) -> Ticket {
        let attempt = prologue::attempt(&self.shared, &self.parts, &self.body, model, stream);
        Ticket::open(Arc::clone(&self.shared), self.key.clone(), attempt)
    }

    pub(super) fn reply(&self, ticket: impl Into<Option<Ticket>>) -> Reply {
        Reply {
            line: self.line.clone(),
            ticket: ticket.into(),
        }
    }

    /// What befalls it: by its own header, or by the plan of its model or path.
    pub(super) fn fate(&self, model: &str) -> Result<Fate, String> {
        let mut state = self.shared.lock();
        let state = &mut *state;
        let Some(value) = self.parts.headers.get("x-sim-fault") else {
            return Ok(state.plans.next(model, &mut state.dice));
        };
        let text = value.to_str().unwrap_or_default();
        let step: Step = text
            .parse()
            .map_err(|error: crate::fault::FaultError| error.to_string())?;
        Ok(Fate::of(&step, &mut state.dice))
    }
}

/// Answers a request, on this line.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    line: Line,
    request: Request<Incoming>,
) -> Result<Response<Player>, Infallible> {
    let (parts, body) = request.into_parts();
    let key = prologue::key(&parts.headers);
    let collected = Limited::new(body, LARGEST).collect().await;
    let too_large = collected.is_err();
    let body = collected.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let asked = Asked {
        shared,
        line,
        parts,
        body,
        key,
    };
    if too_large {
        let ticket = asked.ticket("", false);
        return Ok(asked
            .reply(ticket)
            .refuse(Refused::new(Refusal::TooLarge, &About::default(), &[])));
    }
    Ok(dispatch(asked).await)
}

async fn dispatch(asked: Asked) -> Response<Player> {
    let path = asked.parts.uri.path().to_owned();
    if let Some(view) = path.strip_prefix("/__sim") {
        return admin::answer(&asked, view);
    }
    let path = path
        .strip_prefix("/api/v1")
        .or_else(|| path.strip_prefix("/v1"))
        .unwrap_or_default();
    match (&asked.parts.method, path) {
        (&Method::POST, "/chat/completions") => chat::answer(asked).await,
        (&Method::POST, "/embeddings") => embeddings::answer(asked).await,
        (&Method::GET, path) => account::answer(asked, path).await,
        _ => {
            let ticket = asked.ticket("", false);
            asked.reply(ticket).refuse(Refused::plain(404, "Not Found"))
        }
    }
}

/// What a fault does before any status is sent: waits, or an end of the line. Does not return where nothing follows.
pub(super) async fn before_headers(line: &Line, ticket: &mut Ticket, faults: &[Fault]) {
    for fault in faults {
        match fault {
            Fault::SlowHeaders(length) => tokio::time::sleep(*length).await,
            Fault::Hang => std::future::pending::<()>().await,
            Fault::Reset | Fault::Close => {
                ticket.end(crate::seen::Outcome::Cut);
                if *fault == Fault::Reset {
                    line.reset();
                } else {
                    line.close();
                }
                std::future::pending::<()>().await;
            }
            _ => {}
        }
    }
}

#[expect(clippy::result_large_err, reason = "both arms are answers on their way out")]
/// The answer where a fault replaces all: an error, or a page.
pub(super) fn instead(reply: Reply, fate: &Fate, about: &About) -> Result<Reply, Response<Player>> {
    if let Some(refusal) = fate.refusal() {
        return Err(reply.refuse(Refused::new(refusal, about, &fate.faults)));
    }
    if fate.faults.contains(&Fault::Html) {
        return Err(reply.html(200, page(200)));
    }
    Ok(reply)
}
