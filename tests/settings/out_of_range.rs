//! Numbers out of the range of their setting, and values that JSON cannot have.

use tower_openrouter::{settings::Settings, stack::StackBuilder};

/// The reports of a document, one a line.
fn wrong(text: &str) -> String {
    Settings::from_toml(text).unwrap_err().to_string()
}

#[test]
fn a_parameter_that_json_cannot_have_is_reported_at_any_depth() {
    let of = |value: &str| format!("chain = [{{ model = 'a/b', parameters = {{ p = {value} }} }}]");
    let path = "line 1, column 46: `chain[0].parameters.p`:";
    for (value, report) in [
        ("2026-01-01", "a date is none"),
        ("nan", "JSON has numbers, and neither `nan` nor `inf`"),
        ("-inf", "JSON has numbers, and neither `nan` nor `inf`"),
        ("1e999", "JSON has numbers, and neither `nan` nor `inf`"),
        ("18446744073709551616", "expected a whole number of 64 bits"),
        ("-9223372036854775809", "expected a whole number of 64 bits"),
    ] {
        let report = format!("{path} {report}");
        assert!(wrong(&of(value)).starts_with(&report), "{}", wrong(&of(value)));
        let deep = wrong(&of(&format!("{{ q = [1, {{ r = {value} }}] }}")));
        assert!(
            deep.starts_with("line 1, column 62: `chain[0].parameters.p.q[1].r`:"),
            "{deep}"
        );
    }
    let json = r#"{"chain": [{"model": "a/b", "parameters": {"p": [18446744073709551616]}}]}"#;
    let error = Settings::from_json(json).unwrap_err().to_string();
    assert!(
        error.contains("`chain[0].parameters.p[0]`: expected a whole number of 64 bits"),
        "{error}"
    );
    for value in [
        "18446744073709551615",
        "-9223372036854775808",
        "1.5",
        "[1, { a = 'x' }]",
        "true",
    ] {
        let settings = Settings::from_toml(&of(value)).unwrap();
        assert!(!settings.chain[0].parameters["p"].is_null(), "{value}");
    }
}

#[test]
fn the_ends_of_a_range_are_in_it_and_what_is_outside_is_refused_with_the_range() {
    let build = |text: &str| {
        let text = format!("upstream = [{{ name = 'openrouter' }}]\n{text}");
        StackBuilder::from_settings(&Settings::from_toml(&text).unwrap())
    };
    for text in [
        "hedge.ratio = 1",
        "hedge.ratio = 0.001",
        "retry_budget = { ratio = 0, floor = 0 }",
        "retry_budget = { ratio = 1.0, floor = 1000 }",
        "resume.times = 1",
    ] {
        assert!(build(text).is_ok(), "{text}");
    }
    assert_eq!(
        build("hedge.ratio = 10").unwrap_err().to_string(),
        "line 2, column 15: `hedge.ratio`: expected more than 0 and at most 1, such as 0.1 for one hedge in ten calls; to hedge nothing, \
         leave `hedge` out"
    );
    // What no file can hold, code can.
    let mut settings = Settings::default();
    (settings.retry_budget.ratio, settings.retry_budget.floor) = (f64::NAN, f64::INFINITY);
    settings.hedge.get_or_insert_default().ratio = f64::NAN;
    let error = StackBuilder::from_settings(&settings).unwrap_err();
    let keys: Vec<_> = error
        .problems()
        .iter()
        .map(tower_openrouter::settings::SettingsProblem::key)
        .collect();
    assert_eq!(keys, ["retry_budget.ratio", "retry_budget.floor", "hedge.ratio"]);
}
