//! The handle of a running simulator.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::builder::Builder;
use crate::config::Config;
use crate::fault::FaultError;
use crate::money::Cost;
use crate::plan::Plan;
use crate::report::Report;
use crate::script::Script;
use crate::server;
use crate::state::Shared;

impl Builder {
    /// Starts the simulator on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound.
    pub async fn start(self) -> io::Result<Simulator> {
        Simulator::launch(self.address, self.config).await
    }
}

/// A running simulator. Clones are handles of the same one; when the last is dropped it stops and all its connections
/// end.
#[derive(Clone, Debug)]
pub struct Simulator {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Simulator {
    /// Starts one with all defaults, on a free port of 127.0.0.1, inside the current tokio runtime.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Settings, then [`Builder::start`].
    pub fn builder() -> Builder {
        Builder::default()
    }

    async fn launch(address: SocketAddr, config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(config));
        let accepting = tokio::spawn(server::serve(listener, address, Arc::clone(&shared))).abort_handle();
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                address,
                accepting,
            }),
        })
    }

    /// `http://127.0.0.1:PORT/api/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/api/v1", self.inner.address)
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.inner.address
    }

    /// Sets the plan of one model (or of a path such as `/models`), from its start.
    ///
    /// A model that is in no catalogue becomes known by it.
    ///
    /// # Errors
    ///
    /// If the text is no plan.
    pub fn plan(&self, model: impl Into<String>, plan: &str) -> Result<&Self, FaultError> {
        Ok(self.typed_plan(model, plan.parse::<Plan>()?))
    }

    /// Sets the plan of one model (or of a path such as `/models`), from its start.
    pub fn typed_plan(&self, model: impl Into<String>, plan: impl Into<Plan>) -> &Self {
        self.inner.shared.lock().plans.set(model.into(), plan.into());
        self
    }

    /// Sets the plan of one provider, by its display name, for all models that it serves. A request goes to the first provider of its model,
    /// or by its `provider` preferences (`order`, `only`, `ignore`, `allow_fallbacks`) to another. One that refuses is passed over, as the
    /// router does it, unless it is the last; one that breaks its answer is not.
    ///
    /// # Errors
    ///
    /// If the text is no plan.
    pub fn plan_provider(&self, provider: &str, plan: &str) -> Result<&Self, FaultError> {
        self.plan(crate::plans::Plans::of_provider(provider), plan)
    }

    /// Sets the plan of every model that has none of its own; each model goes through it by itself.
    ///
    /// # Errors
    ///
    /// If the text is no plan.
    pub fn plan_all(&self, plan: &str) -> Result<&Self, FaultError> {
        let plan = plan.parse()?;
        self.inner.shared.lock().plans.set_all(Some(plan));
        Ok(self)
    }

    /// Takes on a script; its plans replace all others.
    pub fn run_script(&self, script: Script) -> &Self {
        self.inner.shared.lock().run_script(script);
        self
    }

    /// Forgets all plans: all is well.
    pub fn clear(&self) -> &Self {
        self.inner.shared.lock().plans.clear();
        self
    }

    /// Forgets plans, and what was seen and spent; keeps the settings.
    pub fn reset(&self) -> &Self {
        self.inner.shared.lock().reset();
        self.inner.shared.changed.notify_waiters();
        self
    }

    /// A copy of the report so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.inner.shared.report()
    }

    /// What all requests have cost so far; a stream is billed when it ends.
    #[must_use]
    pub fn billed_total(&self) -> Cost {
        self.inner.shared.lock().billed
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open_connections(&self) -> u64 {
        self.inner.shared.open.load(Ordering::Relaxed)
    }

    /// How many connections have been accepted.
    #[must_use]
    pub fn connections_accepted(&self) -> u64 {
        self.inner.shared.accepted.load(Ordering::Relaxed)
    }

    /// How many requests the client left before their end.
    #[must_use]
    pub fn closed_by_client(&self) -> u64 {
        self.inner.shared.lock().closed_by_client
    }

    /// Waits until the report satisfies `enough`; woken by changes, never by a timer.
    pub async fn wait_until(&self, mut enough: impl FnMut(&Report) -> bool) -> Report {
        loop {
            let changed = self.inner.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let seen = self.report();
            if enough(&seen) {
                return seen;
            }
            changed.await;
        }
    }
}
