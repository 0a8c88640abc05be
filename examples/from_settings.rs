//! A stack from a file: `examples/stack.toml`, every key of which is explained there. Its settings are replaced while an answer streams, and a bad
//! file changes nothing.
//!
//! ```sh
//! cargo run --release --example from_settings --features settings
//! ```
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use tokio::time::Instant;

use tower_openrouter::{
    AttemptLog, ChatRequest, ChatServiceExt, Stack,
    layers::ledger::MemoryLedger,
    settings::{BudgetSettings, KeySettings, PriceSettings, Secret, Settings, SettingsHandle, Usd},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> support::Fallible {
    let place = support::place(&[("anthropic/claude-sonnet-4.5", "503;retry-after=1")]).await?;
    let begun = Instant::now();
    let mut settings = Settings::from_toml(include_str!("stack.toml"))?;
    let read = begun.elapsed();
    if let (Some(_), Some(upstream)) = (&place.simulator, settings.upstream.first_mut()) {
        // The simulator takes any key, from a file here. Your own settings need no change.
        let key = std::env::temp_dir().join(format!("from_settings-{}.key", std::process::id()));
        std::fs::write(&key, "sk-or-v1-simulated")?;
        upstream.base_url = Some(place.upstream.base_url().to_owned());
        upstream.key = Some(KeySettings::One(Secret::File(key)));
    }
    let begun = Instant::now();
    println!("{}\n", Stack::from_settings(&settings)?.describe());
    println!("read in {read:?}, built in {:?}\n", begun.elapsed());

    // What no file can hold is added in code, and outlives a replacement.
    let ledger = MemoryLedger::new();
    let shared = ledger.clone();
    let handle = SettingsHandle::builder(settings.clone())
        .extend(move |builder| builder.ledger(std::sync::Arc::new(shared.clone())))
        .build()?;
    let service = handle.service();

    let mut answer = service.stream(ChatRequest::user("Why is the sky blue?")).await?;
    println!(
        "the first text: {:?}",
        answer.next_text().await.transpose()?.unwrap_or_default()
    );

    // Another chain and a budget, from now on. The open answer is not touched.
    let cent: Usd = "$0.01".parse()?;
    settings.chain = vec!["openai/gpt-4o-mini".parse()?];
    settings.budget.push(BudgetSettings::new("all", cent));
    let (prompt, completion): (Usd, Usd) = ("0.00000015".parse()?, "0.0000006".parse()?);
    settings.prices.push(PriceSettings::new(
        "openrouter",
        "openai/gpt-4o-mini",
        prompt,
        completion,
    ));
    settings.default_output_tokens = Some(200_u64).into();
    handle.replace(settings)?;
    let second = service.complete(ChatRequest::user("And at night?")).await?;
    println!("a new call is answered by {}", second.response.model);

    while let Some(text) = answer.next_text().await {
        text?;
    }
    if let Some(candidate) = answer.attempts().as_ref().and_then(AttemptLog::answered_by) {
        println!("the open one ended whole, by {candidate}");
    }

    // A bad file changes nothing, and says what is wrong.
    let bad = "chian = [\"openai/gpt-5\"]\nattempts = \"three\"\n[[upstream]]\nname = \"openrouter\"\nkey = \"sk-or-v1-0123\"\n";
    match Settings::from_toml(bad).map(|settings| handle.replace(settings)) {
        Err(wrong) => println!(
            "\nrefused:\n{wrong}\nstill in force: a chain of {}",
            handle.settings().chain.len()
        ),
        Ok(_) => return Err("a bad file was taken".into()),
    }
    println!("{} attempts are in the ledger", ledger.recent(100).len());
    Ok(())
}
