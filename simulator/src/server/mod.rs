//! The server: connections, routes, handlers.

mod account;
mod call;
mod choose;
mod generate;
mod line;
mod listen;
mod providers;
mod route;
mod transit;
mod views;

pub(crate) use line::Line;
pub(crate) use listen::serve;
pub(crate) use transit::Written;
