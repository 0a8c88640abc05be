//! One connection: its limits, its timeouts, and its end.

use std::{convert::Infallible, time::Duration};

use http::{HeaderValue, Request, Response, Version, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    pin, select,
    time::timeout,
};
use tower_openrouter::layers::MAX_DURATION;
use tower_service::Service;

use super::{
    Stage, Stages,
    activity::{Activity, Overdue, Patience},
    body::CountedBody,
    io::TimedIo,
};
use crate::settings::ServerSettings;

/// How often an HTTP/2 client gets a ping, and how long it may take to answer it.
const PING: Duration = Duration::from_secs(20);

/// How long a connection that is closed for its silence may take to end.
const PARTING: Duration = Duration::from_secs(1);

/// Limits and timeouts of each connection.
#[derive(Debug, Clone)]
pub struct Limits {
    builder: auto::Builder<TokioExecutor>,
    patience: Patience,
}

impl Limits {
    /// Those of these settings.
    #[must_use]
    pub fn new(settings: &ServerSettings) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            // It would end idle connections as well; `Activity` distinguishes them.
            .header_read_timeout(None)
            .max_headers(usize::from(settings.max_headers))
            .max_buf_size(usize::try_from(settings.max_header_bytes).unwrap_or(usize::MAX));
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(settings.max_streams)
            .max_header_list_size(settings.max_header_bytes);
        Self {
            builder,
            patience: Patience {
                header: settings.header_timeout.0.min(MAX_DURATION),
                idle: settings.idle_timeout.0.min(MAX_DURATION),
                write: settings.write_timeout.0.min(MAX_DURATION),
            },
        }
    }

    /// Serves a connection to its end.
    ///
    /// # Cancellation
    ///
    /// Dropping it closes the connection; the requests in it are dropped.
    pub async fn serve<T, S, B>(&self, stream: T, service: S, stages: Stages)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send + 'static>
            + Clone
            + Send
            + 'static,
        B: http_body::Body<Data = bytes::Bytes, Error: Into<tower::BoxError>> + Send + 'static,
    {
        let activity = Activity::new();
        let io = TokioIo::new(TimedIo::new(stream, activity.clone(), self.patience.write));
        let counting = activity.clone();
        let leaving = stages.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let counted = counting.begin();
            let is_http1 = request.version() < Version::HTTP_2;
            // A router is always ready.
            let response = service.clone().call(request);
            let leaving = leaving.clone();
            async move {
                let mut response = response.await?.map(|body| CountedBody::new(body, counted));
                // HTTP/2 has a frame for it, sent when the gateway drains.
                if is_http1 && leaving.now() >= Stage::Leaving {
                    response
                        .headers_mut()
                        .insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = self.builder.serve_connection(io, service);
        pin!(connection);
        let mut ends = false;
        loop {
            select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(target: "gateway::server", error, "connection ended");
                    }
                    return;
                }
                () = stages.reached(Stage::Draining), if !ends => {
                    ends = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = stages.reached(Stage::Ended) => return,
                what = activity.overdue(self.patience, ends) => {
                    // HTTP/2 clients learn which requests were not taken.
                    connection.as_mut().graceful_shutdown();
                    if what == Overdue::Response {
                        tracing::debug!(target: "gateway::server", "connection takes no further request: its client takes nothing of a response");
                        ends = true;
                        continue;
                    }
                    tracing::debug!(target: "gateway::server", "connection closed: nothing came in time, or nothing was taken");
                    drop(timeout(PARTING, connection.as_mut()).await);
                    return;
                }
            }
        }
    }
}
