//! Rates of a catalogue: what usage costs, and what a request may cost at most.

use tower_llm_layers::{MediaKinds, Needs, PriceCeiling, TokenUsage, UtcTime, WorstCasePrice};

use super::*;

const PLUGIN: UsdAmount = UsdAmount::from_pico(7_000_000_000);

fn rates(pricing: &str) -> Result<Rates, NoRates> {
    Rates::read(&serde_json::from_str(pricing).unwrap(), PLUGIN)
}

fn usage(prompt: u64, answer: u64) -> TokenUsage {
    let mut usage = TokenUsage::default();
    (usage.prompt, usage.answer) = (prompt, answer);
    usage
}

fn cost(rates: &Rates, usage: &TokenUsage, time: u64) -> String {
    let minute = time / 100 * 60 + time % 100;
    let cost = rates.cost(usage, UtcTime::from_millis(minute * 60_000));
    cost.unwrap().to_string()
}

fn needs(prompt: u64) -> Needs {
    let mut needs = Needs::default();
    needs.most_prompt_tokens = prompt;
    needs
}

fn usd(text: &str) -> UsdAmount {
    text.parse().unwrap()
}

fn token_prices(price: WorstCasePrice) -> (UsdAmount, UsdAmount) {
    (price.prompt_token, price.answer_token)
}

const ALL: &str = r#"{"prompt":"0.000003","completion":"0.000015","input_cache_read":"0.0000003","input_cache_write":"0.00000375",
    "input_cache_write_1h":"0.000006","audio":"0.00001","input_audio_cache":"0.000001","audio_output":"0.00004","image":"0.002",
    "image_token":"0.00002","image_output":"0.04","internal_reasoning":"0.00002","request":"0.01","web_search":"0.005"}"#;

#[test]
fn each_token_is_paid_once() {
    let rates = rates(ALL).unwrap();
    let mut all = usage(1000, 100);
    (all.cached, all.cache_written, all.reasoning, all.searches) = (600, 300, 40, 2);
    // 100 × 3 + 600 × 0.3 + 300 × 3.75 + 60 × 15 + 40 × 20 millionths, a cent for the request, a cent for searches.
    assert_eq!(cost(&rates, &all, 0), "$0.023305");
    // Fifty of the plain ones are sound; of sixty others spoken, all are.
    (all.audio, all.answer_audio) = (50, 60);
    assert_eq!(cost(&rates, &all, 0), "$0.025155");
    // More sound than there are plain tokens: the rest came from the cache.
    all.audio = 200;
    assert_eq!(cost(&rates, &all, 0), "$0.025575");
    // What a broken count says beyond the whole is not paid.
    (
        all.cached,
        all.cache_written,
        all.reasoning,
        all.audio,
        all.answer_audio,
    ) = (5000, 5000, 5000, 0, 5000);
    assert_eq!(cost(&rates, &all, 0), "$0.0223");
}

/// A picture of Gemini's has 1290 tokens at 30 millionths.
#[test]
fn a_picture_is_paid_by_its_tokens_unless_the_price_is_one_of_a_whole() {
    let mut draws = needs(1);
    draws.output = MediaKinds::IMAGE;
    let mut drawn = usage(0, 1300);
    drawn.answer_images = 1290;
    let row = |price: &str| {
        rates(&format!(
            r#"{{"prompt":"0.0000003","completion":"0.0000025","image_output":"{price}"}}"#
        ))
        .unwrap()
    };
    let by_token = row("0.00003");
    assert_eq!(cost(&by_token, &drawn, 0), "$0.038725");
    let worst = by_token.worst_case(&draws, 0);
    assert_eq!((worst.answer_token, worst.fixed), (usd("0.00003"), UsdAmount::ZERO));
    assert_eq!(
        by_token.worst_case(&needs(1), 0).answer_token,
        usd("0.0000025"),
        "it draws nothing"
    );
    let whole = row("0.04");
    assert_eq!(cost(&whole, &drawn, 0), "$0.04325");
    let worst = whole.worst_case(&draws, 0);
    assert_eq!((worst.answer_token, worst.fixed), (usd("0.0000025"), usd("0.04")));
}

#[test]
fn pictures_in_the_prompt_are_paid_by_token_or_one_by_one() {
    let rates = rates(ALL).unwrap();
    let mut seen = usage(100, 0);
    seen.images = 85;
    // 15 × 3 + 85 × 20 millionths, and a cent for the request.
    assert_eq!(cost(&rates, &seen, 0), "$0.011745");
    // No more than the plain tokens that there are.
    (seen.images, seen.cached) = (1_000, 60);
    assert_eq!(cost(&rates, &seen, 0), "$0.010818");
    let mut counted = usage(100, 0);
    counted.image_count = 2;
    assert_eq!(cost(&rates, &counted, 0), "$0.0143");
}

#[test]
fn what_has_no_price_of_its_own_costs_what_its_kind_does() {
    let plain = rates(r#"{"prompt":"0.000001","completion":"0.00001","internal_reasoning":"0"}"#).unwrap();
    let mut all = usage(100, 10);
    (all.cached, all.cache_written, all.audio) = (20, 30, 40);
    (all.reasoning, all.answer_audio) = (5, 5);
    assert_eq!(cost(&plain, &all, 0), "$0.0002");
    let hour = rates(r#"{"prompt":"0","completion":"0","input_cache_write_1h":"0.000002"}"#).unwrap();
    assert_eq!(cost(&hour, &all, 0), "$0.00006");
    assert_eq!(
        hour.worst_case(&needs(1), 0).prompt_token,
        usd("0.000002"),
        "as there is no other"
    );
    let mut kept_long = needs(1);
    kept_long.long_cache = true;
    assert_eq!(
        plain.worst_case(&kept_long, 0).prompt_token,
        usd("0.000002"),
        "a long time without a price of its own"
    );
    // One of twelve hours has no price here, and may cost more than an hour.
    let hour = rates(r#"{"prompt":"0.000001","completion":"0","input_cache_write_1h":"0.0000015"}"#).unwrap();
    assert_eq!(hour.worst_case(&kept_long, 0).prompt_token, usd("0.000002"));
}

/// 1970 began on a Thursday.
#[test]
fn an_override_holds_on_its_days_and_one_of_an_unknown_condition_only_at_worst() {
    const DAY: u64 = 24_00;
    let row = |condition: &str| {
        rates(&format!(
            r#"{{"prompt":"0","completion":"0.000001","overrides":[{{{condition},"completion":"0.000002"}}]}}"#
        ))
        .unwrap()
    };
    for (condition, thursday, saturday) in [
        (r#""utc_days":[1,2,3,4,5]"#, "$0.002", "$0.001"),
        (r#""utc_days":[0,6]"#, "$0.001", "$0.002"),
        (r#""utc_days":["sat","Sunday"]"#, "$0.001", "$0.002"),
        (r#""utc_days":[]"#, "$0.001", "$0.001"),
        (r#""utc_days":null,"image":"1""#, "$0.002", "$0.002"),
        (r#""utc_days":"weekdays""#, "$0.001", "$0.001"),
        (r#""utc_days":[8]"#, "$0.001", "$0.001"),
        (r#""region":"eu""#, "$0.001", "$0.001"),
        // A price that is not known here is no condition.
        (r#""input_cache_write_12h":"3""#, "$0.002", "$0.002"),
        (r#""input_length":200000"#, "$0.001", "$0.001"),
        (r#""input_modality":"audio""#, "$0.001", "$0.001"),
    ] {
        let rates = row(condition);
        assert_eq!(cost(&rates, &usage(0, 1000), 0), thursday, "{condition}");
        assert_eq!(cost(&rates, &usage(0, 1000), 2 * DAY), saturday, "{condition}");
        assert_eq!(
            rates.worst_case(&needs(1), 0).answer_token,
            usd("0.000002"),
            "{condition}"
        );
    }
}

#[test]
fn searches_are_paid_to_the_plugin_where_the_model_has_none() {
    let mut searched = usage(0, 0);
    searched.searches = 1;
    let free = rates(r#"{"prompt":"0","completion":"0"}"#).unwrap();
    assert_eq!(cost(&free, &searched, 0), "$0.007");
    assert_eq!(free.worst_case(&needs(1), 2).fixed, usd("0.014"));
    let own = rates(r#"{"prompt":"0","completion":"0","web_search":"0.005"}"#).unwrap();
    assert_eq!(cost(&own, &searched, 0), "$0.005");
    assert_eq!(own.worst_case(&needs(1), 1).fixed, usd("0.007"), "whichever engine");
}

#[test]
fn the_worst_case_counts_only_what_the_request_can_use() {
    let rates = rates(ALL).unwrap();
    let quote = |change: fn(&mut Needs)| {
        let mut needs = needs(1);
        change(&mut needs);
        rates.worst_case(&needs, needs.searches)
    };
    let plain = quote(|_| ());
    assert_eq!(token_prices(plain), (usd("0.00000375"), usd("0.00002")));
    assert_eq!(plain.fixed, usd("0.01"));
    assert_eq!(quote(|needs| needs.long_cache = true).prompt_token, usd("0.000006"));
    assert_eq!(
        quote(|needs| needs.input = MediaKinds::AUDIO).prompt_token,
        usd("0.00001")
    );
    assert_eq!(
        quote(|needs| needs.input = MediaKinds::VIDEO).prompt_token,
        usd("0.00001")
    );
    assert_eq!(
        quote(|needs| needs.output = MediaKinds::AUDIO).answer_token,
        usd("0.00004")
    );
    let seen = quote(|needs| needs.images = 2);
    assert_eq!((seen.prompt_token, seen.fixed), (usd("0.00002"), usd("0.014")));
    let drawn = quote(|needs| (needs.output, needs.choices) = (MediaKinds::IMAGE, 3));
    assert_eq!(drawn.fixed, usd("0.13"));
    assert_eq!(quote(|needs| needs.searches = 2).fixed, usd("0.024"));
}

#[test]
fn overrides_hold_by_length_and_time_of_day() {
    let rates = rates(
        r#"{"prompt":"0.000001","completion":"0.000002","overrides":[
            {"min_prompt_tokens":1000,"prompt":"0.000003"},
            {"utc_start":2200,"utc_end":600,"completion":"0.000001"},
            {"utc_start":900,"utc_end":1200,"input_cache_read":"0.000005"}]}"#,
    )
    .unwrap();
    assert_eq!(cost(&rates, &usage(1000, 1000), 1200), "$0.003");
    assert_eq!(cost(&rates, &usage(1001, 1000), 1200), "$0.005003");
    for night in [2200, 2359, 0, 559] {
        assert_eq!(cost(&rates, &usage(1000, 1000), night), "$0.002", "{night}");
    }
    assert_eq!(cost(&rates, &usage(1000, 1000), 600), "$0.003");
    let mut cached = usage(1000, 1000);
    cached.cached = 1000;
    assert_eq!(cost(&rates, &cached, 900), "$0.007");
    assert_eq!(cost(&rates, &cached, 1200), "$0.003");
    // At any time of day; and the longer prompt is the more expensive one.
    let worst = |prompt| token_prices(rates.worst_case(&needs(prompt), 0));
    assert_eq!(worst(1000), (usd("0.000005"), usd("0.000002")));
    assert_eq!(worst(1001), (usd("0.000005"), usd("0.000002")));
}

#[test]
fn the_later_override_counts_and_the_reservation_takes_the_highest_price() {
    let rates = rates(
        r#"{"prompt":"0.000001","completion":"0","overrides":[
            {"min_prompt_tokens":100,"prompt":"0.000009"},
            {"min_prompt_tokens":200,"prompt":"0.000002"}]}"#,
    )
    .unwrap();
    assert_eq!(cost(&rates, &usage(101, 0), 0), "$0.000909");
    assert_eq!(cost(&rates, &usage(201, 0), 0), "$0.000402");
    let worst = |prompt| rates.worst_case(&needs(prompt), 0).prompt_token;
    assert_eq!(worst(100), usd("0.000001"));
    assert_eq!(worst(101), usd("0.000009"));
    // Of 201 tokens at most there may be 101.
    assert_eq!(worst(201), usd("0.000009"));
}

/// Each limit compared with each override would be 5·10⁹ steps, which take minutes.
#[test]
fn many_overrides_are_read_in_one_pass() {
    let overrides: Vec<_> = (1..=100_000)
        .rev()
        .map(|tokens| format!(r#"{{"min_prompt_tokens":{tokens},"prompt":"{tokens}e-9"}}"#))
        .collect();
    let overrides = overrides.join(",");
    let rates = rates(&format!(
        r#"{{"prompt":"0","completion":"0","overrides":[{overrides}]}}"#
    ))
    .unwrap();
    let worst = |prompt| rates.worst_case(&needs(prompt), 0).prompt_token;
    for (prompt, price) in [(1, "0"), (2, "1e-9"), (75_000, "74999e-9"), (u64::MAX, "100000e-9")] {
        assert_eq!(worst(prompt), usd(price), "{prompt}");
    }
}

#[test]
fn a_ceiling_keeps_out_what_is_above_it_for_sure() {
    let rates = rates(
        r#"{"prompt":"0.000002","completion":"0.000008","request":"0.01","image":"0.02","overrides":[
            {"utc_start":0,"utc_end":600,"prompt":"0.000001"},{"min_prompt_tokens":100,"completion":"0.000016"}]}"#,
    )
    .unwrap();
    let is_above = |ceiling: PriceCeiling, images| {
        let mut needs = needs(1000);
        needs.images = images;
        rates.is_above(&ceiling, &needs)
    };
    let mut none = PriceCeiling::default();
    assert!(!is_above(none, 1));
    for (price, above) in [("0.000000999", true), ("0.000001", false), ("0.0000015", false)] {
        none.prompt_token = Some(usd(price));
        assert_eq!(is_above(none, 0), above, "{price}");
    }
    none.answer_token = Some(usd("0.000007"));
    assert!(is_above(none, 0));
    none.answer_token = Some(usd("0.000008"));
    assert!(!is_above(none, 0));
    none.image = Some(usd("0.019"));
    assert!(!is_above(none, 0) && is_above(none, 1));
    none.image = None;
    none.request = Some(usd("0.009"));
    assert!(is_above(none, 0));
}

#[test]
fn a_discount_is_in_the_price_already() {
    let shown = r#"{"prompt":"0.000001","completion":"0.000002","discount":0.5}"#;
    assert_eq!(cost(&rates(shown).unwrap(), &usage(1000, 1000), 0), "$0.003");
}

#[test]
fn what_is_no_price_is_unknown_and_never_nothing() {
    assert_eq!(rates(r#"{"prompt":"-1","completion":"-1"}"#), Err(NoRates::Varies));
    assert_eq!(
        rates(r#"{"prompt":"0","completion":"0","image":"-1"}"#),
        Err(NoRates::Varies)
    );
    for odd in [
        "{}",
        r#"{"completion":"1"}"#,
        r#"{"prompt":"1","completion":"1e99"}"#,
        r#"{"prompt":"1","completion":"NaN"}"#,
        r#"{"prompt":"-0.5","completion":"1"}"#,
        r#"{"prompt":"1","completion":"1","request":"a cent"}"#,
        r#"{"prompt":"1","completion":"1","input_cache_read":{}}"#,
        r#"{"prompt":"1","completion":"1","overrides":[{"utc_start":2560,"prompt":"2"}]}"#,
        r#"{"prompt":"1","completion":"1","overrides":[{"utc_start":2200,"prompt":"x"}]}"#,
        r#"{"prompt":"1","completion":"1","overrides":[7]}"#,
    ] {
        assert_eq!(rates(odd), Err(NoRates::Unknown), "{odd}");
    }
    let fine = rates(r#"{"prompt":"0.0000000000001","completion":"0"}"#).unwrap();
    assert_eq!(fine.tokens.prompt, UsdAmount::from_pico(1), "rounded up");
    let most = usage(u64::MAX, u64::MAX);
    assert!(fine.cost(&most, UtcTime::from_millis(0)).is_some());
    let dear = rates(r#"{"prompt":"1e20","completion":"0"}"#).unwrap();
    assert_eq!(dear.cost(&most, UtcTime::from_millis(0)), None);
}
