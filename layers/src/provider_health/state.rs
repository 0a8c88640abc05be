//! What is known of one provider of one candidate, and the verdict on it.

use std::time::Duration;

use tokio::time::Instant;

use super::{ProviderPolicy, ProviderState};
use crate::util::{Mark, Window, after};

/// How long a probe keeps others from being one, if its attempt does not end before.
const PROBE_LEASE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct State {
    /// The last attempts, each with the time to its first token.
    window: Window<Option<Duration>>,
    verdict: Verdict,
    /// For how long it is left out the next time.
    next: Duration,
    /// It answers although it is left out: its slug is another one, so leaving it out is of no use.
    pub(super) has_another_slug: bool,
}

#[derive(Debug, Clone, Copy)]
enum Verdict {
    Healthy,
    Ignored {
        until: Instant,
    },
    /// A probe runs; others may probe if it has not ended by then.
    Probed {
        until: Instant,
        probe: u64,
    },
}

/// What a request does with a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Free,
    LeftOut,
    Probe(u64),
}

impl State {
    pub(super) fn new(policy: &ProviderPolicy) -> Self {
        Self {
            window: Window::new(),
            verdict: Verdict::Healthy,
            next: policy.ignore_for,
            has_another_slug: false,
        }
    }

    /// Takes one in, and forgets those that are too old or too many.
    pub(super) fn push(&mut self, failed: bool, first_token: Option<Duration>, policy: &ProviderPolicy) {
        let mark = (Mark { failed, slow: false }, first_token);
        self.window
            .push(mark, Instant::now(), policy.window_calls, policy.window_time);
    }

    pub(super) fn forget_stale(&mut self, now: Instant, policy: &ProviderPolicy) {
        self.window.forget_stale(now, policy.window_time);
    }

    pub(super) fn calls(&self) -> u32 {
        self.window.calls()
    }

    pub(super) const fn failures(&self) -> u32 {
        self.window.failed()
    }

    pub(super) fn has_answered(&self) -> bool {
        self.failures() < self.calls()
    }

    pub(super) const fn is_healthy(&self) -> bool {
        matches!(self.verdict, Verdict::Healthy)
    }

    /// The mean time to the first token, if so many streamed answers are known.
    pub(super) fn first_token(&self, least: u32) -> Option<Duration> {
        let times = self.window.notes().filter_map(|first_token| *first_token);
        let (sum, count) = times.fold((Duration::ZERO, 0_u32), |(sum, count), time| (sum + time, count + 1));
        (count >= least.max(1)).then(|| sum / count)
    }

    pub(super) fn should_be_left_out(&self, policy: &ProviderPolicy) -> bool {
        let calls = self.calls();
        self.is_healthy()
            && !self.has_another_slug
            && calls >= policy.min_calls
            && f64::from(self.failures()) >= policy.error_ratio * f64::from(calls)
    }

    /// Leaves it out, for twice as long the next time. Returns for how long.
    pub(super) fn leave_out(&mut self, policy: &ProviderPolicy) -> Duration {
        let time = self.next;
        self.verdict = Verdict::Ignored {
            until: after(Instant::now(), time),
        };
        self.next = time.saturating_mul(2).min(policy.ignore_at_most);
        time
    }

    /// It is back, and what was before no longer counts.
    pub(super) fn bring_back(&mut self, policy: &ProviderPolicy) {
        self.verdict = Verdict::Healthy;
        self.next = policy.ignore_for;
        self.window.clear();
    }

    /// What the next request does with it; `probe` names it if it is the probe.
    pub(super) fn use_next(&mut self, probe: u64) -> Use {
        let now = Instant::now();
        match self.verdict {
            Verdict::Healthy => Use::Free,
            Verdict::Ignored { until } | Verdict::Probed { until, .. } if until > now => Use::LeftOut,
            Verdict::Ignored { .. } | Verdict::Probed { .. } => {
                let until = now + PROBE_LEASE;
                self.verdict = Verdict::Probed { until, probe };
                Use::Probe(probe)
            }
        }
    }

    /// Whether this probe is still the one that decides.
    pub(super) fn is_probed_by(&self, own: u64) -> bool {
        matches!(self.verdict, Verdict::Probed { probe, .. } if probe == own)
    }

    /// The probe has said nothing: the next request is one.
    pub(super) fn probe_again(&mut self) {
        self.verdict = Verdict::Ignored { until: Instant::now() };
    }

    pub(super) fn report(&self) -> ProviderState {
        let now = Instant::now();
        match self.verdict {
            Verdict::Healthy => ProviderState::Healthy,
            Verdict::Ignored { until } => ProviderState::Ignored {
                probe_in: until.saturating_duration_since(now),
            },
            Verdict::Probed { until, .. } => ProviderState::Probed {
                again_in: until.saturating_duration_since(now),
            },
        }
    }
}
