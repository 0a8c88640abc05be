//! Connections: accepted, served, and ended as a fault tells.

mod account;
mod admin;
mod chat;
mod embeddings;
mod io;
mod prologue;
mod reply;
mod route;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::state::Shared;
use io::Io;

const OPEN: u8 = 0;
const CLOSE: u8 = 1;
const RESET: u8 = 2;

/// The line to a client: whoever answers on it may end it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Arc<AtomicU8>);

impl Line {
    /// Ends the connection in order, once all that was sent has left.
    pub(crate) fn close(&self) {
        self.0.store(CLOSE, Ordering::Relaxed);
    }

    /// Ends the connection with a TCP reset, once all that was sent has left.
    pub(crate) fn reset(&self) {
        self.0.store(RESET, Ordering::Relaxed);
    }

    fn end(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Accepts connections until it is dropped, and with it all of them.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that is gone before it was accepted is no reason to stop.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Counts a connection while it is open.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: Arc<Shared>) -> Self {
        shared.accepted.fetch_add(1, Ordering::Relaxed);
        shared.open.fetch_add(1, Ordering::Relaxed);
        shared.changed.notify_waiters();
        Self(shared)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_waiters();
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _counted = Counted::new(Arc::clone(&shared));
    // Small events must not wait for one another.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let line = Line::default();
    let on = line.clone();
    let service = service_fn(move |request| route::answer(Arc::clone(&shared), on.clone(), request));
    let (io, blocked) = Io::new(stream);
    let mut connection = http1::Builder::new().serve_connection(io, service);
    // A fault marks the line while the connection is polled; what was sent before has left unless the socket is full.
    poll_fn(|cx| {
        let served = Pin::new(&mut connection).poll(cx);
        if served.is_ready() || (line.end() != OPEN && !blocked.get()) {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
    if line.end() == RESET {
        let stream = connection.into_parts().io.into_inner();
        // Lingering for no time at all is what makes the end a reset.
        if let Err(error) = socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)) {
            // Not `eprintln!`: a library must not write to its host's terminal.
            drop(error);
        }
    }
}

use std::future::Future;
