//! Prices follow the settings: those that a reload removes are read from the upstream.

use std::time::Duration;

use openrouter_gateway::{commands::start, settings::Config};
use openrouter_simulator::Simulator;

use crate::support::{Folder, Said, client, post, settings, streamed, until};

/// A model with a price of its own in the settings, and one without.
const PRICED: &str = "anthropic/claude-sonnet-4.5";
const OTHER: &str = "openai/gpt-4o-mini";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prices_that_a_reload_removes_are_read_from_the_upstream() {
    let own = format!("prices = [{{ model = \"{PRICED}\", prompt = \"0.000001\", completion = \"0.000001\" }}]");
    for (before, knows_one) in [
        (own.as_str(), true),
        ("unknown_price = \"refuse\"\nrefresh_catalogue = false", false),
    ] {
        let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
        let text = |prices: &str| {
            let budget = "budget = [{ name = \"all\", usd = \"5\", per = \"day\" }]";
            settings(&simulator, &folder, &format!("{prices}\n{budget}"))
        };
        let path = folder.write("gateway.toml", &text(before));
        let running = start(Config::from_file(&path).unwrap()).await.unwrap();
        let url = format!("http://{}/v1/chat/completions", running.address);
        let is_answered = async |model: &str| {
            let said = Said::of(post(&client(), &url, "", &streamed(model, 20))).await;
            said.status == 200
        };
        assert_eq!(
            (is_answered(PRICED).await, is_answered(OTHER).await),
            (knows_one, false)
        );
        let failed = || {
            let totals = running.gateway.calls().totals(Duration::from_secs(3_600));
            assert_eq!(totals.refused, 0, "no client is the cause");
            totals.failed
        };
        until("the failed calls are counted", async || {
            failed() == 2 - u64::from(knows_one)
        })
        .await;
        folder.write("gateway.toml", &text(""));
        running.gateway.reload(&path).await.unwrap();
        for model in [PRICED, OTHER] {
            assert!(is_answered(model).await, "{model} after {before}");
        }
        running.drain(std::future::pending()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_reads_the_models_again_only_if_they_may_be_others() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let text = |rest: &str| settings(&simulator, &folder, rest);
    let path = folder.write("gateway.toml", &text(""));
    let running = start(Config::from_file(&path).unwrap()).await.unwrap();
    let url = format!("http://{}/v1/chat/completions", running.address);
    let readings = || {
        let report = simulator.report();
        let first_pages = report
            .attempts
            .iter()
            .filter(|attempt| attempt.path.contains("offset=0&"));
        first_pages.count()
    };
    until("the models are read", async || readings() == 1).await;
    for rest in ["deadline = \"50s\"", "deadline = \"60s\""] {
        folder.write("gateway.toml", &text(rest));
        running.gateway.reload(&path).await.unwrap();
        let said = Said::of(post(&client(), &url, "", &streamed(OTHER, 20))).await;
        assert_eq!((said.status, readings()), (200, 1), "{rest}");
    }
    folder.write("upstream-key", "sk-or-v1-another");
    running.gateway.reload(&path).await.unwrap();
    until("the models are read with the new key", async || readings() == 2).await;
    running.drain(std::future::pending()).await;
}
