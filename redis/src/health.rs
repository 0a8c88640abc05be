//! Whether the store is away, and what is to be done about it. Nothing here waits.

use std::time::Duration;

use tokio::time::Instant;

use crate::refusal::WriteRefusal;

/// How long nothing fails before an outage counts as over: one slow answer among many is one outage, not hundreds.
const QUIET: Duration = Duration::from_secs(1);

/// How long nothing succeeds before a new connection is dialled. The manager dials if one has broken; it stays without end with
/// one that is silent, and with one whose password was refused once.
const STALE: Duration = Duration::from_secs(2);

/// After so many decisions in a row without an answer in time, none waits for one.
const GIVEN_UP: u32 = 3;

/// How often the store is probed then, and during any outage in which no call asks it.
pub(crate) const PROBE: Duration = Duration::from_secs(1);

pub(crate) struct Health {
    /// Decisions in a row that had no answer in time.
    timeouts: u32,
    /// When the next probe is due, of a store that was given up on.
    probe_at: Option<Instant>,
    is_down: bool,
    succeeded: Instant,
    failed: Option<Instant>,
    dialled: Instant,
    /// When it was dialled last because the server is a replica.
    left: Option<Instant>,
    /// The server has refused a write, and has not taken the write of a probe since.
    refuses_writes: bool,
    /// When the store was probed last.
    probed: Option<Instant>,
}

/// Whether a decision may wait for the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// For as long as a decision may take.
    Waits,
    /// Not at all: the store was given up on, and is probed.
    GivenUp,
    /// Not at all; and the next probe is due.
    ProbeDue,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed {
    /// An outage begins with it.
    pub(crate) is_first: bool,
    /// The connection is to be dialled again.
    pub(crate) dial: bool,
}

impl Health {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            timeouts: 0,
            probe_at: None,
            is_down: false,
            succeeded: now,
            failed: None,
            dialled: now,
            left: None,
            refuses_writes: false,
            probed: None,
        }
    }

    pub(crate) const fn is_down(&self) -> bool {
        self.is_down
    }

    pub(crate) const fn refuses_writes(&self) -> bool {
        self.refuses_writes
    }

    pub(crate) const fn is_given_up(&self) -> bool {
        self.probe_at.is_some()
    }

    /// Whether a decision may wait. A probe that is due is leased to the one that asks.
    pub(crate) fn patience(&mut self) -> Patience {
        let Some(probe_at) = self.probe_at else {
            return Patience::Waits;
        };
        let now = Instant::now();
        if now < probe_at {
            return Patience::GivenUp;
        }
        (self.probe_at, self.probed) = (Some(now + PROBE), Some(now));
        Patience::ProbeDue
    }

    /// During an outage: whether nothing was heard of the store for so long that a probe is due; while it refuses writes, whatever was heard of it. It is
    /// leased to the one that asks.
    pub(crate) fn idle_probe(&mut self) -> bool {
        let now = Instant::now();
        let answers = [Some(self.succeeded), self.failed].into_iter().flatten();
        let answered = answers.max().filter(|_| !self.refuses_writes);
        let heard = answered.max(self.probed);
        let is_due = self.is_down && heard.is_none_or(|heard| now.duration_since(heard) >= PROBE);
        if is_due {
            self.probed = Some(now);
            self.probe_at = self.probe_at.map(|_| now + PROBE);
        }
        is_due
    }

    /// A decision had no answer in time.
    pub(crate) fn timed_out(&mut self) {
        self.timeouts = self.timeouts.saturating_add(1);
        if self.timeouts >= GIVEN_UP && self.probe_at.is_none() {
            self.probe_at = Some(Instant::now() + PROBE);
        }
    }

    /// There was an answer; says whether an outage ends with it. One in which the server refuses writes does not: it answers what it need not write.
    pub(crate) fn succeeded(&mut self) -> bool {
        let now = Instant::now();
        self.succeeded = now;
        (self.timeouts, self.probe_at) = (0, None);
        let is_quiet = self.failed.is_none_or(|failed| now.duration_since(failed) >= QUIET);
        is_quiet && !self.refuses_writes && std::mem::take(&mut self.is_down)
    }

    /// The server has taken the write of a probe; says whether an outage ends with it.
    pub(crate) fn took_write(&mut self) -> bool {
        self.refuses_writes = false;
        self.succeeded()
    }

    /// There was none.
    pub(crate) fn failed(&mut self) -> Failed {
        let now = Instant::now();
        self.failed = Some(now);
        let dial = now.duration_since(self.succeeded.max(self.dialled)) >= STALE;
        if dial {
            self.dialled = now;
        }
        Failed {
            is_first: !std::mem::replace(&mut self.is_down, true),
            dial,
        }
    }
}

impl Health {
    /// The server answers, and takes no writes. If it is a replica, another one is the primary now, and the address may stand for it: it is dialled at
    /// once, and again as often as a silent one.
    pub(crate) fn refused_write(&mut self, why: WriteRefusal) -> Failed {
        let now = Instant::now();
        self.refuses_writes = true;
        if why == WriteRefusal::Unable {
            // The connection is well.
            self.dialled = now;
            return self.failed();
        }
        let mut failed = self.failed();
        failed.dial |= self.left.is_none_or(|left| now.duration_since(left) >= STALE);
        if failed.dial {
            (self.dialled, self.left) = (now, Some(now));
        }
        failed
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_answers_among_many_are_one_outage() {
        let mut health = Health::new();
        let mut begun = 0;
        for _ in 0..20 {
            begun += u32::from(health.failed().is_first);
            advance(QUIET / 2).await;
            assert!(!health.succeeded() && health.is_down());
        }
        assert_eq!(begun, 1);
        advance(QUIET / 2).await;
        assert!(health.succeeded() && !health.is_down());
        assert!(!health.succeeded(), "it ends once");
        assert!(health.failed().is_first, "the next is another");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_given_up_on_and_probed_once_a_second() {
        let mut health = Health::new();
        for _ in 0..2 {
            health.timed_out();
            assert_eq!(health.patience(), Patience::Waits);
        }
        health.succeeded();
        for _ in 0..3 {
            assert_eq!(health.patience(), Patience::Waits, "three in a row");
            health.timed_out();
        }
        let mut probes = 0;
        for _ in 0..100 {
            match health.patience() {
                Patience::Waits => panic!("it was given up on"),
                Patience::GivenUp => {}
                Patience::ProbeDue => probes += 1,
            }
            advance(PROBE / 10).await;
        }
        assert_eq!(probes, 9);
        health.timed_out();
        assert_eq!(health.patience(), Patience::ProbeDue);
        health.succeeded();
        assert_eq!(health.patience(), Patience::Waits);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_in_which_no_call_asks_is_probed_once_a_second() {
        let mut health = Health::new();
        advance(PROBE * 9).await;
        assert!(!health.idle_probe(), "there is no outage");
        health.failed();
        let mut probes = 0;
        for _ in 0..100 {
            probes += u32::from(health.idle_probe());
            advance(PROBE / 10).await;
        }
        assert_eq!(probes, 9);
        for _ in 0..100 {
            health.failed();
            assert!(!health.idle_probe(), "calls ask");
            advance(PROBE / 10).await;
        }
        advance(PROBE).await;
        assert!(health.idle_probe());
        health.succeeded();
        assert!(!health.is_down());
    }

    #[tokio::test(start_paused = true)]
    async fn it_dials_if_nothing_succeeds_and_not_at_every_failure() {
        let mut health = Health::new();
        let mut dialled = 0;
        for _ in 0..60 {
            advance(STALE / 10).await;
            dialled += u32::from(health.failed().dial);
        }
        assert_eq!(dialled, 6);
        for _ in 0..60 {
            advance(STALE / 10).await;
            health.succeeded();
            assert!(!health.failed().dial);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_takes_no_writes_is_dialled_at_once_and_not_at_every_refusal() {
        let mut health = Health::new();
        let mut dialled = 0;
        for _ in 0..60 {
            dialled += u32::from(health.refused_write(WriteRefusal::Replica).dial);
            assert!(health.refuses_writes());
            advance(STALE / 10).await;
        }
        assert_eq!(dialled, 6);
        // One that answered in between, and is not the primary all the same.
        health.took_write();
        assert!(!health.refuses_writes());
        assert!(health.refused_write(WriteRefusal::Replica).dial);
        health.failed();
        assert!(health.refuses_writes(), "until one is taken");
    }

    #[tokio::test(start_paused = true)]
    async fn while_writes_are_refused_other_answers_end_no_outage_and_do_not_delay_a_probe() {
        let mut health = Health::new();
        let (mut begun, mut probes) = (0, 0);
        for _ in 0..100 {
            let failed = health.refused_write(WriteRefusal::Unable);
            assert!(!failed.dial, "the connection is well");
            begun += u32::from(failed.is_first);
            probes += u32::from(health.idle_probe());
            advance(PROBE / 10).await;
        }
        assert_eq!((begun, probes), (1, 10));
        for _ in 0..100 {
            assert!(!health.succeeded() && health.is_down(), "what is read is answered");
            probes += u32::from(health.idle_probe());
            advance(PROBE / 10).await;
        }
        assert_eq!(probes, 20);
        assert!(health.took_write() && !health.is_down());
    }
}
