//! Real servers for tests: each on a free port of 127.0.0.1, in a folder of its own, ended with its handle.
//!
//! If a server's program is missing, the starter prints a warning and returns `None`, so that the test can end; with `CI` set it
//! panics instead, because there no test may be skipped. `scripts/test` installs what is missing.

mod child;
mod postgres;
mod prometheus;
mod redis;

pub use postgres::Postgres;
pub use prometheus::Prometheus;
pub use redis::Redis;
