//! The server: connections, routes, handlers.

mod account;
mod call;
mod choose;
mod generate;
mod listen;
mod providers;
mod route;
mod socket;
mod transit;
mod views;

pub(crate) use listen::serve;
