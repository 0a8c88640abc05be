//! The gateway over real sockets.

mod page;
