//! Keys whose effect cannot be seen from a call over the simulator: here they change the builder, and a test elsewhere shows what the setter does.

use std::{fs, path::Path};

use tower_openrouter::{settings::Settings, stack::StackBuilder};

use super::play::document;

/// A key, its document, two values, the file and the name of the test that shows the effect, and the setter that it uses.
type Row = (
    &'static str,
    &'static str,
    [&'static str; 2],
    &'static str,
    &'static str,
    &'static str,
);

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("connections.connect_timeout", "connections.connect_timeout = @", ["'1s'", "'2s'"],
        "tests/connections.rs", "a_dial_that_gets_no_answer_ends_in_time", ".connect_timeout("),
    ("connections.max_in_flight", "connections.max_in_flight = @", ["1", "2"],
        "tests/connection_health.rs", "a_limit_on_streams_is_no_silent_model", ".max_in_flight("),
    ("connections.proxy", "connections.proxy = @", ["'environment'", "'http://proxy.example:3128'"],
        "tests/connection_health.rs", "a_proxy_is_used_and_named", ".proxy("),
    ("connections.http2_prior_knowledge", "connections.http2_prior_knowledge = @", ["false", "true"],
        "tests/connection_health.rs", "a_goaway_costs_no_caller_an_answer", "::http2_prior_knowledge"),
    ("fallback_for_embeddings", "fallback_for_embeddings = @", ["false", "true"],
        "tests/apis/embeddings.rs", "a_dead_model_is_rescued_if_that_is_allowed_and_a_bad_request_is_refused", ".fallback_for_embeddings("),
    ("provider_health.prefer_fast", "provider_health.prefer_fast = @", ["false", "true"],
        "layers/src/provider_health/tests.rs", "the_fastest_go_first_if_two_are_known", ".prefer_fast("),
    ("adaptive_concurrency.ceiling", "adaptive_concurrency.ceiling = @", ["30", "40"],
        "layers/tests/adaptive_concurrency/mod.rs", "good_answers_add_to_it_up_to_the_ceiling_and_bad_ones_leave_the_floor", ".ceiling("),
    ("adaptive_concurrency.slower", "adaptive_concurrency.slower = @", ["2", "3"],
        "layers/tests/adaptive_concurrency/mod.rs", "slow_first_tokens_take_a_part", ".slower("),
    ("budget[].per", "PRICED\nbudget = [{ name = 'a', usd = '1', per = @ }]", ["'ever'", "'week'"],
        "layers/tests/budget/mod.rs", "each_window_is_full_again_when_it_begins_and_a_reservation_outlives_it", ".per("),
    ("budget[].rolling", "PRICED\nbudget = [{ name = 'a', usd = '1', rolling = @ }]", ["'1h'", "'24h'"],
        "layers/tests/budget/rolling.rs", "what_was_spent_is_free_again_a_window_later_and_the_refusal_says_when", "Window::Rolling("),
    ("budget[].day_of_month", "PRICED\nbudget = [{ name = 'a', usd = '1', per = 'month', day_of_month = @ }]", ["1", "15"],
        "layers/tests/budget/windows.rs", "hours_and_months_from_a_day", "Window::MonthFrom("),
    ("budget[].zone", "PRICED\nbudget = [{ name = 'a', usd = '1', per = 'day', zone = @ }]", ["'UTC'", "'Europe/Berlin'"],
        "layers/tests/budget/windows.rs", "a_day_of_a_zone_is_full_again_at_its_own_midnight", ".in_zone("),
    ("observe.tags", "observe.tags = @", ["['team']", "['tenant']"],
        "tests/observe.rs", "the_tags_that_were_named_are_recorded_from_any_source", ".tags("),
    ("chain[].pool", "chain = [{ model = 'MODEL', pool = @ }]", ["'a'", "'b'"],
        "layers/tests/fallback/mod.rs", "a_quota_that_is_gone_is_gone_for_its_pool", ".with_pool("),
    ("cheaper[].pool", "cheaper = [{ model = 'SECOND', pool = @ }]", ["'a'", "'b'"],
        "layers/tests/fallback/mod.rs", "a_quota_that_is_gone_is_gone_for_its_pool", ".with_pool("),
];

#[test]
fn each_of_them_changes_the_builder() {
    for (key, frame, values, ..) in ROWS {
        let [one, other] = values.map(|value| {
            let text = document(frame, value).replace("BASE", "http://a.example/v1");
            let settings = Settings::from_toml(&text).unwrap_or_else(|error| panic!("{error}\nin {text}"));
            let builder = StackBuilder::from_settings(&settings).unwrap_or_else(|error| panic!("{error}\nin {text}"));
            format!("{builder:#?}")
        });
        assert_ne!(one, other, "`{key}` has no effect");
    }
}

#[test]
fn each_of_them_names_a_test_that_shows_its_effect_through_the_setter() {
    for (key, _, _, file, test, setter) in ROWS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("`{key}`: {file}: {error}"));
        assert!(
            text.contains(&format!("fn {test}()")),
            "`{key}`: {file} has no test `{test}`"
        );
        assert!(text.contains(setter), "`{key}`: {file} does not use `{setter}`");
    }
}
