//! The handle of a running simulator.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::builder::{Builder, Config};
use crate::fault::FaultError;
use crate::money::Cost;
use crate::plan::Plan;
use crate::script::Script;
use crate::seen::Seen;
use crate::server;
use crate::state::Shared;

/// A running simulator. When its last handle goes, it stops, and its connections with it.
#[derive(Clone, Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    _running: Arc<Running>,
}

/// Stops the accept loop, which owns the connections.
#[derive(Debug)]
struct Running(tokio::task::AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Simulator {
    /// Starts one on a free port of 127.0.0.1, where all is well until a plan says otherwise.
    ///
    /// # Errors
    ///
    /// Where no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Sets one up.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) async fn launch(address: SocketAddr, config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(config));
        let task = tokio::spawn(server::accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            _running: Arc::new(Running(task.abort_handle())),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The base URL, as OpenRouter's: what stands before `/chat/completions`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/api/v1", self.address)
    }

    /// Sets the plan of one model, or of a path such as `/models`, from its start.
    ///
    /// # Errors
    ///
    /// Where the text is no plan.
    pub fn plan(&self, model: &str, plan: &str) -> Result<(), FaultError> {
        self.typed_plan(model, plan.parse::<Plan>()?);
        Ok(())
    }

    /// Sets the plan of one model, or of a path such as `/models`, from its start.
    pub fn typed_plan(&self, model: &str, plan: impl Into<Plan>) {
        self.shared.lock().plans.set(model.to_owned(), plan.into());
    }

    /// Sets the plan of every model that has none of its own.
    ///
    /// # Errors
    ///
    /// Where the text is no plan.
    pub fn plan_all(&self, plan: &str) -> Result<(), FaultError> {
        let plan = plan.parse()?;
        self.shared.lock().plans.set_all(Some(plan));
        Ok(())
    }

    /// Takes on a script: its plans replace all others.
    pub fn play(&self, script: Script) {
        self.shared.lock().play(script);
    }

    /// Takes all plans away: all is well.
    pub fn clear(&self) {
        self.shared.lock().plans.clear();
    }

    /// Forgets what was seen, spent and planned.
    pub fn reset(&self) {
        self.shared.lock().reset();
    }

    /// Everything seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.shared.seen()
    }

    /// The sum of what all requests cost.
    #[must_use]
    pub fn billed_total(&self) -> Cost {
        self.shared.lock().billed
    }

    /// Returns once `is_so` holds of what was seen; looks again at each change.
    ///
    /// # Cancellation
    ///
    /// May be dropped and asked again at any time.
    pub async fn wait_until(&self, is_so: impl Fn(&Seen) -> bool) {
        loop {
            // Listens before it looks, so that no change in between is missed.
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if is_so(&self.shared.seen()) {
                return;
            }
            changed.await;
        }
    }
}
