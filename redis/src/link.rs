//! The connection, and what is known of its health.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, RedisResult, ScriptInvocation, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    error::RedisError,
    health::{Failed, Health, PROBE, Patience},
    refusal::{code, is_final, write_refusal},
};

/// How long dialling may take, and any answer that is not awaited.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clones share it.
#[derive(Clone)]
pub(crate) struct Link(Arc<LinkState>);

struct LinkState {
    client: Client,
    server: String,
    decision_timeout: Duration,
    /// The key that is written to find out whether the server takes writes again.
    probe_key: String,
    current: Mutex<ConnectionManager>,
    health: Mutex<Health>,
    blind: AtomicU64,
}

fn config() -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE))
        .set_pipeline_buffer_size(1_000)
}

/// What went wrong, in the server's words or the network's: neither holds a password.
fn reason(error: &redis::RedisError) -> String {
    error.to_string()
}

impl Link {
    pub(crate) async fn connect(url: &str, decision_timeout: Duration, probe_key: String) -> Result<Self, RedisError> {
        #[cfg(feature = "tls")]
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // It fails only if another task was faster.
            drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        }
        let client = client(url)?;
        let server = client.get_connection_info().addr().to_string();
        let connecting = async {
            let mut connection = ConnectionManager::new_with_config(client.clone(), config()).await?;
            // A server that requires a password accepts the connection, and refuses the first command.
            let pong: String = redis::cmd("PING").query_async(&mut connection).await?;
            Ok((connection, pong))
        };
        let (connection, pong) = match timeout(PATIENCE, connecting).await {
            Ok(answer) => answer.map_err(|error| told(&error, &server))?,
            Err(_) => return Err(RedisError::Slow { server }),
        };
        if pong != "PONG" {
            let reason = "it does not answer PING".to_owned();
            return Err(RedisError::NotRedis { server, reason });
        }
        Ok(Self(Arc::new(LinkState {
            client,
            server,
            decision_timeout,
            probe_key,
            current: Mutex::new(connection),
            health: Mutex::new(Health::new()),
            blind: AtomicU64::new(0),
        })))
    }

    pub(crate) fn server(&self) -> &str {
        &self.0.server
    }

    pub(crate) fn blind(&self) -> u64 {
        self.0.blind.load(Ordering::Relaxed)
    }

    pub(crate) fn is_down(&self) -> bool {
        self.health().is_down()
    }

    /// When a decision that begins now must be made.
    pub(crate) fn deadline(&self) -> Instant {
        // Of a store that was given up on, it has passed: nothing waits.
        let time = if self.health().is_given_up() {
            Duration::ZERO
        } else {
            self.0.decision_timeout
        };
        Instant::now() + time
    }

    /// Makes a decision within its time; returns why it could not be made.
    pub(crate) async fn decide<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
        deadline: Instant,
    ) -> Result<T, String> {
        let patience = self.health().patience();
        if patience == Patience::ProbeDue {
            self.probe();
        }
        if patience != Patience::Waits {
            return Err(
                self.made_blind("no answer several times in a row, so it is only probed, once a second".to_owned())
            );
        }
        let mut connection = self.connection();
        let decided: RedisResult<T> = match timeout_at(deadline, call.invoke_async(&mut connection)).await {
            Ok(answer) => answer,
            Err(_) => {
                let reason = format!("no answer in {:?}", self.0.decision_timeout);
                self.failed(&reason);
                self.health().timed_out();
                return Err(self.made_blind(reason));
            }
        };
        self.note(&decided);
        decided.map_err(|error| self.made_blind(reason(&error)))
    }

    /// Finds out beside all calls whether the store answers again: none of them waits for it.
    fn probe(&self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let (link, mut connection) = (self.clone(), self.connection());
        runtime.spawn(async move {
            let writes = link.health().refuses_writes();
            let probe = link.question(writes);
            match timeout(link.0.decision_timeout, probe.query_async::<Value>(&mut connection)).await {
                Ok(Ok(_)) if writes => link.took_write(),
                Ok(answer) => link.note(&answer),
                Err(_) => link.failed("no answer to a probe"),
            }
        });
    }

    /// What a probe asks. A server that takes no writes answers a `PING` all the same: it must take one to be well, and one that needs memory.
    fn question(&self, writes: bool) -> Cmd {
        if !writes {
            return redis::cmd("PING");
        }
        let mut set = redis::cmd("SET");
        set.arg(&self.0.probe_key).arg(1).arg("PX").arg(1);
        set
    }

    /// Probes until the outage is over, whenever no call asks: otherwise it would last for as long as nothing is called.
    fn watch_outage(&self) {
        let Ok(runtime) = Handle::try_current() else { return };
        let link = Arc::downgrade(&self.0);
        runtime.spawn(async move {
            loop {
                sleep(PROBE).await;
                let Some(link) = link.upgrade().map(Self).filter(Self::is_down) else {
                    return;
                };
                let is_due = link.health().idle_probe();
                if is_due {
                    link.probe();
                }
            }
        });
    }

    fn made_blind(&self, reason: String) -> String {
        self.0.blind.fetch_add(1, Ordering::Relaxed);
        reason
    }

    /// Sends something without waiting for the answer.
    pub(crate) async fn tell<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, redis::RedisError> {
        let mut connection = self.connection();
        let answer = call.invoke_async(&mut connection).await;
        self.note(&answer);
        answer
    }

    /// Asks for something to be shown.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut connection = self.connection();
        let answer = command.query_async(&mut connection).await;
        self.note(&answer);
        answer.map_err(|error| told(&error, &self.0.server))
    }

    /// The same of a script.
    pub(crate) async fn ask_script<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, RedisError> {
        self.tell(call).await.map_err(|error| told(&error, &self.0.server))
    }

    fn note<T>(&self, answer: &Result<T, redis::RedisError>) {
        match answer {
            Err(error) => match write_refusal(error) {
                Some(why) => {
                    let failed = self.health().refused_write(why);
                    self.act_on(failed, &reason(error));
                }
                None if is_final(error) => self.succeeded(),
                None => self.failed(&reason(error)),
            },
            Ok(_) => self.succeeded(),
        }
    }

    fn succeeded(&self) {
        let is_over = self.health().succeeded();
        self.report_end(is_over);
    }

    fn took_write(&self) {
        let is_over = self.health().took_write();
        self.report_end(is_over);
    }

    fn report_end(&self, is_over: bool) {
        if is_over {
            tracing::info!(target: "llm::store", server = self.0.server, "the shared store answers again");
        }
    }

    fn failed(&self, reason: &str) {
        let failed = self.health().failed();
        self.act_on(failed, reason);
    }

    fn act_on(&self, failed: Failed, reason: &str) {
        if failed.dial
            && let Ok(fresh) = ConnectionManager::new_lazy_with_config(self.0.client.clone(), config())
        {
            *self.0.current.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
        if failed.is_first {
            tracing::error!(target: "llm::store", server = self.0.server, reason, "the shared store does not answer");
            self.watch_outage();
        }
    }

    fn connection(&self) -> ConnectionManager {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.0.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What connects to this URL.
pub(crate) fn client(url: &str) -> Result<Client, RedisError> {
    check_password(url)?;
    Client::open(url).map_err(|error| RedisError::Url { reason: reason(&error) })
}

/// A user or a password with a delimiter in it would be taken for the server's name, and be shown.
fn check_password(url: &str) -> Result<(), RedisError> {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    // A value of the query may well hold one.
    let before_query = rest.len() - query.len();
    let is_cut = rest
        .get(authority.len()..before_query)
        .is_some_and(|path| path.contains('@'))
        || query.split('=').next().is_some_and(|name| name.contains('@'));
    if is_cut || authority.matches('@').count() > 1 {
        let reason = "its user or password holds one of `@/?#:`: write it percent-encoded".to_owned();
        return Err(RedisError::Url { reason });
    }
    Ok(())
}

/// What is wrong with the server.
fn told(error: &redis::RedisError, server: &str) -> RedisError {
    let server = server.to_owned();
    match (error.kind(), code(error)) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => RedisError::Rejected { server },
        (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) | (_, Some("ERR" | "WRONGTYPE" | "NOPERM")) => {
            RedisError::NotRedis {
                server,
                reason: reason(error),
            }
        }
        _ if error.is_timeout() => RedisError::Slow { server },
        _ => RedisError::Unreachable {
            server,
            reason: reason(error),
        },
    }
}
