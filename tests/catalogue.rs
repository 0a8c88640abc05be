//! The catalogue: who is meant by a name, and the most that a request can cost.

use crate::support::{
    FIRST,
    prices::{account, at, known, of, quote, usd, worst_case},
};
use openrouter_simulator::Simulator;
use tower_openrouter::{
    Candidate, Catalogue, ChatRequest,
    layers::{LlmRequest, Needs, PriceList, PriceTier, Quote, TokenUsage, UtcTime, fallback::Capabilities},
    response::{ModelEndpoints, Pricing},
};

const LLAMA: &str = "meta-llama/llama-3.3-70b-instruct";

fn pricing(text: &str) -> Pricing {
    serde_json::from_str(text).unwrap()
}

fn endpoints(text: &str) -> ModelEndpoints {
    serde_json::from_str(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_model_is_known_by_all_its_names() {
    let simulator = Simulator::start().await.unwrap();
    let catalogue = Catalogue::new(account(&simulator).models().await.unwrap());
    let plain = worst_case(&catalogue, FIRST, 1);
    for name in [
        "openai/gpt-5-2025-08-07",
        "openai/gpt-5-2025-08-07:nitro",
        "openai/gpt-5:nitro",
        "openai/gpt-5:floor:online",
        "openai/gpt-5@preset/mine",
        "openai/gpt-5:exacto@preset/mine",
    ] {
        assert_eq!(
            worst_case(&catalogue, name, 1).answer_token,
            plain.answer_token,
            "{name}"
        );
        assert!(catalogue.capability(&at(name)).is_some(), "{name}");
    }
    let free = worst_case(&catalogue, "demo/model:free:floor", 1);
    assert_eq!((free.prompt_token, free.answer_token), (usd("0"), usd("0")));
    let needs = Needs::default();
    assert_eq!(quote(&catalogue, "openrouter/auto", &needs), Quote::Varies);
    for nobody in ["nobody/nothing", "openai/gpt-5:batch", "@preset/mine", "gpt-5"] {
        assert_eq!(quote(&catalogue, nobody, &needs), Quote::Unknown, "{nobody}");
    }
}

#[test]
fn a_free_variant_is_never_what_a_plain_name_means() {
    let free = r#"{"id":"a/b:free","canonical_slug":"a/b-2025","pricing":{"prompt":"0","completion":"0"}}"#;
    let paid = r#"{"id":"a/b","canonical_slug":"a/b-2025","pricing":{"prompt":"0.000001","completion":"0"}}"#;
    for rows in [[free, paid], [paid, free]] {
        let catalogue = of(&rows);
        assert_eq!(catalogue.len(), 2);
        assert_eq!(worst_case(&catalogue, "a/b-2025", 1).prompt_token, usd("0.000001"));
        assert_eq!(worst_case(&catalogue, "a/b-2025:free", 1).prompt_token, usd("0"));
    }
    assert_eq!(quote(&of(&[free]), "a/b-2025", &Needs::default()), Quote::Unknown);
}

#[test]
fn an_alias_stands_for_a_model_its_endpoints_and_its_price() {
    let alias = r#"{"id":"~a/b-latest","canonical_slug":"~a/b-latest","alias_target":{"slug":"a/b-2025"}}"#;
    let priced =
        r#"{"id":"~a/c-latest","pricing":{"prompt":"0.000002","completion":"0"},"alias_target":{"slug":"a/b-2025"}}"#;
    let lost = r#"{"id":"~a/d-latest","alias_target":{"slug":"a/d"}}"#;
    let model = r#"{"id":"a/b","canonical_slug":"a/b-2025","pricing":{"prompt":"0.000001","completion":"0"}}"#;
    let catalogue = of(&[alias, priced, lost, model]);
    assert_eq!(worst_case(&catalogue, "~a/b-latest", 1).prompt_token, usd("0.000001"));
    assert_eq!(
        worst_case(&catalogue, "~a/c-latest:nitro", 1).prompt_token,
        usd("0.000002")
    );
    assert_eq!(quote(&catalogue, "~a/d-latest", &Needs::default()), Quote::Unknown);
    catalogue.add_endpoints(&endpoints(
        r#"{"id":"a/b-2025","endpoints":[{"tag":"x","pricing":{"prompt":"0.000005","completion":"0"}}]}"#,
    ));
    for name in ["a/b", "a/b-2025", "~a/b-latest", "~a/c-latest"] {
        assert!(catalogue.has_endpoints(name), "{name}");
        assert_eq!(worst_case(&catalogue, name, 1).prompt_token, usd("0.000005"), "{name}");
    }
}

#[test]
fn another_upstream_has_the_prices_it_was_given() {
    let catalogue = of(&[r#"{"id":"gpt-5","pricing":{"prompt":"0","completion":"0"}}"#]);
    let quote = |upstream: &str, model: &str, needs: &Needs| {
        catalogue.quote(&Candidate::new(upstream, model).unwrap(), needs, UtcTime::now())
    };
    let mut needs = Needs::default();
    assert_eq!(quote("openai", "gpt-5", &needs), Quote::Unknown);
    let shared = catalogue.clone();
    let given = shared.with_price(
        "openai",
        "gpt-5",
        &pricing(r#"{"prompt":"0.000001","completion":"0.000002"}"#),
    );
    let given = given.with_price(
        "openai",
        "gpt-odd",
        &pricing(r#"{"prompt":"0.000001","completion":"?"}"#),
    );
    needs.searches = 1;
    let Quote::Known(worst_case) = quote("openai", "gpt-5", &needs) else {
        unreachable!("it was given");
    };
    assert_eq!((worst_case.answer_token, worst_case.fixed), (usd("0.000002"), usd("0")));
    assert_eq!(quote("openai", "gpt-5:nitro", &needs), Quote::Unknown);
    assert_eq!(quote("openai", "gpt-odd", &needs), Quote::Unknown);
    assert_eq!(quote("azure", "gpt-5", &needs), Quote::Unknown);
    // It outlives the models, and takes precedence over them if it is for the same upstream.
    let given = given.with_price("openrouter", "gpt-5", &pricing(r#"{"prompt":"0.5","completion":"0"}"#));
    given.replace([], UtcTime::now());
    assert!(matches!(quote("openai", "gpt-5", &needs), Quote::Known(_)));
    assert_eq!(
        crate::support::prices::worst_case(&given, "gpt-5", 1).prompt_token,
        usd("0.5")
    );
    assert_eq!(
        crate::support::prices::worst_case(&given, "gpt-5:floor", 1).prompt_token,
        usd("0.5")
    );
    let mut usage = TokenUsage::default();
    usage.answer = 1000;
    let at = Candidate::new("openai", "gpt-5").unwrap();
    assert_eq!(given.cost(&at, &usage, UtcTime::now()), Some(usd("0.002")));
}

#[tokio::test(start_paused = true)]
async fn the_most_expensive_endpoint_is_reserved_for() {
    let simulator = Simulator::start().await.unwrap();
    let account = account(&simulator);
    let catalogue = Catalogue::new(account.models().await.unwrap());
    // Together asks 2.75 times what DeepInfra does.
    let before = worst_case(&catalogue, LLAMA, 1);
    assert!(!catalogue.has_endpoints(LLAMA));
    catalogue.add_endpoints(&account.model_endpoints(LLAMA).await.unwrap());
    let after = worst_case(&catalogue, LLAMA, 1);
    assert_eq!(before.answer_token, usd("0.00000032"));
    assert_eq!(after.answer_token, usd("0.00000088"));
    // Models that are read again do not forget it.
    catalogue.replace(account.models().await.unwrap(), UtcTime::now());
    assert_eq!(worst_case(&catalogue, LLAMA, 1), after);
    // A model that has gone is forgotten, and starts again.
    catalogue.replace([], UtcTime::now());
    catalogue.replace(account.models().await.unwrap(), UtcTime::now());
    assert_eq!(worst_case(&catalogue, LLAMA, 1), before);
}

#[tokio::test(start_paused = true)]
async fn a_priority_tier_counts_where_it_may_serve() {
    let simulator = Simulator::start().await.unwrap();
    let account = account(&simulator);
    let catalogue = Catalogue::new(account.models().await.unwrap());
    catalogue.add_endpoints(&account.model_endpoints(FIRST).await.unwrap());
    let (ordinary, priority) = (usd("0.000011"), usd("0.00002"));
    assert_eq!(worst_case(&catalogue, FIRST, 1).answer_token, ordinary);
    for name in ["openai/gpt-5:floor", "openai/gpt-5:exacto"] {
        assert_eq!(worst_case(&catalogue, name, 1).answer_token, ordinary, "{name}");
    }
    for name in [
        "openai/gpt-5:nitro",
        "openai/gpt-5:online:nitro",
        "openai/gpt-5@preset/mine",
    ] {
        assert_eq!(worst_case(&catalogue, name, 1).answer_token, priority, "{name}");
    }
    let mut needs = Needs::default();
    needs.priority = true;
    assert_eq!(known(&catalogue, FIRST, &needs).answer_token, priority);
}

/// An endpoint says its tier in a field of its own; its price is that of answers which say that they were served by it.
#[test]
fn a_tier_that_a_field_names_counts_only_if_it_may_serve() {
    let model = r#"{"id":"a/b","pricing":{"prompt":"0","completion":"0.00001"}}"#;
    let mut usage = TokenUsage::new(0, 1_000);
    let catalogue = of(&[model]);
    let cost = |usage: &TokenUsage| catalogue.cost(&at("a/b"), usage, UtcTime::from_millis(0)).unwrap();
    catalogue.add_endpoints(&endpoints(
        r#"{"id":"a/b","endpoints":[{"tag":"x","pricing":{"prompt":"0","completion":"0.00002"}}]}"#,
    ));
    assert_eq!(cost(&usage), usd("0.02"), "any of them may have served");
    usage.tier = PriceTier::Priority;
    assert_eq!(
        (cost(&usage), catalogue.has_tier(&at("a/b"), &usage)),
        (usd("0.02"), false),
        "the highest that is known"
    );
    for tier in ["ultrafast", "priority"] {
        catalogue.add_endpoints(&endpoints(&format!(
            r#"{{"id":"a/b","endpoints":[{{"tag":"x","pricing":{{"prompt":"0","completion":"0.00002"}}}},
                {{"tag":"x","service_tier":"{tier}","pricing":{{"prompt":"0","completion":"0.00006"}}}}]}}"#
        )));
        let mut needs = Needs::default();
        assert_eq!(known(&catalogue, "a/b", &needs).answer_token, usd("0.00002"), "{tier}");
        needs.priority = true;
        assert_eq!(known(&catalogue, "a/b", &needs).answer_token, usd("0.00006"), "{tier}");
        assert_eq!(
            (cost(&usage), catalogue.has_tier(&at("a/b"), &usage)),
            (usd("0.06"), true),
            "{tier}"
        );
    }
    usage.tier = PriceTier::Standard;
    assert_eq!(cost(&usage), usd("0.02"));
}

/// A model's row shows its cheapest endpoint. What another one gave is priced by its own.
#[test]
fn usage_is_priced_by_the_provider_that_the_answer_names() {
    let catalogue = of(&[r#"{"id":"a/b","pricing":{"prompt":"0","completion":"0.00001"}}"#]);
    let usage = TokenUsage::new(0, 1_000);
    let by = |provider: &str| catalogue.cost_of_provider(&at("a/b"), provider, &usage, UtcTime::from_millis(0));
    assert_eq!(by("DeepInfra"), Some(usd("0.01")), "no endpoint is known");
    let offer = |provider: &str, tag: &str, price: &str| {
        format!(r#"{{"provider_name":"{provider}","tag":"{tag}","pricing":{{"prompt":"0","completion":"{price}"}}}}"#)
    };
    let offers = [
        offer("DeepInfra", "deepinfra/fp8", "0.00001"),
        offer("Together", "together", "0.00003"),
        offer("Together", "together/turbo", "0.00004"),
        offer("Together", "together/priority", "0.00009"),
        offer("Google Vertex", "google-vertex", "0.00002"),
    ];
    catalogue.add_endpoints(&endpoints(&format!(
        r#"{{"id":"a/b","endpoints":[{}]}}"#,
        offers.join(",")
    )));
    for (provider, cost) in [
        ("DeepInfra", "0.01"),
        ("google vertex", "0.02"),
        ("Together", "0.04"),
        ("Unheard", "0.04"),
    ] {
        assert_eq!(by(provider), Some(usd(cost)), "{provider}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ceiling_of_the_request_keeps_more_expensive_endpoints_out() {
    let simulator = Simulator::start().await.unwrap();
    let account = account(&simulator);
    let catalogue = Catalogue::new(account.models().await.unwrap());
    catalogue.add_endpoints(&account.model_endpoints(LLAMA).await.unwrap());
    let dearest = |max_price: &str| {
        let body = format!(r#"{{"messages":[{{}}],"provider":{{"max_price":{max_price}}}}}"#);
        known(&catalogue, LLAMA, &ChatRequest::from_json(body).unwrap().needs()).answer_token
    };
    // DeepInfra asks 0.32 a million, Together 0.88.
    assert_eq!(dearest("{}"), usd("0.00000088"));
    assert_eq!(dearest(r#"{"completion":0.88}"#), usd("0.00000088"));
    assert_eq!(dearest(r#"{"completion":"0.87"}"#), usd("0.00000032"));
    assert_eq!(dearest(r#"{"prompt":0.2}"#), usd("0.00000032"));
    assert_eq!(
        dearest(r#"{"prompt":0}"#),
        usd("0.00000032"),
        "none serves it: the cheapest is held for"
    );
}

#[test]
fn no_answer_is_longer_than_the_longest_of_any_endpoint() {
    let row = |top: &str| {
        format!(
            r#"{{"id":"a/b","context_length":9000,"pricing":{{"prompt":"0","completion":"0"}},"top_provider":{top}}}"#
        )
    };
    let longest = |top: &str, offers: &str| {
        let catalogue = of(&[&row(top)]);
        if !offers.is_empty() {
            catalogue.add_endpoints(&endpoints(&format!(r#"{{"id":"a/b","endpoints":[{offers}]}}"#)));
        }
        worst_case(&catalogue, "a/b", 1).max_answer
    };
    let offer = |limits: &str| format!(r#"{{"pricing":{{"prompt":"0","completion":"0"}},{limits}}}"#);
    assert_eq!(longest("{}", ""), Some(9000));
    assert_eq!(longest(r#"{"max_completion_tokens":100}"#, ""), Some(100));
    let (short, long) = (
        offer(r#""max_completion_tokens":100"#),
        offer(r#""max_completion_tokens":300"#),
    );
    assert_eq!(
        longest(r#"{"max_completion_tokens":100}"#, &format!("{short},{long}")),
        Some(300)
    );
    let context = offer(r#""context_length":5000,"max_completion_tokens":null"#);
    assert_eq!(longest("{}", &format!("{short},{context}")), Some(5000));
    assert_eq!(longest("{}", &format!("{short},{}", offer(r#""tag":"x""#))), Some(9000));
}

#[test]
fn pictures_searches_and_choices_are_held_for() {
    let model = r#"{"id":"a/b","pricing":{"prompt":"0.000001","completion":"0.00001","image":"0.01","web_search":"0.005"},
        "top_provider":{"max_completion_tokens":100}}"#;
    let catalogue = of(&[model]);
    let request = ChatRequest::from_json(
        r#"{"model":"a/b","n":3,"plugins":[{"id":"web"}],"messages":[{"role":"user","content":[
            {"type":"image_url","image_url":{"url":"https://example.org/a.png"}},
            {"type":"image_url","image_url":{"url":"https://example.org/b.png"}}]}]}"#,
    )
    .unwrap();
    let needs = request.needs();
    assert_eq!((needs.images, needs.searches, needs.choices), (2, 1, 3));
    assert!(needs.most_prompt_tokens > 2 * 16_384);
    let worst_case = known(&catalogue, "a/b", &needs);
    // A search by the more expensive engine.
    assert_eq!((worst_case.fixed, worst_case.max_answer), (usd("0.027"), Some(100)));
    // The name asks as well: for a search, and for what it finds.
    let online = known(&catalogue, "a/b:online", &Needs::default());
    assert_eq!(online.fixed, usd("0.015192"));
    assert_eq!(
        known(&catalogue, "a/b:online", &needs).fixed,
        worst_case.fixed,
        "no more than once"
    );
}

#[test]
fn a_row_that_makes_no_sense_hides_no_other() {
    let catalogue = of(&[
        r#"{"id":"a/bad","pricing":{"prompt":"1e99","completion":"1"}}"#,
        r#"{"id":"a/none","pricing":{}}"#,
        r#"{"id":"a/good","pricing":{"prompt":"0.000001","completion":"0"}}"#,
        r#"{"id":"a/below","pricing":{"prompt":"-0.1","completion":"0"}}"#,
        r#"{"id":"a/router","pricing":{"prompt":"-1","completion":"-1"}}"#,
        r#"{"id":"a/half","pricing":{"prompt":"0.000001","completion":"0"}}"#,
        r#"{"pricing":{"prompt":"0","completion":"0"}}"#,
    ]);
    assert_eq!(catalogue.len(), 6);
    assert_eq!(catalogue.unpriced(), ["a/bad", "a/below", "a/none"]);
    assert_eq!(worst_case(&catalogue, "a/good", 1).prompt_token, usd("0.000001"));
    for unknown in ["a/bad", "a/none", "a/below"] {
        assert_eq!(
            quote(&catalogue, unknown, &Needs::default()),
            Quote::Unknown,
            "{unknown}"
        );
        assert_eq!(
            catalogue.cost(&at(unknown), &TokenUsage::default(), UtcTime::now()),
            None,
            "{unknown}"
        );
    }
    // One endpoint without a price may be the one that serves.
    catalogue.add_endpoints(&endpoints(
        r#"{"id":"a/half","endpoints":[{"pricing":{"prompt":"0","completion":"0"}},{"pricing":{"prompt":"x","completion":"0"}}]}"#,
    ));
    assert_eq!(quote(&catalogue, "a/half", &Needs::default()), Quote::Unknown);
    assert_eq!(catalogue.unpriced(), ["a/bad", "a/below", "a/half", "a/none"]);
}
