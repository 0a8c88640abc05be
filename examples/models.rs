//! Which models there are, by price, context and capability; and the endpoints of one.
//!
//! ```sh
//! cargo run --example models -- --max-price 3 --min-context 100000 --needs tools
//! ```
//!
//! Prices are in US dollars per million tokens.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use tower_openrouter::{
    Account, Transport,
    response::{Model, Price, ToUsd as _},
};

struct Filter {
    max_price: f64,
    min_context: u64,
    needs: Vec<String>,
}

fn filter() -> support::Fallible<Filter> {
    let mut filter = Filter {
        max_price: f64::INFINITY,
        min_context: 0,
        needs: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{name}` requires a value"))?;
        match name.as_str() {
            "--max-price" => filter.max_price = value.parse()?,
            "--min-context" => filter.min_context = value.parse()?,
            "--needs" => filter.needs = value.split(',').map(str::to_owned).collect(),
            _ => {
                return Err(format!("`{name}` is none of --max-price, --min-context, --needs").into());
            }
        }
    }
    Ok(filter)
}

impl Filter {
    fn takes(&self, model: &Model) -> bool {
        let price = per_million(model.pricing.completion.as_ref());
        price.is_some_and(|price| price <= self.max_price)
            && model.context_length.unwrap_or(0) >= self.min_context
            && self.needs.iter().all(|need| model.supported_parameters.contains(need))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    let filter = filter()?;
    let place = support::place(&[]).await?;
    let transport = Transport::builder().upstream(place.upstream.clone()).build()?;
    let account = Account::new(transport, place.upstream.clone(), Some(place.key.clone()));

    let mut models = account.models().await?;
    let all = models.len();
    models.retain(|model| filter.takes(model));
    models.sort_by_key(|model| pico(model.pricing.completion.as_ref()));

    println!("{} of {all} models\n", models.len());
    println!("{:<40} {:>10} {:>10} {:>10}", "model", "prompt", "answer", "context");
    for model in &models {
        println!(
            "{:<40} {:>10} {:>10} {:>10}",
            model.id,
            dollars(model.pricing.prompt.as_ref()),
            dollars(model.pricing.completion.as_ref()),
            model
                .context_length
                .map_or_else(|| "?".to_owned(), |tokens| tokens.to_string()),
        );
    }

    let Some(first) = models
        .iter()
        .find(|model| model.id.contains("gpt"))
        .or_else(|| models.first())
    else {
        return Ok(());
    };
    println!("\nwho serves {}:\n", first.id);
    println!(
        "{:<20} {:>10} {:>10} {:>9} {:>12} {:>12}",
        "provider", "prompt", "answer", "uptime", "first token", "tokens/s"
    );
    for endpoint in account.model_endpoints(&first.id).await?.endpoints {
        println!(
            "{:<20} {:>10} {:>10} {:>9} {:>12} {:>12}",
            endpoint.provider_name,
            dollars(endpoint.pricing.prompt.as_ref()),
            dollars(endpoint.pricing.completion.as_ref()),
            endpoint
                .uptime_last_30m
                .map_or_else(|| "?".to_owned(), |percent| format!("{percent:.1} %")),
            endpoint
                .latency_last_30m
                .and_then(|latency| latency.p50)
                .map_or_else(|| "?".to_owned(), |ms| format!("{ms:.0} ms")),
            endpoint
                .throughput_last_30m
                .and_then(|speed| speed.p50)
                .map_or_else(|| "?".to_owned(), |rate| format!("{rate:.0}")),
        );
    }
    Ok(())
}

/// Pico-dollars a token; `None` if it varies or is unknown.
fn pico(price: Option<&Price>) -> Option<i128> {
    Some(price?.to_usd().ok()??.pico())
}

/// Dollars a million tokens, for showing.
fn per_million(price: Option<&Price>) -> Option<f64> {
    // A pico-dollar a token is a millionth of a dollar a million tokens.
    Some(pico(price)? as f64 / 1e6)
}

fn dollars(price: Option<&Price>) -> String {
    per_million(price).map_or_else(|| "varies".to_owned(), |price| format!("${price:.2}"))
}
