//! The accept loop: one task for each connection, all of which end with it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::socket::Wire;
use super::{route, transit};
use crate::connection::ConnectionState;
use crate::state::Shared;

/// How long accepting rests after it has failed.
const PAUSE: Duration = Duration::from_millis(10);

/// Accepts connections without end. Dropping the future drops them all.
pub(crate) async fn serve(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    tokio::join!(
        accept(listener, &shared),
        transit::hold_the_clock(&shared.written, address)
    );
}

async fn accept(listener: TcpListener, shared: &Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(connection(socket, Arc::clone(shared)));
                }
                // Out of file handles, or a client that has already left: neither ends the server.
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(socket: TcpStream, shared: Arc<Shared>) {
    // Without it small writes are late, and nothing else is wrong.
    drop(socket.set_nodelay(true));
    let connection = ConnectionState::default();
    let wire = TokioIo::new(Wire::new(socket, connection.clone(), Arc::clone(&shared)));
    let service = service_fn(move |request| {
        let (shared, connection) = (Arc::clone(&shared), connection.clone());
        async move { Ok::<_, Infallible>(route::answer(shared, connection, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().header_read_timeout(None);
    // A broken connection is often what the test wants.
    drop(builder.serve_connection(wire, service).await);
}
