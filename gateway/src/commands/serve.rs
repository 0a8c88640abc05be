//! `serve`: starts a gateway, waits for the end, and ends in order.

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::{
    select,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{
    cli::Serve,
    config, demo, log,
    print::{Failed, say},
    stop::Signals,
    telemetry::Telemetry,
};
use crate::{
    OpenError,
    gateway::{Gateway, forget_entries, tidy_metrics, watch_file, watch_idempotency, watch_keys},
    routes::{Front, Routes},
    server::{Connections, Limits, Stage, Stages, bind, serve},
    settings::{AdminSide, Config},
};

/// How long the answers that are cut may take to end with an error, and to settle what they cost.
const CUT: Duration = Duration::from_secs(1);

/// A gateway that answers calls.
#[derive(Debug)]
pub struct Running {
    /// Everything but its sockets.
    pub gateway: Gateway,
    /// Where clients call it.
    pub address: SocketAddr,
    /// Where its admin side is.
    pub admin: SocketAddr,
    /// The settings file that it follows.
    file: Option<std::path::PathBuf>,
    connections: Connections,
    leave_delay: Duration,
    drain_timeout: Duration,
    tasks: Vec<JoinHandle<()>>,
    /// Sends the last spans at the end.
    telemetry: Option<Telemetry>,
}

/// Ends the connections of a start that fails, or is dropped.
struct Starting(Option<Stages>);

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(stages) = &self.0 {
            stages.enter(Stage::Ended);
        }
    }
}

/// Opens a gateway. It accepts connections from the first moment: until it is open, `/healthz` answers that the process lives, `/readyz` that it takes no
/// calls, and calls are refused.
///
/// # Errors
///
/// [`OpenError`], or that an address cannot be bound.
pub async fn start(config: Config) -> Result<Running, Failed> {
    // Bound first: a second gateway on the address fails before it opens the storage.
    let listener = bind(config.listen).await?;
    let admin_listener = match config.admin {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let address = listener.local_addr()?;
    let admin = admin_listener
        .as_ref()
        .map_or(Ok(address), tokio::net::TcpListener::local_addr)?;
    let file = config.file.clone();
    let settings = config.own.server.clone();
    let keep = config.own.storage.on().and_then(|storage| storage.keep);
    let shares = config.own.shared.is_some();
    let stages = Stages::default();
    let mut starting = Starting(Some(stages.clone()));
    let connections = Connections::new(settings.max_connections);
    let limits = Limits::new(&settings);
    let reason = match config.own.storage.on() {
        Some(_) => "it is starting: what budgets have spent is read from the ledger",
        None => "it is starting",
    };
    let (main, own) = (Front::starting(reason), Front::starting(reason));
    let mut tasks = vec![tokio::spawn(serve(
        listener,
        main.clone(),
        limits.clone(),
        connections.clone(),
        stages.clone(),
    ))];
    if let Some(listener) = admin_listener {
        // Its connections do not count: a full gateway can still be looked at.
        let connections = Connections::new(settings.max_connections);
        tasks.push(tokio::spawn(serve(
            listener,
            own.clone(),
            limits,
            connections,
            stages.clone(),
        )));
    }
    let gateway = Gateway::open_in(config.clone(), stages).await.map_err(Failed::new)?;
    let routes = {
        let (gateway, config) = (gateway.clone(), config);
        // The admin's token may be in a file.
        tokio::task::spawn_blocking(move || Routes::new(&gateway, &config)).await
    };
    let routes = routes
        .map_err(Failed::new)?
        .map_err(|error: OpenError| Failed::new(error))?;
    tasks.push(tokio::spawn(watch_keys(gateway.clone())));
    tasks.push(tokio::spawn(tidy_metrics(gateway.clone())));
    if let Some(keep) = keep {
        tasks.push(tokio::spawn(forget_entries(gateway.clone(), keep.0)));
    }
    if shares {
        tasks.push(tokio::spawn(watch_idempotency(gateway.clone())));
    }
    if let Some(file) = &file {
        tasks.push(tokio::spawn(watch_file(gateway.clone(), file.clone())));
    }
    main.open(routes.main);
    if let Some(routes) = routes.admin {
        own.open(routes);
    }
    starting.0 = None;
    Ok(Running {
        gateway,
        address,
        admin,
        file,
        connections,
        leave_delay: settings.leave_delay.0,
        drain_timeout: settings.drain_timeout.0,
        tasks,
        telemetry: None,
    })
}

impl Running {
    /// Ends in order: says 503 at `/readyz` while it still answers, then accepts no connection and lets answers in progress end up to a limit, then
    /// ends the others with an error and writes what is waiting. `hurry` cuts the first two short.
    pub async fn drain(mut self, hurry: impl Future<Output = ()>) {
        select! {
            () = self.leave() => {}
            () = hurry => tracing::warn!(target: "gateway", connections = self.connections.open(), "answers in progress are cut: a second signal came"),
        }
        let (stages, begun) = (self.gateway.stages(), Instant::now());
        // Each call that is still in progress ends with the error of its API, if its client takes it.
        stages.enter(Stage::Cut);
        self.connections.ended(CUT / 2).await;
        stages.enter(Stage::Ended);
        for task in &self.tasks {
            task.abort();
        }
        // What was cut is settled when its tasks are dropped.
        self.connections.ended(CUT.saturating_sub(begun.elapsed())).await;
        // At the same time: one limit holds for all that is written at the end.
        let telemetry = self.telemetry.take();
        let spans = async {
            if let Some(telemetry) = telemetry {
                telemetry.end(self.gateway.close_timeout()).await;
            }
        };
        tokio::join!(self.gateway.close(), spans);
    }

    /// Lets load balancers leave, then the answers in progress end.
    async fn leave(&self) {
        let stages = self.gateway.stages();
        stages.enter(Stage::Leaving);
        if !self.leave_delay.is_zero() {
            tracing::info!(target: "gateway", delay = ?self.leave_delay, "shutting down: not ready, and still accepting");
            sleep(self.leave_delay).await;
        }
        stages.enter(Stage::Draining);
        tracing::info!(target: "gateway", connections = self.connections.open(), limit = ?self.drain_timeout, "shutting down: answers in progress may end");
        if !self.connections.ended(self.drain_timeout).await {
            tracing::warn!(target: "gateway", connections = self.connections.open(), "answers in progress are cut: `server.drain_timeout` is over");
        }
    }
}

pub(super) async fn run(asked: Serve) -> Result<(), Failed> {
    let demo = if asked.demo {
        Some(demo::Demo::start().await?)
    } else {
        None
    };
    let mut config = match &demo {
        Some(demo) => demo.config()?,
        None => config(asked.config.as_deref())?,
    };
    if let Some(address) = &asked.listen {
        config = config.listening(address).map_err(Failed::new)?;
    }
    if let Some(demo) = &demo {
        demo.guard(&mut config)?;
    }
    let telemetry = log::begin(&config.own)?;
    let mut signals = Signals::listen()?;
    let admin = config.admin_side();
    let mut running = select! {
        running = start(config) => running?,
        // A database that does not answer must not hold the process.
        () = signals.ended() => return Ok(()),
    };
    running.telemetry = Some(telemetry);
    if demo.is_some() {
        demo::introduce(running.address)?;
    }
    say(format!(
        "openrouter-gateway {} at http://{}",
        crate::VERSION,
        running.address
    ))?;
    say(match admin {
        AdminSide::Off => format!("page and metrics {admin}"),
        AdminSide::Token => format!("page and metrics at http://{}, {admin}", running.admin),
        AdminSide::Open => format!("page and metrics at http://{}", running.admin),
    })?;
    if !running.gateway.ring().is_required() {
        say(
            "no client key is needed, since only this machine reaches it; make one with `openrouter-gateway keys new NAME`",
        )?;
    }
    let traffic = demo.as_ref().map(|_| tokio::spawn(demo::traffic(running.address)));
    signals.stopped(&running.gateway, running.file.as_ref()).await;
    if let Some(traffic) = traffic {
        traffic.abort();
    }
    signals.drain(running).await;
    Ok(())
}
