//! What everything here shares of one server: the connection, the scripts, the names of keys, and what this process holds there.

use std::{fmt, time::Duration};

use tokio::runtime::Handle;
use tower_llm_layers::budget::AccountRef;

use crate::{lease::Live, link::Link, script::Scripts, snapshots::AccountSnapshots};

pub(crate) struct Server {
    pub(crate) link: Link,
    pub(crate) scripts: Scripts,
    pub(crate) lease: Duration,
    pub(crate) live: Live,
    /// What was seen of the accounts.
    pub(crate) snapshots: AccountSnapshots,
    /// The runtime of the tasks: a reservation may be dropped on any thread.
    pub(crate) runtime: Handle,
    prefix: String,
}

impl Server {
    pub(crate) fn new(link: Link, lease: Duration, prefix: String) -> Self {
        Self {
            link,
            scripts: Scripts::new(),
            lease,
            live: Live::default(),
            snapshots: AccountSnapshots::default(),
            runtime: Handle::current(),
            prefix,
        }
    }

    /// A key. The version is part of it: what is kept otherwise has another name.
    pub(crate) fn key(&self, kind: &str, name: &str) -> String {
        format!("{}:1:{kind}:{name}", self.prefix)
    }

    /// The key of a budget's account.
    pub(crate) fn account_key(&self, line: &AccountRef) -> String {
        self.key("budget", &line.account)
    }

    /// The lease as scripts take it.
    pub(crate) fn lease_millis(&self) -> String {
        self.lease.as_millis().to_string()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("server", &self.link.server())
            .field("is_down", &self.link.is_down())
            .field("blind_decisions", &self.link.blind())
            .finish_non_exhaustive()
    }
}
