//! The providers of all candidates: what is known of them, and what a request does with them.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use foldhash::fast::RandomState;
use tokio::time::Instant;

use super::{
    ProviderPolicy, ProviderPolicyError,
    state::{State, Use},
};
use crate::{
    Candidate, metering,
    util::{Lock, bounded_name},
};

/// The most pairs of a candidate and a provider: what is more is not counted.
pub(super) const MOST: usize = 4_096;

/// The most providers that one request leaves out.
pub(super) const MOST_LEFT_OUT: usize = 16;

/// The health of providers, and the policy by which requests leave them out. Clones share it; give it to several stacks to share it among them.
#[derive(Clone)]
pub struct ProviderHealth(Arc<Shared>);

struct Shared {
    policy: ProviderPolicy,
    table: Lock<Table>,
}

#[derive(Default)]
struct Table {
    candidates: HashMap<Candidate, Providers, RandomState>,
    pairs: usize,
    probes: u64,
}

/// The providers of one candidate.
#[derive(Default)]
struct Providers {
    all: Vec<Provider>,
    /// The router had no other one: until then none is left out, unless another one has answered since.
    alone_until: Option<Instant>,
}

struct Provider {
    name: Box<str>,
    slug: Box<str>,
    state: State,
}

/// What is known of one provider of a candidate.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProviderReport {
    /// The candidate.
    pub candidate: Candidate,
    /// The provider, as the router names it.
    pub provider: Box<str>,
    /// Attempts in the window.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// The share of attempts in the window that did not fail; 1 without any.
    pub uptime: f64,
    /// The mean time to the first token of streamed answers in the window.
    pub first_token: Option<Duration>,
    /// The verdict, and when it is looked at again.
    pub state: ProviderState,
}

/// The verdict on a provider, and when it is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProviderState {
    /// Requests may be served by it.
    Healthy,
    /// Requests leave it out.
    Ignored {
        /// When a request probes it.
        probe_in: Duration,
    },
    /// A request probes it, and the others leave it out.
    Probed {
        /// When another request does, if that one has not ended by then.
        again_in: Duration,
    },
}

/// What an attempt asks of its router.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Routing {
    pub(super) ignore: Vec<Box<str>>,
    pub(super) order: Vec<Box<str>>,
    pub(super) probe: Option<(Box<str>, u64)>,
}

impl ProviderHealth {
    /// By this policy.
    ///
    /// # Errors
    ///
    /// If it would decide nothing.
    pub fn new(policy: ProviderPolicy) -> Result<Self, ProviderPolicyError> {
        policy.check()?;
        let table = Lock::default();
        Ok(Self(Arc::new(Shared { policy, table })))
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &ProviderPolicy {
        &self.0.policy
    }

    /// What is known of each provider, in no order.
    #[must_use]
    pub fn report(&self) -> Vec<ProviderReport> {
        let (mut table, now) = (self.0.table.lock(), Instant::now());
        let mut all = Vec::new();
        for (candidate, providers) in &mut table.candidates {
            for provider in &mut providers.all {
                provider.state.forget_stale(now, self.policy());
                let (calls, failures) = (provider.state.calls(), provider.state.failures());
                all.push(ProviderReport {
                    candidate: candidate.clone(),
                    provider: provider.name.clone(),
                    calls,
                    failures,
                    uptime: 1.0 - f64::from(failures) / f64::from(calls.max(1)),
                    first_token: provider.state.first_token(1),
                    state: provider.state.report(),
                });
            }
        }
        all
    }

    /// What the next attempt on this candidate asks for. Of providers that are due one is probed.
    pub(super) fn routing(&self, candidate: &Candidate) -> Routing {
        let mut table = self.0.table.lock();
        table.probes += 1;
        let probe = table.probes;
        let mut routing = Routing::default();
        let Some(providers) = table.candidates.get_mut(candidate) else {
            return routing;
        };
        for provider in &mut providers.all {
            if provider.state.is_healthy() || routing.ignore.len() == MOST_LEFT_OUT {
                continue;
            }
            if routing.probe.is_none()
                && let Use::Probe(probe) = provider.state.use_next(probe)
            {
                routing.order = vec![provider.slug.clone()];
                routing.probe = Some((provider.name.clone(), probe));
            } else {
                routing.ignore.push(provider.slug.clone());
            }
        }
        if routing.probe.is_none() && self.policy().prefer_fast {
            routing.order = fastest_first(&providers.all, self.policy());
        }
        routing
    }

    /// An attempt has ended, served by this provider.
    pub(super) fn ended(&self, candidate: &Candidate, name: &str, failed: bool, first_token: Option<Duration>) {
        let mut table = self.0.table.lock();
        let Some(providers) = table.providers(candidate, name, self.policy()) else {
            return;
        };
        let mut others = providers.all.iter().filter(|provider| *provider.name != *name);
        let has_other = others.any(|other| other.state.is_healthy() && other.state.has_answered());
        let is_alone = providers.alone_until.is_some_and(|until| until > Instant::now());
        let Some(provider) = providers.all.iter_mut().find(|provider| *provider.name == *name) else {
            return;
        };
        provider.state.push(failed, first_token, self.policy());
        if (is_alone && !has_other) || !provider.state.should_be_left_out(self.policy()) {
            return;
        }
        let time = provider.state.leave_out(self.policy());
        tracing::warn!(
            target: "llm::provider",
            model = candidate.model(),
            upstream = candidate.upstream(),
            provider = name,
            calls = provider.state.calls(),
            failures = provider.state.failures(),
            probe_in = ?time,
            "provider left out"
        );
        metering::provider_entered(candidate, name, "ignored");
    }

    /// A probe has ended: `served` is the provider that answered or failed, if it is known; `failed`: nothing if the attempt says nothing.
    pub(super) fn probed(
        &self,
        candidate: &Candidate,
        (name, probe): &(Box<str>, u64),
        served: Option<&str>,
        failed: Option<bool>,
    ) {
        let mut table = self.0.table.lock();
        let providers = table.candidates.get_mut(candidate);
        let known = providers.and_then(|known| known.all.iter_mut().find(|provider| provider.name == *name));
        let Some(provider) = known.filter(|provider| provider.state.is_probed_by(*probe)) else {
            return;
        };
        match (failed, served) {
            (None, _) | (_, None) => provider.state.probe_again(),
            (Some(false), Some(served)) if *served == **name => {
                provider.state.bring_back(self.policy());
                tracing::info!(target: "llm::provider", model = candidate.model(), provider = &**name, "provider is back");
                metering::provider_entered(candidate, name, "healthy");
            }
            _ => {
                let time = provider.state.leave_out(self.policy());
                tracing::info!(target: "llm::provider", model = candidate.model(), provider = &**name, probe_in = ?time, "provider fails still");
            }
        }
    }

    /// Gives the place of a probe back that was not made.
    pub(super) fn give_back(&self, candidate: &Candidate, probe: Option<(Box<str>, u64)>) {
        if let Some(probe) = probe {
            self.probed(candidate, &probe, None, None);
        }
    }

    /// A provider served an attempt that left it out.
    pub(super) fn has_another_slug(&self, candidate: &Candidate, name: &str) {
        let mut table = self.0.table.lock();
        let providers = table.candidates.get_mut(candidate);
        let Some(provider) = providers.and_then(|known| known.all.iter_mut().find(|provider| *provider.name == *name))
        else {
            return;
        };
        if !std::mem::replace(&mut provider.state.has_another_slug, true) {
            tracing::warn!(
                target: "llm::provider",
                provider = name,
                slug = &*provider.slug,
                "a provider answers although it is left out: name its slug with `ProviderPolicy::slug`"
            );
        }
        provider.state.bring_back(self.policy());
    }

    /// The router had no provider left: all verdicts on the candidate end, and none is made for the longest time that one holds.
    pub(super) fn lift(&self, candidate: &Candidate) {
        let mut table = self.0.table.lock();
        let Some(providers) = table.candidates.get_mut(candidate) else {
            return;
        };
        providers.alone_until = Instant::now().checked_add(self.policy().ignore_at_most);
        for provider in providers.all.iter_mut().filter(|provider| !provider.state.is_healthy()) {
            provider.state.bring_back(self.policy());
            metering::provider_entered(candidate, &provider.name, "healthy");
        }
        tracing::warn!(target: "llm::provider", model = candidate.model(), "no provider was left: none is left out any more");
    }
}

impl Table {
    /// Those of a candidate, this one among them; `None` if there is no room for it.
    fn providers(&mut self, candidate: &Candidate, name: &str, policy: &ProviderPolicy) -> Option<&mut Providers> {
        let known = self.candidates.get(candidate);
        let is_known = known.is_some_and(|known| known.all.iter().any(|provider| *provider.name == *name));
        if !is_known {
            if self.pairs >= MOST {
                self.forget(policy);
            }
            if self.pairs >= MOST {
                return None;
            }
            self.pairs += 1;
            let provider = Provider {
                name: bounded_name(name),
                slug: policy.slug_of(name),
                state: State::new(policy),
            };
            self.candidates.entry(candidate.clone()).or_default().all.push(provider);
        }
        self.candidates.get_mut(candidate)
    }

    /// Forgets those without attempts in the window and without a verdict.
    fn forget(&mut self, policy: &ProviderPolicy) {
        let now = Instant::now();
        self.candidates.retain(|_, providers| {
            providers.all.retain_mut(|provider| {
                provider.state.forget_stale(now, policy);
                provider.state.calls() > 0 || !provider.state.is_healthy()
            });
            !providers.all.is_empty()
        });
        self.pairs = self.candidates.values().map(|providers| providers.all.len()).sum();
    }
}

/// Healthy ones by their mean time to the first token; none unless two are known.
fn fastest_first(providers: &[Provider], policy: &ProviderPolicy) -> Vec<Box<str>> {
    let healthy = providers.iter().filter(|provider| provider.state.is_healthy());
    let mut timed: Vec<_> = healthy
        .filter_map(|provider| Some((provider.state.first_token(policy.min_calls)?, &provider.slug)))
        .collect();
    if timed.len() < 2 {
        return Vec::new();
    }
    timed.sort();
    timed.into_iter().map(|(_, slug)| slug.clone()).collect()
}

impl fmt::Debug for ProviderHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderHealth")
            .field("policy", &self.0.policy)
            .field("pairs", &self.0.table.lock().pairs)
            .finish_non_exhaustive()
    }
}
