//! The stack that a setup describes, by its public builder, and what is kept of it to look at afterwards.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use tower::layer::util::Identity;
use tower_openrouter::{
    ApiKey, Candidate, Error, FailureKind, KeyPool, Keys, Stack, Tags, UsdAmount,
    degrade::CannedReply,
    layers::{
        FixedPrices, TimeoutOverrides, WorstCasePrice,
        adaptive_concurrency::{ConcurrencyLimits, ConcurrencyPolicy},
        auth::{KeyFuture, KeyProvider},
        budget::{Budget, BudgetStore, Budgets, InMemoryBudgetStore, Zone},
        cache::{
            Cache,
            idempotency::{InFlight, InMemoryIdempotency},
        },
        circuit_breaker::CircuitPolicy,
        cost::UnknownPrice,
        events::{self, EventReceiver},
        fallback::{Hedge, RequestedModel},
        rate_limit::{Limits, Rate},
        reconcile::Reconciler,
        resume::ResumeLayer,
        retry::{Exponential, RetryBudget},
        timeout::MinThroughput,
    },
    stack::{CallTags, ChatCache, ChatIdempotency, StackBuilder, TenantKey},
    stream_upstream::StreamUpstreamLayer,
};

use super::{
    answer::CANNED,
    own::RepeatLayer,
    record::Record,
    setup::{Cap, LimitSetup, Own, Setup, StoreMood},
    stores::{Bills, Kept, SharedLimits, Wall, WatchedStore, Weather},
    upstream::{PRICES, Shared, Upstream},
};

/// A stack, and everything beside it that can be looked at.
pub(crate) struct Built {
    pub(crate) stack: Stack,
    pub(crate) ledger: Option<Arc<Kept>>,
    pub(crate) budgets: Option<Budgets>,
    pub(crate) watched: WatchedStore,
    /// The stack's own store of budgets, behind the watched one.
    pub(crate) accounts: InMemoryBudgetStore,
    pub(crate) limits: Vec<Arc<SharedLimits>>,
    pub(crate) cache: Option<(Cache<tower_openrouter::ChatFrame>, u64)>,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) reconciler: Option<Reconciler>,
    /// Read by nothing: a channel that is full holds no call up.
    pub(crate) _events: Option<EventReceiver>,
}

const SECOND: Duration = Duration::from_secs(1);

/// Builds it; `Err` says what the builder refused.
pub(crate) fn build(shared: &Arc<Shared>) -> Result<Built, String> {
    let (setup, record, plant) = (&shared.setup, &shared.record, shared.plant);
    let weather = |mood| Weather {
        record: Arc::clone(record),
        mood,
        outage: setup.outage,
    };
    let candidates: Vec<_> = setup
        .models()
        .iter()
        .enumerate()
        .map(|(index, model)| {
            let candidate = Candidate::new(setup.upstream(index), model).unwrap();
            if setup.own_timeouts && index == 0 {
                candidate.with_timeouts(own_timeouts())
            } else if setup.own_parameters && index == 1 {
                candidate
                    .with_parameter("temperature", "0.5")
                    .without_parameter("top_p")
            } else {
                candidate
            }
        })
        .collect();
    let (chain, cheaper) = candidates.split_at(setup.chain_length());
    let mut builder = with_options(Stack::builder(), setup)
        .keys(keys(setup, record))
        .chain(chain.iter().cloned())
        .cheaper(cheaper.iter().cloned())
        .attempts(plant.attempts(setup.attempts));

    let mut limits = Vec::new();
    let mut store = |mood: Option<StoreMood>| {
        let store = Arc::new(SharedLimits::new(weather(mood?)));
        limits.push(Arc::clone(&store));
        Some(store)
    };
    if let Some(limit) = &setup.tenant_limits {
        builder = builder.tenant_limits(limits_of(limit), TenantKey::tag("tenant"), limit.max_wait);
        if let Some(store) = store(limit.store) {
            builder = builder.tenant_limit_store(store);
        }
    }
    if let Some(limit) = &setup.upstream_limits {
        builder = builder.upstream_limits(limits_of(limit), limit.max_wait);
        if let Some(store) = store(limit.store) {
            builder = builder.upstream_limit_store(store);
        }
    }

    let accounts = InMemoryBudgetStore::new();
    let inner: Arc<dyn BudgetStore> = plant.budget_store(Arc::new(accounts.clone()));
    let watched = WatchedStore::new(inner, weather(setup.budget_store), Wall::new(setup.clock_steps.clone()));
    let ledger = setup
        .has_ledger
        .then(|| Arc::new(Kept::new(Arc::clone(record), setup.jump.is_some())));
    let budgets = (!setup.caps.is_empty()).then(|| {
        let budgets = setup.caps.iter().enumerate().map(|(index, cap)| budget(index, cap));
        Budgets::in_store(budgets, Arc::new(watched.clone())).unwrap()
    });
    if setup.has_prices {
        let prices = candidates.iter().map(|candidate| (candidate.clone(), price()));
        builder = builder.prices(Arc::new(FixedPrices::new(prices)));
    } else {
        builder = builder.unknown_price(match setup.allows_unknown_prices {
            true => UnknownPrice::Allow,
            false => UnknownPrice::Assume(price()),
        });
    }
    let mut reconciler = None;
    if let Some(budgets) = &budgets {
        builder = builder.budgets(budgets.clone());
    }
    if let Some(ledger) = &ledger {
        builder = builder.ledger(plant.ledger(Arc::clone(ledger)));
        if setup.late_bills {
            let mut late = Reconciler::builder(Arc::new(Bills(Arc::clone(record)))).ledger(Arc::clone(ledger) as _);
            if let Some(budgets) = &budgets {
                late = late.budgets(budgets.clone());
            }
            let late = late.spawn_on(tokio::runtime::Handle::current()).unwrap();
            builder = builder.reconciler(late.clone());
            reconciler = Some(late);
        }
    }
    let mut cache = None;
    if let Some((size, time_to_live, stale, single_flight)) = setup.cache {
        let kept = Cache::new(size).time_to_live(time_to_live).stale_if_error(stale);
        cache = Some((kept.clone(), size));
        builder = builder.cache(ChatCache::new(kept, TenantKey::tag("tenant")).single_flight(single_flight));
    }
    if let Some(waits) = setup.idempotency {
        let in_flight = if waits { InFlight::Wait } else { InFlight::Refuse };
        let keys = ChatIdempotency::new(InMemoryIdempotency::new(8 << 20), TenantKey::tag("tenant"));
        builder = plant.keys(builder, keys.in_flight(in_flight));
    }
    let mut _events = None;
    if let Some(capacity) = setup.events {
        let (sender, receiver) = events::channel(capacity);
        builder = builder.events(sender);
        _events = Some(receiver);
    }
    if setup.own_call == Own::Plain {
        builder = builder.around_call(Identity::new());
    }
    builder = match setup.own_attempt {
        Own::None => builder,
        Own::Plain => builder.around_attempt(Identity::new()),
        Own::Repeats => builder.around_attempt(RepeatLayer),
    };
    let stack = plant
        .build(builder, Upstream::new(Arc::clone(shared)))
        .map_err(|error| error.to_string())?;
    Ok(Built {
        stack,
        ledger,
        budgets,
        watched,
        accounts,
        limits,
        cache,
        candidates,
        reconciler,
        _events,
    })
}

/// The options that are plain values.
fn with_options(builder: StackBuilder, setup: &Setup) -> StackBuilder {
    let mut builder = builder
        .attempts_per_candidate(setup.attempts_per_candidate)
        .max_retry_delay(setup.max_retry_delay)
        .max_retry_delay_with_fallback(setup.max_retry_delay_with_fallback)
        .retry_timeouts(setup.retry_timeouts)
        .backoff(Exponential::new(setup.backoff.0, setup.backoff.1))
        .retry_budget(RetryBudget::new(setup.retry_budget.0, setup.retry_budget.1))
        .circuit_breaker(setup.circuits.map(|failures| circuits(failures, setup)))
        .deadline(setup.deadline)
        .first_token_timeout(setup.first_token)
        .response_timeout(setup.response)
        .last_candidate_grace(setup.last_candidate_grace)
        .idle_timeout(setup.idle)
        .fallback_on_refusal(setup.fallback_on_refusal)
        .fallback_for_embeddings(setup.fallback_for_embeddings)
        .server_side_fallback(setup.server_side);
    if setup.min_throughput {
        builder = builder.min_throughput(MinThroughput::new(1, 5 * SECOND));
    }
    if let Some((delay, ratio)) = setup.hedge {
        let hedge = if delay.is_zero() {
            Hedge::p95()
        } else {
            Hedge::after(delay)
        };
        builder = builder.hedge(hedge.ratio(ratio));
    }
    if let Some(times) = setup.resume {
        builder = builder.resume(ResumeLayer::new().times(times));
    }
    if setup.stream_upstream {
        builder = builder.stream_upstream(StreamUpstreamLayer::new());
    }
    if let Some((initial, queue)) = setup.concurrency {
        let policy = ConcurrencyPolicy::new().initial(initial).queue(queue);
        builder = builder.adaptive_concurrency(ConcurrencyLimits::new(policy).unwrap());
    }
    if let Some(tokens) = setup.default_output_tokens {
        builder = builder.default_output_tokens(tokens);
    }
    if let Some(wait) = setup.max_reservation_wait {
        builder = builder.max_reservation_wait(wait);
    }
    if let Some(tokens) = setup.min_output_tokens {
        builder = builder.min_output_tokens(tokens);
    }
    if setup.canned {
        builder = builder.canned_reply(CannedReply::text(CANNED));
    }
    if setup.classify {
        builder = builder.classify(|error: &Error| Some(error.kind().advice()));
    }
    if setup.ignores_requested {
        builder = builder.requested_model(RequestedModel::Ignored);
    }
    if setup.extracts_tags {
        builder = builder.tags(CallTags::new(|_, extensions| extensions.get::<Tags>().cloned()));
    }
    if setup.requires_tag {
        builder = builder.require_tag("tenant");
    }
    if setup.fails_on_finish {
        builder = builder.fail_on_finish_reason("a_reason_of_no_answer", FailureKind::Upstream);
    }
    builder.router_metadata(setup.router_metadata)
}

fn own_timeouts() -> TimeoutOverrides {
    TimeoutOverrides::new()
        .first_token(4 * SECOND)
        .response(9 * SECOND)
        .idle(6 * SECOND)
}

fn circuits(failures: u32, setup: &Setup) -> CircuitPolicy {
    let policy = CircuitPolicy::new()
        .min_calls(failures)
        .last_resorts(setup.last_resorts);
    if setup.slow_circuits {
        policy.slow(5 * SECOND, 0.9)
    } else {
        policy
    }
}

fn keys(setup: &Setup, record: &Arc<Record>) -> Keys {
    if setup.has_key_provider {
        let record = Arc::clone(record);
        let provider: Arc<dyn KeyProvider> = Arc::new(move |_: &str| -> KeyFuture {
            let how = if record.is_well() { 99 } else { fastrand::u64(0..100) };
            Box::pin(async move {
                match how {
                    0..3 => std::future::pending().await,
                    3..10 => return Err("the vault is sealed".to_owned()),
                    10..60 => tokio::time::sleep(Duration::from_millis(how)).await,
                    _ => {}
                }
                Ok(ApiKey::new("sk-or-v1-simulated-9").unwrap())
            })
        });
        return Keys::new().default_source(provider);
    }
    let pool = (0..setup.keys.0).map(|number| ApiKey::new(format!("sk-or-v1-simulated-{number}")).unwrap());
    match KeyPool::new(pool) {
        Ok(pool) => Keys::new().default_source(pool),
        Err(_) => Keys::new(),
    }
}

fn limits_of(setup: &LimitSetup) -> Limits {
    let rate = |amount| Rate::new(amount, 60 * SECOND).unwrap();
    let mut limits = Limits::new();
    if let Some(requests) = setup.requests {
        limits = limits.requests(rate(requests));
    }
    if let Some(tokens) = setup.tokens {
        limits = limits.tokens(rate(tokens));
    }
    match setup.concurrency.and_then(NonZeroU32::new) {
        Some(calls) => limits.concurrency(calls.get()).unwrap(),
        None => limits,
    }
}

fn budget(index: usize, cap: &Cap) -> Budget {
    let amount = UsdAmount::from_pico(i128::from(cap.micros) * 1_000_000);
    let mut budget = Budget::new(&format!("budget-{index}"), amount).unwrap().per(cap.window);
    if let Some(zone) = cap.zone {
        budget = budget.in_zone(Zone::named(zone).unwrap());
    }
    if let Some(tag) = cap.each {
        budget = budget.each(tag);
    }
    if cap.soft { budget.soft() } else { budget }
}

fn price() -> WorstCasePrice {
    WorstCasePrice::new()
        .prompt_token(UsdAmount::from_pico(PRICES[0]))
        .answer_token(UsdAmount::from_pico(PRICES[1]))
        .max_answer(Some(2_000))
}
