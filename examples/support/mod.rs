//! The upstream of an example: the embedded simulator, or a real one if a key is set.
#![allow(dead_code, reason = "each example uses a part of it")]
#![allow(
    clippy::allow_attributes,
    clippy::print_stderr,
    reason = "the same; and an example prints for the reader"
)]

use std::{env, error::Error, time::Duration};

use openrouter_simulator::Simulator;
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};
use tower_openrouter::{
    ApiKey, Stack,
    stack::StackBuilder,
    transport::{Dialect, OPENROUTER, OPENROUTER_URL, Upstream},
};

pub(crate) type Fallible<T = ()> = Result<T, Box<dyn Error>>;

/// The upstream of an example.
pub(crate) struct Place {
    pub(crate) upstream: Upstream,
    pub(crate) key: ApiKey,
    /// Kept while the example runs; `None` against a real upstream.
    pub(crate) simulator: Option<Simulator>,
}

/// The real upstream if `OPENROUTER_API_KEY` is set, else a simulator in this process that follows the plans: pairs of a
/// model and what happens to calls of it.
pub(crate) async fn place(plans: &[(&str, &str)]) -> Fallible<Place> {
    if env::var_os("OPENROUTER_API_KEY").is_some() {
        let key = ApiKey::from_variable("OPENROUTER_API_KEY")?;
        let base = env::var("OPENROUTER_BASE_URL").unwrap_or_else(|_| OPENROUTER_URL.to_owned());
        let upstream = Upstream::new(OPENROUTER, &base, Dialect::OpenRouter)?;
        eprintln!("calling {}\n", upstream.base_url());
        return Ok(Place {
            upstream,
            key,
            simulator: None,
        });
    }
    let simulator = Simulator::builder()
        .seed(7)
        .piece_delay(Duration::from_millis(15))
        .start()
        .await?;
    for (model, plan) in plans {
        simulator.plan(*model, plan)?;
    }
    let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter)?;
    eprintln!("no OPENROUTER_API_KEY is set: calling the simulator in this process\n");
    Ok(Place {
        upstream,
        key: ApiKey::new("sk-or-v1-simulated")?,
        simulator: Some(simulator),
    })
}

impl Place {
    /// Starts a stack over it.
    pub(crate) fn stack(&self) -> StackBuilder {
        Stack::builder().upstream(self.upstream.clone(), self.key.clone())
    }
}

/// Ends when the process receives a request to stop: Ctrl-C, or the SIGTERM that a container's host sends.
pub(crate) async fn stopped() {
    let mut terminated = match signal(SignalKind::terminate()) {
        Ok(terminated) => terminated,
        Err(error) => return eprintln!("cannot listen for SIGTERM: {error}"),
    };
    tokio::select! {
        _ = terminated.recv() => {}
        pressed = ctrl_c() => {
            if let Err(error) = pressed {
                eprintln!("cannot listen for Ctrl-C: {error}");
            }
        }
    }
}
