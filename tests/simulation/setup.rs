//! What a seed decides about the stack and the upstream: every slot on or off, every option.

use std::time::Duration;

use tower_openrouter::layers::budget::Window;

use super::{draw::Draw, faults::Mood, stores::Steps};

/// A budget.
#[derive(Debug, Clone)]
pub(crate) struct Cap {
    /// In millionths of a dollar.
    pub(crate) micros: u64,
    pub(crate) window: Window,
    /// In which the days of the window begin.
    pub(crate) zone: Option<&'static str>,
    /// `tenant`, `model` or `upstream`: each has an account of its own.
    pub(crate) each: Option<&'static str>,
    pub(crate) soft: bool,
}

/// How a store that several processes share behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreMood {
    /// It decides at once.
    Local,
    /// It takes a moment.
    Remote,
    /// It takes a moment, and for a time hangs.
    Hangs,
    /// It takes a moment, and for a time refuses.
    Fails,
}

/// Limits of tenants or candidates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LimitSetup {
    pub(crate) requests: Option<u32>,
    pub(crate) tokens: Option<u32>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) max_wait: Duration,
    /// `None` counts in the process.
    pub(crate) store: Option<StoreMood>,
}

/// A user's own layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    None,
    /// Passes everything through.
    Plain,
    /// Sends a failed attempt again.
    Repeats,
}

/// A stack, and the upstream's moods.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// One mood for each candidate, the cheaper ones last.
    pub(crate) moods: Vec<Mood>,
    pub(crate) cheaper: usize,
    /// Candidates of the chain at the second upstream.
    pub(crate) elsewhere: usize,
    pub(crate) attempts: u32,
    pub(crate) attempts_per_candidate: u32,
    pub(crate) max_retry_delay: Duration,
    pub(crate) max_retry_delay_with_fallback: Duration,
    pub(crate) retry_timeouts: bool,
    pub(crate) backoff: (Duration, Duration),
    pub(crate) retry_budget: (f64, f64),
    /// `None` is off; otherwise how many failures open a circuit.
    pub(crate) circuits: Option<u32>,
    pub(crate) slow_circuits: bool,
    pub(crate) last_resorts: u32,
    /// The delay, or zero for the 95th percentile; and the share.
    pub(crate) hedge: Option<(Duration, f64)>,
    pub(crate) resume: Option<u32>,
    pub(crate) stream_upstream: bool,
    pub(crate) tenant_limits: Option<LimitSetup>,
    pub(crate) upstream_limits: Option<LimitSetup>,
    /// The initial limit, and the queue.
    pub(crate) concurrency: Option<(u32, usize)>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) first_token: Option<Duration>,
    pub(crate) response: Option<Duration>,
    pub(crate) last_candidate_grace: Duration,
    pub(crate) idle: Option<Duration>,
    pub(crate) min_throughput: bool,
    pub(crate) caps: Vec<Cap>,
    pub(crate) budget_store: StoreMood,
    pub(crate) has_prices: bool,
    /// Without prices, budgets let attempts pass unreserved.
    pub(crate) allows_unknown_prices: bool,
    /// The first candidate has timeouts of its own.
    pub(crate) own_timeouts: bool,
    /// Tags are extracted from the request's extensions.
    pub(crate) extracts_tags: bool,
    pub(crate) default_output_tokens: Option<Option<u64>>,
    pub(crate) max_reservation_wait: Option<Duration>,
    pub(crate) min_output_tokens: Option<u64>,
    pub(crate) has_ledger: bool,
    pub(crate) late_bills: bool,
    pub(crate) canned: bool,
    /// The size, the time to live, the time that stale responses are kept, and single flight.
    pub(crate) cache: Option<(u64, Duration, Duration, bool)>,
    /// How many keys the first upstream has, and how many of them it rejects.
    pub(crate) keys: (usize, usize),
    /// The keys come from a provider that may take its time, have none, or hang.
    pub(crate) has_key_provider: bool,
    pub(crate) own_call: Own,
    pub(crate) own_attempt: Own,
    pub(crate) classify: bool,
    pub(crate) fallback_on_refusal: bool,
    pub(crate) server_side: bool,
    pub(crate) ignores_requested: bool,
    pub(crate) requires_tag: bool,
    /// The inner service is not always ready.
    pub(crate) is_unready: bool,
    /// Successes say how little of a limit is left.
    pub(crate) tells_limits: bool,
    /// The clock jumps so far ahead at some time.
    pub(crate) jump: Option<(Duration, Duration)>,
    /// The clock of the budgets steps.
    pub(crate) clock_steps: Steps,
    /// So long before a midnight that begins a month the run starts.
    pub(crate) before_midnight: Duration,
    /// Stores are out of order from the first instant to the second.
    pub(crate) outage: (Duration, Duration),
    /// OpenRouter is to say what it has tried by itself.
    pub(crate) router_metadata: bool,
    /// The second candidate has parameters of its own.
    pub(crate) own_parameters: bool,
    /// A finish reason that no answer here has counts as a failure.
    pub(crate) fails_on_finish: bool,
    /// All calls are chats; otherwise they are of all APIs.
    pub(crate) only_chat: bool,
    /// Another model may answer a request for embeddings.
    pub(crate) fallback_for_embeddings: bool,
    /// Which candidates refuse to continue a begun message.
    pub(crate) refuse_prefill: Vec<bool>,
    /// In so many of a hundred cases a model that is to continue an answer begins it from the start.
    pub(crate) restarts: u32,
    /// Calls have idempotency keys; `true` if one waits for the call in flight with its key.
    pub(crate) idempotency: Option<bool>,
    /// The capacity of the channel of events.
    pub(crate) events: Option<usize>,
}

const SECOND: Duration = Duration::from_secs(1);

impl Setup {
    pub(crate) fn of(seed: u64) -> Self {
        let draw = &mut Draw::of(seed, &[2]);
        let chain = draw.weighed(&[(2, 1), (4, 2), (3, 3), (1, 4)]);
        let cheaper = draw.weighed(&[(4, 0), (1, 1)]);
        let deadline = draw.maybe(85, |draw| draw.millis(800..90_000));
        let within = |limit: Duration| deadline.map_or(limit, |deadline| deadline.min(limit));
        let outage = draw.millis(0..40_000);
        let has_prices = draw.chance(85);
        let caps = draw.weighed(&[(3, 0), (3, 1), (2, 2), (1, 3)]);
        let mut setup = Self {
            moods: (0..chain + cheaper).map(|_| Mood::of(draw)).collect(),
            cheaper,
            elsewhere: draw.index(chain),
            attempts: draw.weighed(&[(1, 1), (2, 2), (3, 4), (2, 8)]),
            attempts_per_candidate: draw.weighed(&[(2, 1), (3, 2), (2, 4)]),
            max_retry_delay: draw.millis(0..30_000),
            max_retry_delay_with_fallback: draw.millis(0..6_000),
            retry_timeouts: draw.chance(30),
            backoff: (draw.millis(0..400), draw.millis(0..4_000)),
            retry_budget: draw.pick(&[(0.2, 10.0), (0.1, 0.0), (1.0, 0.1), (0.0, 0.0), (0.5, 1.0)]),
            circuits: draw.maybe(75, |draw| draw.pick(&[2, 5])),
            slow_circuits: draw.chance(10),
            last_resorts: draw.pick(&[0, 1, 50]),
            hedge: draw.maybe(35, |draw| {
                let longest = draw.pick(&[1, 60, 600]);
                (draw.millis(0..longest), draw.pick(&[0.1, 1.0]))
            }),
            resume: draw.maybe(45, |draw| draw.pick(&[1, 2, 5])),
            stream_upstream: draw.chance(30),
            tenant_limits: draw.maybe(25, LimitSetup::of),
            upstream_limits: draw.maybe(20, LimitSetup::of),
            concurrency: draw.maybe(25, |draw| (draw.pick(&[1, 2, 20]), draw.pick(&[0, 2, 100]))),
            deadline,
            first_token: draw.maybe(90, |draw| within(draw.millis(2_000..20_000))),
            response: draw.maybe(90, |draw| draw.millis(4_000..60_000)),
            last_candidate_grace: draw.pick(&[Duration::ZERO, 5 * SECOND]),
            idle: draw.maybe(90, |draw| draw.millis(2_000..20_000)),
            min_throughput: draw.chance(15),
            caps: (0..caps).map(|_| Cap::of(draw)).collect(),
            budget_store: StoreMood::of(draw),
            has_prices,
            allows_unknown_prices: draw.chance(30),
            own_timeouts: draw.chance(15),
            extracts_tags: draw.chance(15),
            default_output_tokens: draw.maybe(50, |draw| draw.pick(&[None, Some(64), Some(400)])),
            max_reservation_wait: draw.maybe(50, |draw| draw.millis(0..8_000)),
            min_output_tokens: draw.maybe(50, |draw| draw.pick(&[1, 16, 100])),
            has_ledger: draw.chance(92),
            late_bills: draw.chance(20),
            canned: draw.chance(12),
            cache: draw.maybe(25, |draw| {
                let stale = draw.pick(&[Duration::ZERO, 3_600 * SECOND]);
                let size = draw.pick(&[0, 3_000, 1 << 20]);
                (size, draw.millis(1..60_000), stale, draw.chance(70))
            }),
            keys: draw.pick(&[(0, 0), (1, 0), (3, 1), (3, 2), (2, 0)]),
            has_key_provider: draw.chance(12),
            own_call: draw.weighed(&[(4, Own::None), (1, Own::Plain)]),
            own_attempt: draw.weighed(&[(6, Own::None), (1, Own::Plain), (1, Own::Repeats)]),
            classify: draw.chance(15),
            fallback_on_refusal: draw.chance(30),
            server_side: draw.chance(15),
            ignores_requested: draw.chance(20),
            requires_tag: draw.chance(10),
            is_unready: draw.chance(12),
            tells_limits: draw.chance(12),
            jump: draw.maybe(10, |draw| (draw.millis(1..40_000), draw.millis(1_000..7_200_000))),
            clock_steps: clock_steps(draw),
            before_midnight: draw.millis(0..60_000),
            outage: (outage, outage + draw.millis(0..30_000)),
            router_metadata: draw.chance(12),
            own_parameters: draw.chance(15),
            fails_on_finish: draw.chance(12),
            only_chat: draw.chance(50),
            fallback_for_embeddings: draw.chance(50),
            refuse_prefill: {
                let percent = draw.pick(&[0, 40, 100]);
                (0..chain + cheaper).map(|_| draw.chance(percent)).collect()
            },
            restarts: draw.pick(&[0, 0, 25]),
            idempotency: draw.maybe(20, |draw| draw.chance(60)),
            events: draw.maybe(20, |draw| draw.pick(&[1, 10_000])),
        };
        if draw.chance(8) {
            setup.resumes_all();
        }
        setup
    }

    /// Everything is interrupted, and there are attempts enough to resume it.
    fn resumes_all(&mut self) {
        self.moods.fill(Mood::Brittle);
        self.resume = Some(5);
        (self.attempts, self.attempts_per_candidate) = (8, 4);
        self.retry_budget = (1.0, 10.0);
    }

    /// Whether one call may be answered by another: by the cache, or by its idempotency key.
    pub(crate) const fn shares_answers(&self) -> bool {
        self.cache.is_some() || self.idempotency.is_some()
    }

    /// The model's name of each candidate, in order.
    pub(crate) fn models(&self) -> Vec<String> {
        (0..self.moods.len())
            .map(|index| format!("acme/model-{index}"))
            .collect()
    }

    /// The candidates that stand in the chain itself.
    pub(crate) fn chain_length(&self) -> usize {
        self.moods.len() - self.cheaper
    }

    /// At which upstream a candidate is.
    pub(crate) fn upstream(&self, index: usize) -> &'static str {
        if index > 0 && index <= self.elsewhere {
            "elsewhere"
        } else {
            "openrouter"
        }
    }
}

/// When the clock steps, by seconds, hours or months, and how it stands then; at last it is often set right again.
fn clock_steps(draw: &mut Draw) -> Steps {
    if !draw.chance(30) {
        return Steps::new();
    }
    let count = draw.number(1..5);
    let mut steps: Steps = (0..count)
        .map(|_| {
            let longest = draw.pick(&[20_000, 120_000, 7_200_000, 50 * 3_600_000, 70 * 86_400_000]);
            let off = i64::try_from(draw.number(1..longest)).unwrap();
            (draw.millis(0..60_000), if draw.chance(50) { off } else { -off })
        })
        .collect();
    steps.sort_unstable();
    if draw.chance(50) {
        steps.push((70 * SECOND, 0));
    }
    steps
}

impl Cap {
    fn of(draw: &mut Draw) -> Self {
        let span = draw.pick(&[60, 3_600, 86_400]);
        let window = draw.weighed(&[
            (4, Window::Day),
            (4, Window::Month),
            (4, Window::Ever),
            (3, Window::Hour),
            (1, Window::Week),
            (1, Window::MonthFrom(31)),
            (3, Window::Rolling(span * SECOND)),
        ]);
        let has_days = matches!(
            window,
            Window::Day | Window::Week | Window::Month | Window::MonthFrom(_)
        );
        Self {
            micros: draw.weighed(&[(1, 300), (1, 3_000), (3, 30_000), (3, 300_000), (2, 10_000_000)]),
            window,
            zone: draw
                .pick(&[None, None, None, Some("Asia/Kolkata"), Some("America/New_York")])
                .filter(|_| has_days),
            each: draw.pick(&[None, Some("tenant"), Some("model"), Some("upstream")]),
            soft: draw.chance(10),
        }
    }
}

impl StoreMood {
    fn of(draw: &mut Draw) -> Self {
        draw.weighed(&[(5, Self::Local), (2, Self::Remote), (1, Self::Hangs), (1, Self::Fails)])
    }
}

impl LimitSetup {
    fn of(draw: &mut Draw) -> Self {
        let concurrency = draw.maybe(60, |draw| draw.pick(&[1, 3, 50]));
        let tokens = draw.maybe(30, |draw| draw.pick(&[5_000, 1_000_000]));
        let least = concurrency.is_none() && tokens.is_none();
        Self {
            requests: draw.maybe(50, |draw| draw.pick(&[10, 1_000])).or(least.then_some(100)),
            tokens,
            concurrency,
            max_wait: draw.maybe(50, |draw| draw.millis(1..20_000)).unwrap_or_default(),
            store: draw.maybe(40, StoreMood::of),
        }
    }
}
