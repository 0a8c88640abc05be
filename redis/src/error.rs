//! What can be wrong with a store.

use std::fmt;

/// What is wrong with a store. Names the server, without its password, and says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum RedisError {
    /// The URL is none.
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// No server answers there.
    Unreachable {
        /// The server.
        server: String,
        /// What happened.
        reason: String,
    },
    /// What answers is no Redis, or one that does not run scripts.
    NotRedis {
        /// The server.
        server: String,
        /// What it said.
        reason: String,
    },
    /// The password or the user is wrong, or one is needed.
    Rejected {
        /// The server.
        server: String,
    },
    /// It does not answer in time.
    Slow {
        /// The server.
        server: String,
    },
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { reason } => write!(
                f,
                "this is no URL of a Redis server ({reason}): write e.g. `redis://127.0.0.1:6379`"
            ),
            Self::Unreachable { server, reason } => {
                write!(
                    f,
                    "no Redis answers at {server} ({reason}): start it, or correct the URL"
                )
            }
            Self::NotRedis { server, reason } => {
                write!(
                    f,
                    "what answers at {server} is not a usable Redis ({reason}): correct the URL"
                )
            }
            Self::Rejected { server } => write!(
                f,
                "the Redis at {server} rejects the user or the password: correct the URL"
            ),
            Self::Slow { server } => write!(f, "the Redis at {server} does not answer in time"),
        }
    }
}

impl std::error::Error for RedisError {}
