//! Prices that are written down are those of no faster tier, and of no picture: what asks for one has an unknown price.

use std::sync::Arc;

use crate::support::{FIRST, World};
use tower_openrouter::{
    Catalogue, ChatRequest, ChatServiceExt, Error, FailureKind,
    layers::{
        Candidate, FixedPrices, LlmRequest as _, Needs, PriceList, Quote, UtcTime, WorstCasePrice, budget::Budget,
        cost::UnknownPrice,
    },
    response::Pricing,
};

fn asks(fields: &str) -> ChatRequest {
    let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}],\"max_tokens\":100{fields}}}");
    ChatRequest::from_json(body).unwrap()
}

const FAST: [&str; 3] = [
    r#","service_tier":"priority""#,
    r#","service_tier":"fast""#,
    r#","provider":{"only":["openai/priority"]}"#,
];

fn catalogue(prices: &str) -> Arc<dyn PriceList> {
    let prices = serde_json::from_str(prices).unwrap();
    Arc::new(Catalogue::default().with_price("openrouter", FIRST, &prices))
}

fn fixed() -> FixedPrices {
    FixedPrices::new([(Candidate::new("openrouter", FIRST).unwrap(), price())])
}

fn price() -> WorstCasePrice {
    WorstCasePrice::new().answer_token("0.001".parse().unwrap())
}

fn is_known(prices: &dyn PriceList, fields: &str) -> bool {
    let candidate = Candidate::new("openrouter", FIRST).unwrap();
    matches!(
        prices.quote(&candidate, &asks(fields).needs(), UtcTime::now()),
        Quote::Known(_)
    )
}

#[test]
fn a_faster_tier_and_a_picture_have_no_price_unless_one_is_stated() {
    let text = catalogue(r#"{"prompt":"0.000001","completion":"0.00001"}"#);
    assert!(is_known(&*text, "") && is_known(&fixed(), ""));
    for fields in FAST {
        assert!(!is_known(&*text, fields) && !is_known(&fixed(), fields), "{fields}");
    }
    let fast = fixed().with_priority([(Candidate::new("openrouter", FIRST).unwrap(), price())]);
    assert!(is_known(&fast, FAST[0]));
    let pictures = r#","modalities":["image","text"]"#;
    assert!(!is_known(&*text, pictures));
    let priced = catalogue(r#"{"prompt":"0.000001","completion":"0.00001","image_output":"0.00003"}"#);
    assert!(is_known(&*priced, pictures));
}

#[test]
fn a_name_that_requests_a_faster_tier_has_no_price_unless_it_is_given_for_the_whole_name() {
    let quote = |prices: &Catalogue, name: &str| {
        let candidate = Candidate::new("openrouter", name).unwrap();
        prices.quote(&candidate, &Needs::default(), UtcTime::now())
    };
    let pricing = |text: &str| -> Pricing { serde_json::from_str(text).unwrap() };
    let plain = Catalogue::default().with_price(
        "openrouter",
        FIRST,
        &pricing(r#"{"prompt":"0.000001","completion":"0.00001"}"#),
    );
    for name in [FIRST.to_owned(), format!("{FIRST}:floor")] {
        assert!(matches!(quote(&plain, &name), Quote::Known(_)), "{name}");
    }
    let fast = [format!("{FIRST}:nitro"), format!("{FIRST}@preset/fast")];
    for name in &fast {
        assert_eq!(quote(&plain, name), Quote::Unknown, "{name}");
    }
    let mut given = plain;
    for name in &fast {
        given = given.with_price(
            "openrouter",
            name,
            &pricing(r#"{"prompt":"0.000003","completion":"0.00003"}"#),
        );
    }
    for name in &fast {
        assert!(matches!(quote(&given, name), Quote::Known(_)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_refuses_it_unless_a_price_is_assumed() {
    let world = World::new("GOOD").await;
    let call = async |unknown: Option<UnknownPrice>| -> Result<(), Error> {
        let builder = world.builder().chain([FIRST]).prices(Arc::new(fixed()));
        let builder = builder.budget(Budget::usd("all", "10").unwrap());
        let builder = match unknown {
            Some(unknown) => builder.unknown_price(unknown),
            None => builder,
        };
        let stack = builder.build().unwrap();
        stack.complete(asks(FAST[0])).await.map(drop)
    };
    let error = call(None).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::NoEndpoint, "{error}");
    assert!(world.simulator.report().attempts.is_empty(), "nothing was sent");
    call(Some(UnknownPrice::Assume(price()))).await.unwrap();
    assert_eq!(world.simulator.report().attempts.len(), 1);
}
