//! Accepts connections.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::{
    net::TcpListener,
    select,
    sync::Semaphore,
    time::{sleep, timeout},
};
use tower_service::Service;

use super::{Limits, Stage, Stages};
use crate::settings::Address;

/// How long accepting rests after it has failed, such as for want of file handles.
const REST: Duration = Duration::from_millis(50);

/// The connections that are open, up to a limit.
#[derive(Debug, Clone)]
pub struct Connections {
    places: Arc<Semaphore>,
    most: u32,
}

impl Connections {
    /// At most so many at once.
    #[must_use]
    pub fn new(most: u32) -> Self {
        let places = usize::try_from(most).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            most: u32::try_from(places).unwrap_or(most),
        }
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        usize::try_from(self.most)
            .unwrap_or(usize::MAX)
            .saturating_sub(self.places.available_permits())
    }

    /// Waits until all have ended, up to this time. Returns whether they have.
    pub async fn ended(&self, limit: Duration) -> bool {
        timeout(limit, self.places.acquire_many(self.most)).await.is_ok()
    }
}

/// Listens on an address.
///
/// # Errors
///
/// If it cannot be bound, with the address.
pub async fn bind(address: Address) -> io::Result<TcpListener> {
    TcpListener::bind(address.0)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}

/// Accepts connections until the gateway ends, each in a task of its own.
///
/// # Cancellation
///
/// Dropping it accepts no more; those that are open stay.
pub async fn serve<S, B>(listener: TcpListener, service: S, limits: Limits, connections: Connections, stages: Stages)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<tower::BoxError>> + Send + 'static,
{
    let limits = Arc::new(limits);
    let mut is_failing = false;
    let accept = async {
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&connections.places).acquire_owned().await else {
                return;
            };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    if !is_failing {
                        tracing::warn!(target: "gateway::server", %error, "cannot accept connections");
                    }
                    is_failing = true;
                    drop(place);
                    sleep(REST).await;
                    continue;
                }
            };
            is_failing = false;
            // Small events must not wait for one another.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(target: "gateway::server", %error, "cannot set TCP_NODELAY");
            }
            let (limits, service, stages) = (Arc::clone(&limits), service.clone(), stages.clone());
            tokio::spawn(async move {
                limits.serve(stream, service, stages).await;
                drop(place);
            });
        }
    };
    select! {
        () = accept => {}
        () = stages.reached(Stage::Draining) => {}
    }
}
