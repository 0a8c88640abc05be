//! Every key has an effect: it changes the builder that the settings make, or what a call does.

use std::{collections::BTreeSet, time::Duration};

use openrouter_simulator::Simulator;
use tower_openrouter::{Stack, Tags, settings::Settings, stack::StackBuilder};

use super::{all_keys, file, key};
use crate::support::{FIRST, SECOND, World, ask, call};

/// How a row shows.
#[derive(Clone, Copy, PartialEq)]
enum Shows {
    /// In what the builder holds.
    Built,
    /// In two calls of two tenants, to an upstream that is well.
    Calls,
    /// In the same calls, to an upstream that is overloaded.
    Overloaded,
}
use Shows::{Built, Calls, Overloaded};

/// A key, a document with a place for its value, and two values. A blank value leaves the line out.
type Row = (&'static str, &'static str, [&'static str; 2], Shows);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("upstream[].name", "upstream = [{ name = @, base_url = 'http://a.example' }]\nrequested_model = 'first'", ["'a'", "'b'"], Built),
    ("upstream[].base_url", "upstream = [{ name = 'a', base_url = @ }]", ["'http://a.example'", "'http://b.example'"], Built),
    ("upstream[].dialect", "upstream = [{ name = 'a', base_url = 'http://a.example', dialect = @ }]", ["'openai'", "'anthropic'"], Built),
    ("upstream[].token_limit_field", "upstream = [{ name = 'a', base_url = 'http://a.example', token_limit_field = @ }]", ["'max_tokens'", "'max_completion_tokens'"], Built),
    ("upstream[].apis", "upstream = [{ name = 'a', base_url = 'http://a.example', apis = @ }]", ["['chat']", "['chat', 'responses']"], Built),
    ("upstream[].key", "[[upstream]]\nname = 'openrouter'\nkey = @", ["", "'env:CARGO_PKG_NAME'"], Built),
    ("attribution.title", "attribution.title = @", ["'a'", "'b'"], Built),
    ("attribution.url", "attribution.url = @", ["'a'", "'b'"], Built),
    ("attribution.categories", "attribution.categories = @", ["'a'", "'b'"], Built),
    ("connections.connect_timeout", "connections.connect_timeout = @", ["'1s'", "'2s'"], Built),
    ("connections.pool_idle_timeout", "connections.pool_idle_timeout = @", ["'1s'", "'2s'"], Built),
    ("connections.pool_max_idle", "connections.pool_max_idle = @", ["1", "2"], Built),
    ("connections.shards", "connections.shards = @", ["1", "2"], Built),
    ("connections.max_in_flight", "connections.max_in_flight = @", ["1", "2"], Built),
    ("connections.proxy", "connections.proxy = @", ["'environment'", "'http://proxy.example:3128'"], Built),
    ("connections.http2_prior_knowledge", "connections.http2_prior_knowledge = @", ["false", "true"], Built),
    ("max_event_bytes", "max_event_bytes = @", ["1000", "2000"], Built),
    ("trailer_timeout", "trailer_timeout = @", ["'1s'", "'2s'"], Built),
    ("chain", "chain = @", ["['a/b']", "['a/b', 'c/d']"], Built),
    ("cheaper", "cheaper = @", ["['c/d']", "['c/d', 'e/f']"], Built),
    ("requested_model", "requested_model = @", ["'first'", "'ignored'"], Built),
    ("fallback_on_refusal", "fallback_on_refusal = @", ["false", "true"], Built),
    ("fallback_for_embeddings", "fallback_for_embeddings = @", ["false", "true"], Built),
    ("fail_on_finish_reason[].reason", "fail_on_finish_reason = [{ reason = @, kind = 'malformed' }]", ["'length'", "'tool_calls'"], Built),
    ("fail_on_finish_reason[].kind", "fail_on_finish_reason = [{ reason = 'length', kind = @ }]", ["'malformed'", "'content_filtered'"], Built),
    ("server_side_fallback", "server_side_fallback = @", ["false", "true"], Built),
    ("deadline", "deadline = @", ["'60s'", "'off'"], Built),
    ("first_token_timeout", "first_token_timeout = @", ["'10s'", "'off'"], Built),
    ("response_timeout", "response_timeout = @", ["'10s'", "'off'"], Built),
    ("last_candidate_grace", "last_candidate_grace = @", ["'1s'", "'2s'"], Built),
    ("idle_timeout", "idle_timeout = @", ["'10s'", "'off'"], Built),
    ("min_throughput.tokens", "min_throughput = { tokens = @, window = '1s' }", ["1", "2"], Built),
    ("min_throughput.window", "min_throughput = { tokens = 1, window = @ }", ["'1s'", "'2s'"], Built),
    ("attempts", "attempts = @", ["3", "4"], Built),
    ("attempts_per_candidate", "attempts_per_candidate = @", ["3", "4"], Built),
    ("max_retry_delay", "max_retry_delay = @", ["'10s'", "'11s'"], Built),
    ("max_retry_delay_with_fallback", "max_retry_delay_with_fallback = @", ["'1s'", "'2s'"], Built),
    ("retry_timeouts", "retry_timeouts = @", ["false", "true"], Built),
    ("backoff.base", "backoff.base = @", ["'0s'", "'8s'"], Overloaded),
    ("backoff.max", "backoff.base = '8s'\nbackoff.max = @", ["'0s'", "'8s'"], Overloaded),
    ("retry_budget.ratio", "retry_budget.ratio = @", ["0.1", "0.3"], Built),
    ("retry_budget.floor", "retry_budget.floor = @", ["1", "2.5"], Built),
    ("circuit_breaker", "circuit_breaker = @", ["{}", "'off'"], Built),
    ("circuit_breaker.window_calls", "circuit_breaker.window_calls = @", ["50", "60"], Built),
    ("circuit_breaker.window_time", "circuit_breaker.window_time = @", ["'1s'", "'2s'"], Built),
    ("circuit_breaker.min_calls", "circuit_breaker.min_calls = @", ["3", "4"], Built),
    ("circuit_breaker.error_ratio", "circuit_breaker.error_ratio = @", ["0.1", "1"], Built),
    ("circuit_breaker.slow.after", "circuit_breaker.slow = { after = @, ratio = 0.5 }", ["'1s'", "'2s'"], Built),
    ("circuit_breaker.slow.ratio", "circuit_breaker.slow = { after = '1s', ratio = @ }", ["0.5", "0.6"], Built),
    ("circuit_breaker.open_for", "circuit_breaker.open_for = @", ["'1s'", "'2s'"], Built),
    ("circuit_breaker.open_at_most", "circuit_breaker.open_at_most = @", ["'1m'", "'2m'"], Built),
    ("circuit_breaker.probes", "circuit_breaker.probes = @", ["1", "3"], Built),
    ("circuit_breaker.probe_successes", "circuit_breaker.probe_successes = @", ["1", "3"], Built),
    ("circuit_breaker.return_over", "circuit_breaker.return_over = @", ["'1s'", "'2s'"], Built),
    ("circuit_breaker.last_resorts", "circuit_breaker.last_resorts = @", ["1", "2"], Built),
    ("provider_health.window_calls", "provider_health.window_calls = @", ["10", "20"], Built),
    ("provider_health.window_time", "provider_health.window_time = @", ["'1s'", "'2s'"], Built),
    ("provider_health.min_calls", "provider_health.min_calls = @", ["1", "2"], Built),
    ("provider_health.error_ratio", "provider_health.error_ratio = @", ["0.1", "0.2"], Built),
    ("provider_health.ignore_for", "provider_health.ignore_for = @", ["'1s'", "'2s'"], Built),
    ("provider_health.ignore_at_most", "provider_health.ignore_at_most = @", ["'1m'", "'2m'"], Built),
    ("provider_health.prefer_fast", "provider_health.prefer_fast = @", ["false", "true"], Built),
    ("provider_health.slugs", "provider_health.slugs = @", ["{ A = 'a' }", "{ A = 'b' }"], Built),
    ("router_metadata", "router_metadata = @", ["false", "true"], Built),
    ("hedge.after", "hedge.after = @", ["'p95'", "'1s'"], Built),
    ("hedge.ratio", "hedge.ratio = @", ["0.1", "0.2"], Built),
    ("resume.times", "resume.times = @", ["1", "2"], Built),
    ("stream_upstream", "stream_upstream = @", ["'on_request'", "'always'"], Built),
    ("conformance.streams", "conformance.streams = @", ["false", "true"], Built),
    ("admit.requests.amount", "admit = { requests = { amount = @, per = '1h' }, tenant = 'everyone' }", ["1", "20"], Calls),
    ("admit.requests.per", "admit = { requests = { amount = 5, per = @ }, tenant = 'everyone' }", ["'1s'", "'2s'"], Built),
    ("admit.requests.burst", "admit = { requests = { amount = 5, per = '1h', burst = @ }, tenant = 'everyone' }", ["1", "2"], Calls),
    ("admit.tokens.amount", "admit = { tokens = { amount = @, per = '1s' }, tenant = 'everyone' }", ["1", "2"], Built),
    ("admit.tokens.per", "admit = { tokens = { amount = 5, per = @ }, tenant = 'everyone' }", ["'1s'", "'2s'"], Built),
    ("admit.tokens.burst", "admit = { tokens = { amount = 5, per = '1s', burst = @ }, tenant = 'everyone' }", ["1", "2"], Built),
    ("admit.concurrency", "admit = { concurrency = @, tenant = 'everyone' }", ["1", "2"], Built),
    ("admit.tenant", "admit = { requests = { amount = 1, per = '1h' }, tenant = @ }", ["'everyone'", "'tag:tenant'"], Calls),
    ("admit.max_wait", "admit = { concurrency = 1, tenant = 'everyone', max_wait = @ }", ["'1s'", "'2s'"], Built),
    ("upstream_limits.requests.amount", "upstream_limits = { requests = { amount = @, per = '1s' } }", ["1", "2"], Built),
    ("upstream_limits.requests.per", "upstream_limits = { requests = { amount = 5, per = @ } }", ["'1s'", "'2s'"], Built),
    ("upstream_limits.requests.burst", "upstream_limits = { requests = { amount = 5, per = '1s', burst = @ } }", ["1", "2"], Built),
    ("upstream_limits.tokens.amount", "upstream_limits = { tokens = { amount = @, per = '1s' } }", ["1", "2"], Built),
    ("upstream_limits.tokens.per", "upstream_limits = { tokens = { amount = 5, per = @ } }", ["'1s'", "'2s'"], Built),
    ("upstream_limits.tokens.burst", "upstream_limits = { tokens = { amount = 5, per = '1s', burst = @ } }", ["1", "2"], Built),
    ("upstream_limits.concurrency", "upstream_limits = { concurrency = @ }", ["1", "2"], Built),
    ("upstream_limits.max_wait", "upstream_limits = { concurrency = 1, max_wait = @ }", ["'1s'", "'2s'"], Built),
    ("adaptive_concurrency.initial", "adaptive_concurrency.initial = @", ["3", "4"], Built),
    ("adaptive_concurrency.floor", "adaptive_concurrency.floor = @", ["2", "3"], Built),
    ("adaptive_concurrency.ceiling", "adaptive_concurrency.ceiling = @", ["30", "40"], Built),
    ("adaptive_concurrency.queue", "adaptive_concurrency.queue = @", ["3", "4"], Built),
    ("adaptive_concurrency.decrease", "adaptive_concurrency.decrease = @", ["0.5", "0.6"], Built),
    ("adaptive_concurrency.slower", "adaptive_concurrency.slower = @", ["2", "3"], Built),
    ("cache.bytes", "cache = { bytes = @, tenant = 'everyone' }", ["0", "100000"], Calls),
    ("cache.tenant", "cache = { bytes = 100000, tenant = @ }", ["'everyone'", "'tag:tenant'"], Calls),
    ("cache.time_to_live", "cache = { bytes = 1, tenant = 'everyone', time_to_live = @ }", ["'1s'", "'2s'"], Built),
    ("cache.stale_if_error", "cache = { bytes = 1, tenant = 'everyone', stale_if_error = @ }", ["'1s'", "'2s'"], Built),
    ("cache.largest", "cache = { bytes = 1, tenant = 'everyone', largest = @ }", ["1", "2"], Built),
    ("cache.single_flight", "cache = { bytes = 1, tenant = 'everyone', single_flight = @ }", ["true", "false"], Built),
    ("cache.only_temperature_zero", "cache = { bytes = 1, tenant = 'everyone', only_temperature_zero = @ }", ["true", "false"], Built),
    ("cache.ignore_header", "cache = { bytes = 1, tenant = 'everyone', ignore_header = @ }", ["['x-a']", "['x-b']"], Built),
    ("idempotency.bytes", "idempotency = { bytes = @, tenant = 'everyone' }", ["1", "2"], Built),
    ("idempotency.max_keys", "idempotency = { bytes = 1, tenant = 'everyone', max_keys = @ }", ["1", "2"], Built),
    ("idempotency.keep_for", "idempotency = { bytes = 1, tenant = 'everyone', keep_for = @ }", ["'1s'", "'2s'"], Built),
    ("idempotency.largest", "idempotency = { bytes = 1, tenant = 'everyone', largest = @ }", ["1", "2"], Built),
    ("idempotency.in_flight", "idempotency = { bytes = 1, tenant = 'everyone', in_flight = @ }", ["'wait'", "'refuse'"], Built),
    ("idempotency.ignore_header", "idempotency = { bytes = 1, tenant = 'everyone', ignore_header = @ }", ["['x-a']", "['x-b']"], Built),
    ("canned_reply", "canned_reply = @", ["'Sorry.'", "'Later.'"], Overloaded),
    ("budget[].name", "unknown_price = 'allow'\nbudget = [{ name = @, usd = '1' }]", ["'a'", "'b'"], Built),
    ("budget[].usd", "unknown_price = 'allow'\nbudget = [{ name = 'a', usd = @ }]", ["'$5.00'", "'6'"], Built),
    ("budget[].per", "unknown_price = 'allow'\nbudget = [{ name = 'a', usd = '1', per = @ }]", ["'ever'", "'week'"], Built),
    ("budget[].rolling", "unknown_price = 'allow'\nbudget = [{ name = 'a', usd = '1', rolling = @ }]", ["'1h'", "'24h'"], Built),
    ("budget[].day_of_month", "unknown_price = 'allow'\nbudget = [{ name = 'a', usd = '1', per = 'month', day_of_month = @ }]", ["1", "15"], Built),
    ("budget[].zone", "unknown_price = 'allow'\nbudget = [{ name = 'a', usd = '1', per = 'day', zone = @ }]", ["'UTC'", "'Europe/Berlin'"], Built),
    ("budget[].each", "unknown_price = 'allow'\nbudget = [{ name = 'a', usd = '1', each = @ }]", ["[]", "['tenant']"], Built),
    ("budget[].only", "unknown_price = 'allow'\nbudget = [{ name = 'a', usd = '1', only = @ }]", ["{ team = 'x' }", "{ team = 'y' }"], Built),
    ("budget[].soft", "unknown_price = 'allow'\nbudget = [{ name = 'a', usd = '1', soft = @ }]", ["false", "true"], Built),
    ("max_per_hour.usd", "unknown_price = 'allow'\nmax_per_hour = { usd = @ }", ["'$5.00'", "'6'"], Built),
    ("max_per_hour.action", "unknown_price = 'allow'\nmax_per_hour = { usd = '1', action = @ }", ["'alert'", "'brake'"], Built),
    ("prices[].upstream", "BUDGET\nprices = [{ upstream = @, model = 'MODEL', prompt = '1', completion = '1' }]", ["'openrouter'", "'other'"], Calls),
    ("prices[].model", "BUDGET\nprices = [{ model = @, prompt = '1', completion = '1' }]", ["'MODEL'", "'x/y'"], Calls),
    ("prices[].prompt", "BUDGET\nprices = [{ model = 'MODEL', prompt = @, completion = '1' }]", ["'1'", "'2'"], Calls),
    ("prices[].completion", "BUDGET\nprices = [{ model = 'MODEL', prompt = '1', completion = @ }]", ["'1'", "'2'"], Calls),
    ("prices[].request", "BUDGET\nprices = [{ model = 'MODEL', prompt = '1', completion = '1', request = @ }]", ["'1'", "'2'"], Calls),
    ("prices[].input_cache_read", "BUDGET\nprices = [{ model = 'MODEL', prompt = '1', completion = '1', input_cache_read = @ }]", ["'1'", "'2'"], Calls),
    ("prices[].input_cache_write", "BUDGET\nprices = [{ model = 'MODEL', prompt = '1', completion = '1', input_cache_write = @ }]", ["'1'", "'2'"], Calls),
    ("unknown_price", "unknown_price = @", ["'refuse'", "'allow'"], Built),
    ("unknown_price.assume.fixed", "unknown_price.assume = { fixed = @, prompt_token = '1', answer_token = '1' }", ["'1'", "'2'"], Built),
    ("unknown_price.assume.prompt_token", "unknown_price.assume = { prompt_token = @, answer_token = '1' }", ["'1'", "'2'"], Built),
    ("unknown_price.assume.answer_token", "unknown_price.assume = { prompt_token = '1', answer_token = @ }", ["'1'", "'2'"], Built),
    ("unknown_price.assume.max_answer", "unknown_price.assume = { prompt_token = '1', answer_token = '1', max_answer = @ }", ["1", "2"], Built),
    ("default_output_tokens", "default_output_tokens = @", ["100", "'off'"], Built),
    ("min_output_tokens", "min_output_tokens = @", ["100", "200"], Built),
    ("max_reservation_wait", "max_reservation_wait = @", ["'1s'", "'3s'"], Built),
    ("allow_unreserved_tools", "allow_unreserved_tools = @", ["false", "true"], Built),
    ("require_tag", "require_tag = @", ["'tenant'", "'team'"], Calls),
    ("observe.tags", "observe.tags = @", ["['team']", "['tenant']"], Built),
];

/// The same for the entries of both lists of candidates.
#[rustfmt::skip]
const OF_CANDIDATES: &[(&str, &str, [&str; 2])] = &[
    ("upstream", "upstream = @, model = 'x'", ["'a'", "'b'"]),
    ("model", "model = @", ["'x'", "'y'"]),
    ("pool", "model = 'x', pool = @", ["'a'", "'b'"]),
    ("parameters", "model = 'x', parameters = @", ["{ a = 1 }", "{ a = { b = 'c' } }"]),
    ("without_parameters", "model = 'x', without_parameters = @", ["['a']", "['b']"]),
    ("timeouts.first_token", "model = 'x', timeouts.first_token = @", ["'1s'", "'2s'"]),
    ("timeouts.response", "model = 'x', timeouts.response = @", ["'1s'", "'2s'"]),
    ("timeouts.idle", "model = 'x', timeouts.idle = @", ["'1s'", "'2s'"]),
];

/// The document of a row with one of its values, and what each needs.
fn document(frame: &str, value: &str, base_url: &str) -> String {
    let lines = frame.lines().filter(|line| !(value.is_empty() && line.contains('@')));
    let body: String = lines.map(|line| format!("{}\n", line.replace('@', value))).collect();
    let mut text = String::new();
    if !frame.starts_with("chain") {
        text.push_str("chain = ['MODEL']\n");
    }
    if !frame.contains("upstream = [{") && !frame.contains("[[upstream]]") {
        text.push_str(&format!(
            "upstream = [{{ name = 'openrouter', key = '{}', base_url = '{base_url}' }}]\n",
            key()
        ));
    }
    text.push_str(&body);
    text.replace("BUDGET", "budget = [{ name = 'a', usd = '0.01' }]")
        .replace("MODEL", FIRST)
}

/// What shows: the builder, and what two calls do.
async fn effect(text: &str, shows: Shows, simulator: &Simulator) -> String {
    let settings = Settings::from_toml(text).unwrap_or_else(|error| panic!("{error}\nin {text}"));
    if shows == Built {
        return format!(
            "{:#?}",
            StackBuilder::from_settings(&settings).unwrap_or_else(|error| panic!("{error}\nin {text}"))
        );
    }
    simulator
        .plan(FIRST, if shows == Overloaded { "503;no-hint" } else { "ok" })
        .unwrap();
    let stack = Stack::from_settings(&settings).unwrap_or_else(|error| panic!("{error}\nin {text}"));
    let mut effect = String::new();
    for tenant in ["a", "b"] {
        let got = call(&stack, false, ask().tags(Tags::new([("tenant", tenant)]).unwrap())).await;
        let waited = got.took > Duration::from_millis(1);
        let error = got.error.map(|error| error.to_string());
        let answer = (shows == Overloaded).then_some(got.text);
        effect.push_str(&format!(
            "{error:?} {answer:?} sent={} waited={}\n",
            got.lines.len(),
            waited && shows == Overloaded
        ));
    }
    effect
}

#[tokio::test(start_paused = true)]
async fn each_key_has_an_effect() {
    let world = World::new("GOOD").await;
    let base_url = world.simulator.base_url();
    for (path, frame, values, shows) in ROWS {
        let mut effects = Vec::new();
        for value in values {
            effects.push(effect(&document(frame, value, &base_url), *shows, &world.simulator).await);
        }
        assert_ne!(effects[0], effects[1], "`{path}` has no effect");
    }
    for (name, frame, values) in OF_CANDIDATES {
        for list in ["chain", "cheaper"] {
            let mut effects = Vec::new();
            for value in values {
                let text = document(&format!("{list} = [{{ {frame} }}]"), value, &base_url);
                effects.push(effect(&text, Built, &world.simulator).await);
            }
            assert_ne!(effects[0], effects[1], "`{list}[].{name}` has no effect");
        }
    }
}

#[test]
fn each_key_has_a_row() {
    let of_candidates = OF_CANDIDATES
        .iter()
        .flat_map(|(name, ..)| ["chain", "cheaper"].map(|list| format!("{list}[].{name}")));
    let mut rows: BTreeSet<String> = ROWS
        .iter()
        .map(|(path, ..)| (*path).to_owned())
        .chain(of_candidates)
        .collect();
    rows.insert("catalogue".to_owned()); // it needs a file: a test of its own, below
    rows.insert("idempotency.tenant".to_owned()); // it needs calls with a key: in `idempotency`
    let keys: BTreeSet<String> = all_keys()
        .into_iter()
        .filter(|key| key.is_value)
        .map(|key| key.path)
        .collect();
    let missing: Vec<_> = keys.difference(&rows).collect();
    let unknown: Vec<_> = rows.difference(&keys).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "without a row: {missing:?}; without a key: {unknown:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_saved_catalogue_skips_candidates_and_knows_prices() {
    let model = format!(
        r#"{{"id":"{FIRST}","context_length":1,"pricing":{{"prompt":"1","completion":"1"}},"top_provider":{{"context_length":1}}}}"#
    );
    let catalogue = tower_openrouter::Catalogue::new([serde_json::from_str(&model).unwrap()]);
    let path = file("catalogue.json", "");
    catalogue.save(&path).unwrap();
    let world = World::new("GOOD").await;
    let text = format!(
        "catalogue = '{}'\nchain = ['{FIRST}', '{SECOND}']\nupstream = [{{ name = 'openrouter', key = '{}', base_url = '{}' }}]",
        path.display(),
        key(),
        world.simulator.base_url()
    );
    let stack = Stack::from_settings(&Settings::from_toml(&text).unwrap()).unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!(got.asked(), [SECOND], "its context is too short: {got:?}");
    // Prices of the file alone are enough for a budget.
    let priced = format!("{text}\nbudget = [{{ name = 'a', usd = '0.01' }}]\n")
        .replace(&format!("'{FIRST}', '{SECOND}'"), &format!("'{FIRST}'"));
    assert!(Stack::from_settings(&Settings::from_toml(&priced).unwrap()).is_ok());
    std::fs::remove_file(&path).unwrap();
    let error = Stack::from_settings(&Settings::from_toml(&text).unwrap())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("line 1, column 13: `catalogue`"), "{error}");
}
