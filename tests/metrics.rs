//! What the metrics facade records: each call once, each attempt once, by bounded names.

use crate::support::{FIRST, SECOND, World, ask, call};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tower_openrouter::{
    FailureKind,
    degrade::CannedReply,
    layers::observe::{METRICS, names},
};

/// All values of one metric, with the given ones of its labels.
fn told(
    snapshotter: &[(metrics_util::CompositeKey, DebugValue)],
    name: &str,
    labels: &[&str],
) -> Vec<(Vec<String>, Vec<f64>)> {
    let mut told: Vec<_> = snapshotter
        .iter()
        .filter(|(key, _)| key.key().name() == name)
        .map(|(key, value)| {
            let label = |wanted: &&str| {
                let found = key.key().labels().find(|label| label.key() == *wanted);
                found.map(|label| label.value().to_owned()).unwrap_or_default()
            };
            let values = match value {
                DebugValue::Counter(count) => vec![f64::from(u32::try_from(*count).unwrap())],
                DebugValue::Gauge(value) => vec![value.into_inner()],
                DebugValue::Histogram(values) => values.iter().map(|value| value.into_inner()).collect(),
            };
            (labels.iter().map(label).collect::<Vec<_>>(), values)
        })
        .collect();
    told.sort_by(|(one, _), (other, _)| one.cmp(other));
    told
}

fn values(snapshotter: &Snapshotter) -> Vec<(metrics_util::CompositeKey, DebugValue)> {
    let all = snapshotter.snapshot().into_vec();
    all.into_iter().map(|(key, _, _, value)| (key, value)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_counted_once_whatever_it_took() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _here = metrics::set_default_local_recorder(&recorder);
    let world = World::new("503;no-hint").await;
    call(&world.pair(), true, ask()).await;
    let all = values(&snapshotter);
    let [(labels, durations)] = &told(
        &all,
        names::INFERENCE_DURATION,
        &[names::OPERATION, names::RESPONSE_MODEL, names::ERROR_TYPE],
    )[..] else {
        unreachable!("one operation")
    };
    assert_eq!((labels.join(" "), durations.len()), (format!("chat {SECOND} "), 1));
    let attempts = told(
        &all,
        names::ATTEMPT_DURATION,
        &[names::REQUEST_MODEL, names::ERROR_TYPE],
    );
    let counts: Vec<_> = attempts
        .iter()
        .map(|(labels, values)| (labels.join(" "), values.len()))
        .collect();
    assert_eq!(counts, [(format!("{SECOND} "), 1), (format!("{FIRST} overloaded"), 2)]);
    assert_eq!(told(&all, names::OPERATION_ATTEMPTS, &[])[0].1, [3.0]);
    assert_eq!(told(&all, names::RETRIES, &[])[0].1, [1.0]);
    assert_eq!(told(&all, names::FALLBACKS, &[])[0].1, [1.0]);
    assert_eq!(told(&all, names::TIME_TO_FIRST_CHUNK, &[])[0].1.len(), 1);
    let tokens = 10;
    assert_eq!(told(&all, names::TIME_PER_OUTPUT_CHUNK, &[])[0].1.len(), tokens - 1);
    let tokens = told(&all, names::OUTPUT_USAGE, &[names::TOKEN_MODALITY]);
    assert_eq!(tokens, [(vec!["unknown".to_owned()], vec![10.0])]);
    let cost = told(&all, names::OPERATION_COST, &[])[0].1[0];
    let billed = world.simulator.billed_total().pico();
    assert!(
        (cost * 1e12 - f64::from(u32::try_from(billed).unwrap())).abs() < 1.0,
        "{cost} {billed}"
    );
}

#[tokio::test(start_paused = true)]
async fn failures_degraded_answers_and_circuits_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _here = metrics::set_default_local_recorder(&recorder);
    let world = World::new("503;no-hint").await;
    for _ in 0..3 {
        call(&world.alone(), true, ask()).await;
    }
    let alone = world.alone();
    for _ in 0..6 {
        call(&alone, true, ask()).await;
    }
    let stack = world.builder().chain([FIRST]).canned_reply(CannedReply::text("Sorry."));
    call(&stack.build().unwrap(), true, ask()).await;
    let all = values(&snapshotter);
    let failed = told(&all, names::INFERENCE_DURATION, &[names::ERROR_TYPE]);
    assert_eq!(
        failed
            .iter()
            .map(|(labels, values)| (labels[0].as_str(), values.len()))
            .collect::<Vec<_>>(),
        [("", 1), ("overloaded", 9)]
    );
    assert_eq!(
        told(&all, names::DEGRADED, &[names::DEGRADED_SOURCE]),
        [(vec!["canned_reply".to_owned()], vec![1.0])]
    );
    assert_eq!(
        told(&all, names::CIRCUIT_STATE, &[names::REQUEST_MODEL]),
        [(vec![FIRST.to_owned()], vec![2.0])]
    );
}

#[tokio::test(start_paused = true)]
async fn two_hundred_models_are_distinguished_and_no_more() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _here = metrics::set_default_local_recorder(&recorder);
    let world = World::new("400").await;
    let stack = world
        .builder()
        .attempts_per_candidate(1)
        .circuit_breaker(None)
        .build()
        .unwrap();
    for number in 0..250 {
        call(&stack, true, ask().model(format!("nobody/{number}"))).await;
    }
    let all = values(&snapshotter);
    let models = told(&all, names::INFERENCE_DURATION, &[names::REQUEST_MODEL]);
    assert!(models.len() <= 201, "{}", models.len());
    assert!(
        models
            .iter()
            .any(|(labels, values)| labels[0] == "other" && values.len() >= 50)
    );
}

/// The alert on failing callers follows this rule: what callers cause must not make it fire.
#[tokio::test(start_paused = true)]
async fn the_rule_of_the_success_rate_leaves_out_what_callers_cause() {
    use std::time::Duration;
    use tower_openrouter::{
        layers::rate_limit::{Limits, Rate},
        stack::TenantKey,
    };

    let rules = include_str!("../docs/dashboards/prometheus-rules.yml");
    let (_, rule) = rules.split_once("record: llm:success:ratio_rate5m").unwrap();
    let selectors = rule.split("llm_operations{").skip(1);
    let selectors: Vec<&str> = selectors.map(|rest| rest.split('}').next().unwrap()).collect();
    // How many operations a selector counts: `name!="value"`, `name=~"one|other"`, by commas.
    let counted = |all: &[(metrics_util::CompositeKey, DebugValue)], selector: &str| {
        let matchers: Vec<(&str, &str)> = selector.split(',').map(|part| part.split_once('"').unwrap()).collect();
        let labels: Vec<String> = matchers
            .iter()
            .map(|(name, _)| name.trim_end_matches(['=', '~', '!']).replace("llm_", "llm."))
            .collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let series = told(all, names::OPERATIONS, &labels).into_iter();
        let fits = series.filter(|(values, _)| {
            matchers.iter().zip(values).all(|((name, wanted), value)| {
                let is_one = wanted.trim_end_matches('"').split('|').any(|wanted| wanted == value);
                is_one != name.contains('!')
            })
        });
        fits.flat_map(|(_, values)| values).sum::<f64>()
    };
    for (plan, calls, good_and_all) in [
        // One call an hour is the caller's limit.
        ("GOOD", 3, [1.0, 1.0]),
        ("400", 1, [0.0, 0.0]),
        ("429;retry-after=3600", 1, [0.0, 1.0]),
        ("503;no-hint", 1, [0.0, 1.0]),
    ] {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _here = metrics::set_default_local_recorder(&recorder);
        let world = World::new(plan).await;
        let limits = Limits::new().requests(Rate::new(1, Duration::from_secs(3600)).unwrap());
        let builder = world.builder().chain([FIRST]);
        let limited = builder.tenant_limits(limits, TenantKey::global(), Duration::ZERO);
        let stack = limited.build().unwrap();
        for _ in 0..calls {
            call(&stack, true, ask()).await;
        }
        let all = values(&snapshotter);
        let sums: Vec<f64> = selectors
            .iter()
            .take(2)
            .map(|selector| counted(&all, selector))
            .collect();
        assert_eq!(sums, good_and_all, "{plan}");
    }
}

/// Each metric, label and failure kind on the page exists.
#[test]
fn the_runbook_names_only_metrics_and_kinds_that_exist() {
    let page = include_str!("../docs/runbook.md");
    let labels = [
        names::OUTCOME,
        names::ERROR_TYPE,
        names::REQUEST_MODEL,
        names::DEGRADED_SOURCE,
        names::DEGRADED_REASON,
        names::QUEUE,
        names::LIMIT,
        names::CACHE,
        names::SERVED_BY,
        names::PROVIDER_STATE,
        names::FAULT,
    ];
    let known: Vec<_> = METRICS.iter().map(|metric| metric.name).chain(labels).collect();
    let words = page.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    let mut looked = 0;
    for word in words.filter(|word| word.starts_with("llm_") || word.starts_with("gen_ai_")) {
        let ends = ["_bucket", "_sum", "_count"];
        let name = ends.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
        assert!(known.iter().any(|known| known.replace('.', "_") == name), "{word}");
        looked += 1;
    }
    assert!(looked > 15, "{looked}");
    let (_, table) = page.split_once("| --- | --- | --- |").unwrap();
    let table = table.split("\n\n").next().unwrap_or_default();
    let cells = table.lines().filter_map(|row| row.split('|').nth(1));
    let kinds: Vec<_> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    for kind in &kinds {
        assert!(kind.parse::<FailureKind>().is_ok(), "{kind}");
    }
    assert_eq!(kinds.len(), 28, "all there are");
}

/// What the runbook advises for a candidate that is down is to take it out of the chain.
#[cfg(feature = "settings")]
#[tokio::test(start_paused = true)]
async fn the_circuit_of_a_candidate_that_left_the_chain_is_shown_closed() {
    use tower_openrouter::settings::{Settings, SettingsHandle};

    let both = format!("chain = ['{FIRST}', '{SECOND}']");
    let second = format!("chain = ['{SECOND}']");
    for (after, level) in [
        (vec![both.clone()], 2.0),
        (vec![second.clone()], 0.0),
        (vec![second, both.clone()], 2.0),
        // Circuits begin again under another policy, and there are none any more.
        (vec![format!("{both}\ncircuit_breaker.error_ratio = 0.9")], 0.0),
        (vec![format!("{both}\ncircuit_breaker = 'off'")], 0.0),
    ] {
        // One for each: a snapshot sets what it has read to zero.
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let _here = metrics::set_default_local_recorder(&recorder);
        let world = World::new("503;no-hint,GOOD").await;
        world.simulator.plan(FIRST, "503;no-hint").unwrap();
        let of = |lines: &str| {
            let (key, url) = (crate::settings::key(), world.simulator.base_url());
            let upstream = format!("upstream = [{{ name = 'openrouter', key = '{key}', base_url = '{url}' }}]");
            Settings::from_toml(&format!(
                "{lines}\nbackoff = {{ base = '0s', max = '0s' }}\n{upstream}\n"
            ))
            .unwrap()
        };
        let handle = SettingsHandle::builder(of(&both)).build().unwrap();
        for _ in 0..8 {
            call(&handle.service(), true, ask()).await;
        }
        for lines in &after {
            handle.replace(of(lines)).unwrap();
        }
        let shown = told(&values(&snapshotter), names::CIRCUIT_STATE, &[names::REQUEST_MODEL]);
        assert!(
            shown.contains(&(vec![FIRST.to_owned()], vec![level])),
            "{after:?}: {shown:?}"
        );
    }
}
