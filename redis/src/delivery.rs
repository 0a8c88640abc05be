//! Delivers to the store what is reported in `drop`: in order, and each command once, however often it must be sent.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::ScriptInvocation;
use tokio::{
    sync::{Notify, mpsc},
    task::AbortHandle,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    command::{StoreCommand, StoreReply},
    refusal::{is_final, is_of_the_key},
    renewal::renew,
    server::Server,
};

/// Commands that may wait for a store that is away.
const MOST_WAITING: usize = 100_000;
/// Commands that one call delivers at most: some milliseconds of the server's time.
const AT_ONCE: usize = 32;
/// The first wait after a failure; each further one is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// Tries of a command that a healthy server refuses.
const MOST_REFUSALS: u32 = 5;

/// Delivers commands in order, and ends with its last handle once all are delivered.
pub(crate) struct Delivery {
    commands: mpsc::Sender<StoreCommand>,
    counts: Arc<Counts>,
    renewal: AbortHandle,
}

#[derive(Default)]
struct Counts {
    /// Commands that were sent so far.
    sent: AtomicU64,
    /// Of these, those that need not be delivered any more.
    done: AtomicU64,
    lost: AtomicU64,
    /// Tries that failed.
    failures: AtomicU64,
    /// Whether the last try failed, so that the next one is waited for.
    is_behind: AtomicBool,
    /// Notified after each try, and if there is nothing to deliver.
    tried: Notify,
    /// Notified to try again now.
    wake: Notify,
}

impl Counts {
    fn done(&self, commands: u64) {
        self.done.fetch_add(commands, Ordering::AcqRel);
        self.tried.notify_waiters();
    }

    fn failed(&self) {
        self.failures.fetch_add(1, Ordering::AcqRel);
        self.is_behind.store(true, Ordering::Release);
        self.tried.notify_waiters();
    }

    fn waiting(&self) -> u64 {
        let done = self.done.load(Ordering::Acquire);
        self.sent.load(Ordering::Acquire).saturating_sub(done)
    }

    /// Waits until so many commands are done; unless another try fails than those so far. Says whether they are.
    async fn reaches(&self, commands: u64, failures: Option<u64>) -> bool {
        loop {
            // Asked for first, so that no command is missed in between.
            let tried = self.tried.notified();
            if self.done.load(Ordering::Acquire) >= commands {
                return true;
            }
            if failures.is_some_and(|failures| self.failures.load(Ordering::Acquire) > failures) {
                return false;
            }
            tried.await;
        }
    }

    /// Tries again now, and waits for that.
    async fn tries(&self, commands: u64) -> bool {
        let failures = self.failures.load(Ordering::Acquire);
        self.wake.notify_one();
        self.reaches(commands, Some(failures)).await
    }
}

impl Delivery {
    pub(crate) fn spawn(server: &Arc<Server>) -> Arc<Self> {
        let (commands, inbox) = mpsc::channel(MOST_WAITING);
        let counts = Arc::new(Counts::default());
        server
            .runtime
            .spawn(deliver(Arc::clone(server), inbox, Arc::clone(&counts)));
        let renewal = server.runtime.spawn(renew(Arc::clone(server))).abort_handle();
        Arc::new(Self {
            commands,
            counts,
            renewal,
        })
    }

    pub(crate) fn send(&self, command: StoreCommand) {
        // What is only a courtesy leaves room for money while the store is away: leases end by themselves.
        if command.is_courtesy() && self.commands.capacity() < MOST_WAITING / 2 {
            return;
        }
        if self.commands.try_send(command).is_ok() {
            // Only what was taken, so that what is lost here does not count as done while what was sent before still waits.
            self.counts.sent.fetch_add(1, Ordering::AcqRel);
        } else {
            let lost = self.counts.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::error!(target: "llm::store", lost, "the shared store has been unavailable for too long: what was spent is not counted");
            }
        }
    }

    /// Commands that could not be kept while the store was away, or that it refused.
    pub(crate) fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }

    /// Commands that need not be delivered any more.
    pub(crate) fn done(&self) -> u64 {
        self.counts.done.load(Ordering::Acquire)
    }

    /// Waits until all commands that were sent so far are delivered.
    pub(crate) async fn flush(&self) {
        let sent = self.counts.sent.load(Ordering::Acquire);
        self.counts.reaches(sent, None).await;
    }

    /// If delivery waits after a failure, it tries again now.
    pub(crate) fn wake(&self) {
        if self.counts.is_behind.load(Ordering::Acquire) {
            self.counts.wake.notify_one();
        }
    }

    /// The same, and waits for that: half of the time until the deadline at most.
    pub(crate) async fn recover(&self, deadline: Instant) {
        if self.counts.is_behind.load(Ordering::Acquire) {
            let half = deadline.saturating_duration_since(Instant::now()) / 2;
            let sent = self.counts.sent.load(Ordering::Acquire);
            drop(timeout(half, self.counts.tries(sent)).await);
        }
    }

    /// If there are commands that were not delivered yet when so many were done, waits for them. Says whether there were, and they are
    /// delivered now.
    pub(crate) async fn catches_up(&self, done: u64, deadline: Instant) -> bool {
        let sent = self.counts.sent.load(Ordering::Acquire);
        sent > done && timeout_at(deadline, self.counts.tries(sent)).await.unwrap_or(false)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn deliver(server: Arc<Server>, mut inbox: mpsc::Receiver<StoreCommand>, counts: Arc<Counts>) {
    // The store knows the last number of each sender.
    let sender = server.key("sender", &format!("{:032x}", fastrand::u128(..)));
    let (mut first, mut most) = (1_u64, AT_ONCE);
    let mut commands = Vec::with_capacity(AT_ONCE);
    while inbox.recv_many(&mut commands, most).await > 0 {
        let (mut wait, mut refusals) = (FIRST_RETRY, 0);
        while !commands.is_empty() {
            let now = commands.len().min(most);
            let some = commands.get(..now).unwrap_or_default();
            match server
                .link
                .tell::<Vec<StoreReply>>(&call(&server, &sender, first, some))
                .await
            {
                Ok(replies) => {
                    let snapshots = &server.snapshots;
                    commands
                        .drain(..now)
                        .zip(replies)
                        .for_each(|(command, reply)| command.record_reply(&reply, snapshots));
                    first += now as u64;
                    counts.is_behind.store(
                        !inbox.is_empty() && counts.is_behind.load(Ordering::Acquire),
                        Ordering::Release,
                    );
                    counts.done(now as u64);
                    (wait, refusals) = (FIRST_RETRY, 0);
                    continue;
                }
                // One of several is refused: from here on one by one.
                Err(error) if is_final(&error) && now > 1 => {
                    most = 1;
                    continue;
                }
                Err(error) if is_final(&error) => {
                    refusals += 1;
                    if refusals == MOST_REFUSALS || is_of_the_key(&error) {
                        tracing::error!(target: "llm::store", %error, "the shared store refuses what was spent");
                        commands.remove(0);
                        first += 1;
                        counts.lost.fetch_add(1, Ordering::Relaxed);
                        counts.done(1);
                        refusals = 0;
                        continue;
                    }
                }
                Err(_) => {}
            }
            counts.failed();
            // However often it is woken, it leaves the store a moment.
            sleep(FIRST_RETRY).await;
            drop(timeout(wait - FIRST_RETRY, counts.wake.notified()).await);
            wait = (wait * 2).min(LONGEST_RETRY);
        }
        most = AT_ONCE;
    }
}

/// Delivers these, the first of which has this number.
fn call<'a>(server: &'a Server, sender: &str, first: u64, commands: &[StoreCommand]) -> ScriptInvocation<'a> {
    let mut call = server.scripts.deliver.prepare_invoke();
    call.key(sender).arg(server.lease_millis()).arg(first.to_string());
    for command in commands {
        command.add_to(&mut call, &server.snapshots);
    }
    call
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("waiting", &self.counts.waiting())
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}
