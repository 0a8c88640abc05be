//! The server: connections, routes, handlers.

mod account;
mod call;
mod choose;
mod generate;
mod line;
mod listen;
mod providers;
mod route;
mod views;

pub(crate) use line::Line;
pub(crate) use listen::serve;
