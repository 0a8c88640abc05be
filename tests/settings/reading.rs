//! What is read, and what is reported of what is wrong.

use proptest::prelude::*;
use tower_openrouter::{
    Stack,
    settings::{OrOff, Settings, WrongSetting},
    stack::StackBuilder,
};

use super::file;

/// The reports of a document, one a line.
fn wrong(text: &str) -> String {
    Settings::from_toml(text).unwrap_err().to_string()
}

#[test]
fn an_unknown_key_is_reported_with_its_place_and_the_nearest_one() {
    let cases = [
        (
            "\n  chian = []",
            "line 2, column 3: unknown key `chian`; did you mean `chain`?",
        ),
        (
            "[circuit_breaker]\nmin_call = 3",
            "line 2, column 1: unknown key `circuit_breaker.min_call`; did you mean `circuit_breaker.min_calls`?",
        ),
        (
            "error_ratio = 0.5",
            "line 1, column 1: unknown key `error_ratio`; did you mean `circuit_breaker.error_ratio`?",
        ),
        (
            "chain = ['a/b', { model = 'c', timeout = {} }]",
            "line 1, column 32: unknown key `chain[1].timeout`; did you mean `chain[1].timeouts`?",
        ),
        (
            "[[upstream]]\nname = \"openrouter\"\nchain = [\"openai/gpt-5\"]",
            "line 3, column 1: unknown key `upstream[0].chain`; did you mean `chain`? It belongs to the top level: in TOML, write it above \
             the first `[…]` or `[[…]]`",
        ),
        (
            "resume.colour = 1",
            "line 1, column 8: unknown key `resume.colour`; known here: times",
        ),
    ];
    for (text, report) in cases {
        assert_eq!(wrong(text), report);
    }
}

#[test]
fn a_wrong_value_is_reported_with_what_is_allowed() {
    let cases = [
        (
            "attempts = 'three'",
            "line 1, column 12: `attempts`: expected a whole number, and not a text",
        ),
        ("attempts = -1", "line 1, column 12: `attempts`: expected 0 or more"),
        (
            "attempts = 1.5",
            "line 1, column 12: `attempts`: expected a whole number, and not a number with a fraction",
        ),
        (
            "attempts = 5_000_000_000",
            "line 1, column 12: `attempts`: expected at most 4294967295",
        ),
        (
            "retry_timeouts = 'yes'",
            "line 1, column 18: `retry_timeouts`: expected true or false, and not a text",
        ),
        (
            "requested_model = 'frist'",
            "line 1, column 19: `requested_model`: expected \"first\" or \"ignored\"; did you mean \"first\"?",
        ),
        (
            "deadline = '10'",
            "line 1, column 12: `deadline`: not a length of time: write a number and a unit, e.g. \"10s\", \"250ms\" or \"1m 30s\", or \"off\"",
        ),
        (
            "deadline = 10",
            "line 1, column 12: `deadline`: expected a text such as \"10s\" or \"off\", and not a whole number",
        ),
        (
            "retry_budget.ratio = nan",
            "line 1, column 22: `retry_budget.ratio`: expected a number, and not a number with a fraction",
        ),
        (
            "budget = [{ name = 'a', usd = 5.0 }]",
            "line 1, column 31: `budget[0].usd`: expected a text such as \"$5.00\", and not a number with a fraction: put it in quotes, since \
             a number is not exact",
        ),
        (
            "budget = [{ usd = '5' }]",
            "line 1, column 11: `budget[0].name` is missing: it has no default",
        ),
        (
            "chain = 'a/b'",
            "line 1, column 9: `chain`: expected a list, and not a text",
        ),
        (
            "hedge = true",
            "line 1, column 9: `hedge`: expected a table, and not true or false",
        ),
        (
            "canned_reply = 2026-01-01",
            "line 1, column 16: `canned_reply`: expected a text, and not a date",
        ),
    ];
    for (text, report) in cases {
        assert_eq!(wrong(text), report, "{text}");
    }
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let text = "chian = ['a/b']\nattempts = 'x'\ndeadline = '1 fortnight'\n[[upstream]]\nkey = 'sk-or-v1-s3cr3t'\n";
    let error = Settings::from_toml(text).unwrap_err();
    let keys: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| (problem.key(), problem.line()))
        .collect();
    for expected in [
        ("chian", Some(1)),
        ("attempts", Some(2)),
        ("deadline", Some(3)),
        ("upstream[0].key", Some(5)),
        ("upstream[0].name", Some(4)),
    ] {
        assert!(keys.contains(&expected), "{expected:?}: {keys:?}");
    }
    assert_eq!(keys.len(), 5);
    assert!(
        keys.is_sorted_by_key(|(_, line)| *line),
        "in the order of the text: {keys:?}"
    );
    // Syntax errors, too.
    assert!(wrong("a = \nb = ]\n").lines().count() >= 2);
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_printed() {
    for text in [
        "upstream = [{ name = 'openrouter', key = 'sk-or-v1-s3cr3t' }]",
        "upstream = [{ name = 'openrouter', key = ['env:A', 'sk-or-v1-s3cr3t'] }]",
        "upstream = [{ name = 'openrouter', key = 'env:sk-or-v1-s3cr3t' }]",
        "upstream = [{ name = 'openrouter', key = 'file:sk-or-v1-s3cr3t' }]",
        "upstream = [{ name = 'a', base_url = 'https://user:s3cr3t@host.example/v1' }]",
        "upstream = [{ name = 'a', base_url = 'https://s3cr3t@host.example/v1' }]",
        "upstream = [{ name = 'a', base_url = 'https://user:s3cr3t@' }]",
        "connections.proxy = 'http://user:s3cr3t@proxy.example'",
        "connections.proxy = 'env:sk-s3cr3t'",
        "requested_model = 's3cr3t'",
        "deadline = 's3cr3t'",
        "attempts = 's3cr3t'",
        "upstream = [{ name = 'openrouter', key = 's3cr3t ]",
    ] {
        let error = Settings::from_toml(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
    }
    assert!(wrong("upstream = [{ name = 'a', key = 'sk-1' }]").contains("write \"env:NAME\" or \"file:PATH\""));
    let places = wrong("upstream = [{ name = 'a', base_url = 'http://u:p@h', key = 'env:sk-or-v1-0' }]");
    assert!(
        places.contains("line 1, column 38: `upstream[0].base_url`: the base URL has credentials"),
        "{places}"
    );
    assert!(
        places.contains("line 1, column 60: `upstream[0].key`: behind `env:` stands the name"),
        "{places}"
    );
    for json in [
        r#"{"upstream": [{"name": "a", "key": "s3cr3t"}]}"#,
        r#"{"upstream": [{"name": "a", "key": "env:sk-s3cr3t"}]}"#,
        r#"{"upstream": [{"name": "a", "base_url": "https://u:s3cr3t@h"}]}"#,
    ] {
        assert!(!Settings::from_json(json).unwrap_err().to_string().contains("s3cr3t"));
        let by_serde = serde_json::from_str::<Settings>(json).unwrap_err().to_string();
        assert!(!by_serde.contains("s3cr3t"), "{by_serde}");
    }
}

#[test]
fn a_missing_secret_is_reported_with_its_place_and_all_others() {
    let text = "chain = ['a/b', 'a/b']\n[[upstream]]\nname = 'openrouter'\nkey = 'env:NO_SUCH_VARIABLE_OF_OURS'\n[[upstream]]\nname = 'other'\n";
    let error = Stack::from_settings(&Settings::from_toml(text).unwrap()).unwrap_err();
    let report = error.to_string();
    assert!(
        report.contains(
            "line 4, column 7: `upstream[0].key`: the environment variable `NO_SUCH_VARIABLE_OF_OURS`: it is not set"
        ),
        "{report}"
    );
    assert!(
        report.contains("line 5, column 1: `upstream[1].base_url` is missing"),
        "{report}"
    );
    assert!(
        report.contains("line 1, column 17: "),
        "the chain has a candidate twice: {report}"
    );
    assert_eq!(error.problems().len(), 3, "{report}");
}

#[test]
fn what_the_builder_refuses_is_reported_with_its_place() {
    let cases = [
        ("attempts = 0", "attempts"),
        ("idle_timeout = '0s'", "idle_timeout"),
        ("deadline = '5s'\nfirst_token_timeout = '10s'", "first_token_timeout"),
        ("deadline = '10s'\nresponse_timeout = '5m'", "response_timeout"),
        ("deadline = '10s'\nidle_timeout = '5m'", "idle_timeout"),
        ("backoff = { base = '10s', max = '1s' }", "backoff.base"),
        ("backoff.base = '10s'", "backoff.base"),
        ("chain = ['nowhere:x']", "chain[0]"),
        (
            "chain = [{ model = 'x', parameters = { model = 'y' } }]",
            "chain[0].parameters.model",
        ),
        ("cheaper = ['a/b']", "cheaper"),
        ("circuit_breaker.error_ratio = 2", "circuit_breaker"),
        ("adaptive_concurrency.floor = 0", "adaptive_concurrency"),
        (
            "fail_on_finish_reason = [{ reason = 'length', kind = 'malformed' }, { reason = 'end_turn', kind = 'malformed' }]",
            "fail_on_finish_reason[1].reason",
        ),
        (
            "fail_on_finish_reason = [{ reason = 'stop', kind = 'malformed' }, { reason = 'stop_by_rule', kind = 'malformed' }]",
            "fail_on_finish_reason[0].reason",
        ),
        (
            "fail_on_finish_reason = [{ reason = 'length', kind = 'malformed' }, { reason = 'MAX_TOKENS', kind = 'upstream' }]",
            "fail_on_finish_reason[1].reason",
        ),
        ("hedge.ratio = 0", "hedge.ratio"),
        ("hedge.ratio = -0.1", "hedge.ratio"),
        ("hedge.ratio = 1.01", "hedge.ratio"),
        ("retry_budget.ratio = -0.1", "retry_budget.ratio"),
        ("retry_budget.ratio = 20", "retry_budget.ratio"),
        ("retry_budget.floor = -0.5", "retry_budget.floor"),
        ("resume.times = 0", "resume.times"),
        ("tenant_limits = { tenant = 'global' }", "tenant_limits"),
        ("upstream_limits = { concurrency = 0 }", "upstream_limits"),
        (
            "budget = [{ name = 'a b', usd = '1' }]\nunknown_price = 'allow'",
            "budget[0]",
        ),
        ("budget = [{ name = 'a', usd = '1' }]", "budget"),
        ("connections.shards = 0", "connections.shards"),
        ("max_event_bytes = 0", "max_event_bytes"),
        ("attribution.title = \"\\n\"", "attribution.title"),
        (
            "cache = { bytes = 1, tenant = 'global', ignore_header = ['a b'] }",
            "cache.ignore_header",
        ),
        (
            "cache = { bytes = 1000, tenant = 'global', largest = 2000 }",
            "cache.largest",
        ),
        (
            "cache = { bytes = 0, tenant = 'global', single_flight = false }",
            "cache.single_flight",
        ),
        (
            "cache = { bytes = 1000, tenant = 'global', time_to_live = '0s', single_flight = false }",
            "cache.single_flight",
        ),
    ];
    for (text, key) in cases {
        let text = format!("upstream = [{{ name = 'openrouter' }}]\n{text}");
        let error = Stack::from_settings(&Settings::from_toml(&text).unwrap()).unwrap_err();
        let found: Vec<_> = error
            .problems()
            .iter()
            .map(|problem| (problem.key(), problem.line().is_some()))
            .collect();
        assert_eq!(found, [(key, true)], "{text}: {error}");
    }
    let nothing = Stack::from_settings(&Settings::default()).unwrap_err();
    assert!(
        matches!(nothing.problems()[0].wrong(), WrongSetting::Build(_)),
        "{nothing}"
    );
}

/// A default that another setting makes moot is no contradiction, and neither are limits that still bound something.
#[tokio::test]
async fn what_has_an_effect_beside_others_is_built() {
    for text in [
        "deadline = '5s'",
        "deadline = '5s'\nresponse_timeout = '90s'\nidle_timeout = '30s'",
        "deadline = '10s'\nresponse_timeout = '10s'\nidle_timeout = 'off'",
        "deadline = 'off'\nresponse_timeout = '5m'",
        "response_timeout = '5m'\nidle_timeout = '5m'",
        "backoff.max = '1ms'",
        "backoff = { base = '1s', max = '1s' }",
        "cache = { bytes = 1000, tenant = 'global' }",
        "cache = { bytes = 1000, tenant = 'global', largest = 1000 }",
        "cache = { bytes = 0, tenant = 'global', largest = 2000 }",
        "cache = { bytes = 1000, tenant = 'global', time_to_live = '0s', stale_if_error = '1h', single_flight = false }",
    ] {
        let text = format!("upstream = [{{ name = 'openrouter' }}]\n{text}");
        let built = Stack::from_settings(&Settings::from_toml(&text).unwrap());
        assert!(built.is_ok(), "{text}: {:?}", built.err());
    }
}

#[test]
fn json_is_read_as_toml_is() {
    let toml = "chain = ['openai:gpt-5', { model = 'a/b', parameters = { n = [1, 'x', 1.5, true] } }]\ndeadline = 'off'\nhedge = {}\n\
                upstream = [{ name = 'openai', key = 'env:A' }]\n";
    let json = r#"{
        "chain": ["openai:gpt-5", {"model": "a/b", "parameters": {"n": [1, "x", 1.5, true]}}],
        "deadline": "off", "hedge": {}, "cache": null,
        "upstream": [{"name": "openai", "key": "env:A"}]
    }"#;
    let (one, other) = (Settings::from_toml(toml).unwrap(), Settings::from_json(json).unwrap());
    assert_eq!(one, other);
    assert_eq!(one.deadline, Some(OrOff::Off));
    assert_eq!((&*one.chain[0].upstream, &*one.chain[0].model), ("openai", "gpt-5"));
    // What is written is read as it was.
    let written = serde_json::to_string(&one).unwrap();
    assert_eq!(Settings::from_json(&written).unwrap(), one, "{written}");
    let error = Settings::from_json("{\n \"chian\": 1,\n \"attempts\": \"x\"}")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "line 2, column 2: unknown key `chian`; did you mean `chain`?\n\
         line 3, column 14: `attempts`: expected a whole number, and not a text"
    );
}

#[test]
fn a_file_is_named_in_what_is_wrong_with_it() {
    let path = file("stack.toml", "chian = 1");
    let error = Settings::from_file(&path).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("stack.toml:1:1: unknown key `chian`; did you mean `chain`?"),
        "{error}"
    );
    for (name, text, report) in [
        ("stack.yaml", "a: 1", "ends in `.toml` or `.json`"),
        ("none.toml", "", "cannot be read"),
        ("large.json", &" ".repeat(5 << 20), "is larger than"),
    ] {
        let path = file(name, text);
        if name == "none.toml" {
            std::fs::remove_file(&path).unwrap();
        }
        let error = Settings::from_file(&path).unwrap_err().to_string();
        assert!(error.contains(report) && error.contains(name), "{error}");
    }
}

#[test]
fn defaults_are_those_of_the_builder() {
    let settings = Settings::from_toml("upstream = [{ name = 'openrouter', key = 'env:CARGO_PKG_NAME' }]").unwrap();
    let key = tower_openrouter::ApiKey::new(env!("CARGO_PKG_NAME")).unwrap();
    let (from_settings, by_hand) = (StackBuilder::from_settings(&settings).unwrap(), Stack::openrouter(key));
    let lines = |builder: &StackBuilder| format!("{builder:#?}").lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&from_settings), lines(&by_hand));
    let described = |builder: StackBuilder| builder.build().unwrap().describe().to_owned();
    assert_eq!(described(from_settings), described(by_hand));
}

#[tokio::test(start_paused = true)]
async fn setters_can_follow_the_settings() {
    let settings = Settings::from_toml("chain = ['a/b']\nupstream = [{ name = 'openrouter' }]\nattempts = 7").unwrap();
    let stack = StackBuilder::from_settings(&settings)
        .unwrap()
        .attempts(3)
        .build()
        .unwrap();
    assert!(stack.describe().contains("3 in all"), "{}", stack.describe());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is changed in the reference, it is read, or refused with a place; nothing panics.
    #[test]
    fn a_changed_document_is_read_or_refused(at in 0_usize..20_000, with in "[\\PC\\n]{0,3}", cut in 0_usize..4) {
        let text = super::reference::whole();
        let mut letters: Vec<char> = text.chars().collect();
        let at = at % letters.len();
        let end = (at + cut).min(letters.len());
        letters.splice(at..end, with.chars());
        let text: String = letters.into_iter().collect();
        if let Err(error) = Settings::from_toml(&text) {
            for problem in error.problems() {
                prop_assert!(problem.line().is_some(), "{error}");
                let unfit = matches!(problem.wrong(), WrongSetting::Value(message) if message.contains("does not fit"));
                prop_assert!(!unfit, "the schema lets through what serde does not: {text}");
            }
        }
    }
}
