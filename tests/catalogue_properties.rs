//! The bound that budgets stand on: nothing a request can be billed at is above its quote.

use proptest::{
    collection::vec,
    option,
    prelude::*,
    test_runner::{Config, RngAlgorithm, RngSeed},
};
use serde_json::{Value, json};
use tower_openrouter::response::ToUsd as _;
use tower_openrouter::{
    Candidate, Catalogue, UsdAmount,
    layers::{MediaKinds, Needs, PriceCeiling, PriceList, Quote, TokenUsage, UtcTime, WorstCasePrice},
    response::{ModelEndpoints, Pricing},
    transport::OPENROUTER,
};

/// The same cases in every run, and no files of failures.
fn config(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(0x5EED),
        ..Config::default()
    }
}

/// A price a token, in every way it may be written, over-precise ones included.
fn price() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("0".to_owned()),
        (1_u32..100_000).prop_map(|nano| format!("{:.9}", f64::from(nano) / 1e9)),
        (1_u32..100, 5_u32..16).prop_map(|(digits, exponent)| format!("{digits}e-{exponent}")),
        (0_u64..10_000).prop_map(|digits| format!("0.00000{digits:05}33333333")),
    ]
}

/// Some of these keys, each with a price.
fn some_of(keys: &'static [&'static str]) -> impl Strategy<Value = Value> {
    vec(option::of(price()), keys.len()).prop_map(|prices| {
        let pairs = keys.iter().zip(prices).filter_map(|(key, price)| Some((*key, price?)));
        pairs.map(|(key, price)| (key.to_owned(), Value::from(price))).collect()
    })
}

const EITHER: &[&str] = &[
    "audio",
    "input_audio_cache",
    "input_cache_read",
    "input_cache_write",
    "input_cache_write_1h",
];
const FIXED: &[&str] = &[
    "request",
    "image",
    "image_token",
    "image_output",
    "audio_output",
    "internal_reasoning",
    "web_search",
];
const OVER: &[&str] = &[
    "prompt",
    "completion",
    "audio",
    "input_audio_cache",
    "input_cache_read",
    "input_cache_write",
    "input_cache_write_1h",
];

fn merged(parts: impl IntoIterator<Item = Value>) -> Value {
    let objects = parts.into_iter().filter_map(|part| part.as_object().cloned());
    Value::Object(objects.flatten().collect())
}

fn condition() -> impl Strategy<Value = Value> {
    let time = || (0_u64..24, 0_u64..60).prop_map(|(hour, minute)| hour * 100 + minute);
    (option::of(0_u64..3000), option::of((time(), time()))).prop_map(|(tokens, hours)| {
        let mut condition = json!({});
        if let Some(tokens) = tokens {
            condition["min_prompt_tokens"] = tokens.into();
        }
        if let Some((start, end)) = hours {
            condition["utc_start"] = start.into();
            condition["utc_end"] = end.into();
        }
        condition
    })
}

fn pricing() -> impl Strategy<Value = Value> {
    let over = (condition(), some_of(OVER)).prop_map(|(condition, prices)| merged([condition, prices]));
    (price(), price(), some_of(EITHER), some_of(FIXED), vec(over, 0..4)).prop_map(
        |(prompt, completion, either, fixed, overrides)| {
            let whole = json!({"prompt": prompt, "completion": completion, "overrides": overrides});
            merged([whole, either, fixed])
        },
    )
}

/// A request: what it needs, at most.
fn needs() -> impl Strategy<Value = Needs> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (0_u64..4000, 0_u64..3, 0_u64..3, 0_u64..3, flags).prop_map(|(prompt, images, searches, choices, flags)| {
        let mut needs = Needs::default();
        needs.most_prompt_tokens = prompt;
        (needs.images, needs.searches, needs.choices) = (images, searches, choices);
        (needs.long_cache, needs.priority) = (flags.0, flags.1);
        needs.input = if flags.2 {
            MediaKinds::AUDIO
        } else {
            MediaKinds::default()
        };
        needs.output = if flags.3 {
            MediaKinds::AUDIO
        } else {
            MediaKinds::default()
        };
        needs
    })
}

/// What an answer to it may take: never more than it needs, and the parts as broken as they like.
fn usage(needs: Needs) -> impl Strategy<Value = TokenUsage> {
    let parts = (0_u64..5000, 0_u64..5000, 0_u64..5000, 0_u64..5000, 0_u64..5000);
    (0..=needs.most_prompt_tokens, 0_u64..4000, 0..=needs.searches, parts).prop_map(
        move |(prompt, answer, searches, parts)| {
            let mut usage = TokenUsage::default();
            (usage.prompt, usage.answer, usage.searches) = (prompt, answer, searches);
            (usage.cached, usage.cache_written, usage.reasoning) = (parts.0, parts.1, parts.2);
            usage.audio = if needs.input.is_empty() { 0 } else { parts.3 };
            usage.answer_audio = if needs.output.is_empty() { 0 } else { parts.4 };
            usage
        },
    )
}

fn request() -> impl Strategy<Value = (Needs, TokenUsage)> {
    needs().prop_flat_map(|needs| (Just(needs), usage(needs)))
}

/// A catalogue of one model with these prices, served at those.
fn catalogue(row: &Value, endpoints: &[Value]) -> Catalogue {
    let model = json!({"id": "a/b", "context_length": 100_000, "pricing": row});
    let catalogue = Catalogue::new([serde_json::from_value(model).unwrap()]);
    let tags = ["x", "y/priority", "z/fp8"].into_iter().cycle();
    let offers: Vec<_> = endpoints
        .iter()
        .zip(tags)
        .map(|(pricing, tag)| json!({"tag": tag, "pricing": pricing}))
        .collect();
    let list = json!({"id": "a/b", "endpoints": offers});
    catalogue.add_endpoints(&serde_json::from_value::<ModelEndpoints>(list).unwrap());
    catalogue
}

fn model() -> Candidate {
    Candidate::new(OPENROUTER, "a/b").unwrap()
}

fn worst_case(catalogue: &Catalogue, needs: &Needs) -> WorstCasePrice {
    match catalogue.quote(&model(), needs, UtcTime::from_millis(0)) {
        Quote::Known(worst_case) => worst_case,
        other => unreachable!("{other:?}"),
    }
}

/// Any instant of a day.
fn instant() -> impl Strategy<Value = UtcTime> {
    (0_u64..86_400_000).prop_map(UtcTime::from_millis)
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn no_usage_within_the_needs_costs_more_than_the_quote(
        row in pricing(), (needs, usage) in request(), at in instant(),
    ) {
        let catalogue = catalogue(&row, &[]);
        let cost = catalogue.cost(&model(), &usage, at).unwrap();
        let most = worst_case(&catalogue, &needs).cost(needs.most_prompt_tokens, usage.answer).unwrap();
        prop_assert!(cost <= most, "{cost} over {most}");
        prop_assert!(!cost.is_negative());
    }

    /// Whichever endpoint serves.
    #[test]
    fn no_endpoint_that_may_serve_costs_more_than_the_quote(
        row in pricing(), offers in vec(pricing(), 1..5), (needs, usage) in request(), at in instant(),
        ceiling in option::of((1_u64..2_000_000, 1_u64..2_000_000)),
    ) {
        let mut needs = needs;
        if let Some((prompt, answer)) = ceiling {
            let mut most = PriceCeiling::default();
            most.prompt_token = Some(UsdAmount::from_pico(prompt.into()));
            most.answer_token = Some(UsdAmount::from_pico(answer.into()));
            needs.ceiling = most;
        }
        let whole = catalogue(&row, &offers);
        let quoted = worst_case(&whole, &needs);
        let most = quoted.cost(needs.most_prompt_tokens, usage.answer).unwrap();
        for (place, offer) in offers.iter().enumerate() {
            // A catalogue that has this one alone tells its bill.
            let alone = catalogue(offer, &[]);
            let priority = place % 3 == 1;
            let base = |key: &str| {
                let read: Pricing = serde_json::from_value(offer.clone()).unwrap();
                let price = if key == "prompt" { read.prompt } else { read.completion };
                price.unwrap().to_usd().unwrap().unwrap()
            };
            let fits = needs.ceiling.prompt_token.is_none_or(|most| base("prompt") <= most)
                && needs.ceiling.answer_token.is_none_or(|most| base("completion") <= most);
            if fits && (needs.priority || !priority) {
                let cost = alone.cost(&model(), &usage, at).unwrap();
                prop_assert!(cost <= most, "endpoint {place}: {cost} over {most}");
            }
        }
    }

    #[test]
    fn more_is_never_cheaper_to_hold_for(row in pricing(), offers in vec(pricing(), 0..3), (needs, _) in request(), more in 0_u64..3000) {
        let catalogue = catalogue(&row, &offers);
        let hold = |needs: &Needs| worst_case(&catalogue, needs).cost(needs.most_prompt_tokens, 1000).unwrap();
        let before = hold(&needs);
        let changes: [fn(&mut Needs, u64); 6] = [
            |needs, more| needs.most_prompt_tokens += more,
            |needs, more| needs.images += more,
            |needs, more| needs.searches += more,
            |needs, _| needs.long_cache = true,
            |needs, _| needs.priority = true,
            |needs, _| (needs.input, needs.output) = (MediaKinds::AUDIO, MediaKinds::AUDIO.with(MediaKinds::IMAGE)),
        ];
        for (place, change) in changes.into_iter().enumerate() {
            let mut larger = needs;
            change(&mut larger, more);
            prop_assert!(hold(&larger) >= before, "change {place}");
        }
    }

    /// The sum of two answers to the letter: no token is counted twice, and none is forgotten.
    #[test]
    fn a_token_more_costs_its_price_more(row in pricing(), (_, usage) in request(), at in instant()) {
        let mut row = row;
        row["overrides"] = json!([]);
        let read: Pricing = serde_json::from_value(row.clone()).unwrap();
        let catalogue = catalogue(&row, &[]);
        let mut whole = usage;
        // Parts that add up: then one token more of the rest is one token of text.
        whole.cached = usage.cached.min(usage.prompt);
        whole.cache_written = usage.cache_written.min(usage.prompt - whole.cached);
        whole.audio = 0;
        whole.answer_audio = 0;
        let price = |price: &Option<tower_openrouter::response::Price>| price.as_ref().map(|price| price.to_usd().unwrap().unwrap());
        let cost = |usage: &TokenUsage| catalogue.cost(&model(), usage, at).unwrap();
        let mut longer = whole;
        longer.prompt += 1;
        prop_assert_eq!(cost(&longer), cost(&whole).checked_add(price(&read.prompt).unwrap()).unwrap());
        longer.cached += 1;
        let cached = price(&read.input_cache_read).or(price(&read.prompt)).unwrap();
        prop_assert_eq!(cost(&longer), cost(&whole).checked_add(cached).unwrap());
    }

    /// Whatever is written there, and however much is counted.
    #[test]
    fn nothing_panics(text in "[-+0-9.eE]{0,12}|-1|NaN|[ -~]{0,6}|9{30}|1e(2[0-9]|30)", counts in any::<[u64; 8]>(), at in any::<u64>()) {
        let row = json!({"prompt": text, "completion": text, "image": "1e20", "web_search": "1e20",
                         "overrides": [{"min_prompt_tokens": 1, "prompt": text}]});
        let catalogue = catalogue(&row, std::slice::from_ref(&row));
        let mut usage = TokenUsage::default();
        [usage.prompt, usage.answer, usage.cached, usage.cache_written, usage.audio, usage.reasoning, usage.searches, usage.answer_audio] = counts;
        let cost = catalogue.cost(&model(), &usage, UtcTime::from_millis(at));
        prop_assert!(cost.is_none_or(|cost| !cost.is_negative()));
        let mut needs = Needs::default();
        [needs.prompt_tokens, needs.most_prompt_tokens, needs.images, needs.searches, needs.choices, ..] = counts;
        let quote = catalogue.quote(&model(), &needs, UtcTime::from_millis(at));
        if let Quote::Known(worst_case) = quote {
            prop_assert!(!worst_case.fixed.is_negative() && !worst_case.prompt_token.is_negative());
            let cost = worst_case.cost(needs.most_prompt_tokens, usage.answer);
            prop_assert!(cost.is_err() || cost.is_ok_and(|cost| !cost.is_negative()));
        }
        // If it is no amount, it is not zero.
        let number = text.trim().parse::<f64>();
        if !number.is_ok_and(|number| number >= 0.0) {
            prop_assert!(!matches!(quote, Quote::Known(_)), "{text}");
        }
    }
}
