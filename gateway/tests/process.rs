//! The real program under load: ended in order, and killed.

use std::time::Duration;

use openrouter_simulator::Simulator;
use test_servers::Redis;
use tower_openrouter::{
    UsdAmount,
    ledger::{Filter, LedgerOptions},
};

use crate::support::{Binary, CLIENT_KEY, Folder, Said, client, key, post, settings, streamed, until};

/// Streams that are in progress when the signal comes.
const STREAMS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_termination_under_load_cuts_no_stream_and_loses_no_entry() {
    let simulator = Simulator::builder()
        .piece_delay(Duration::from_millis(25))
        .start()
        .await
        .unwrap();
    let folder = Folder::new();
    simulator.plan("demo/model", "words=60").unwrap();
    folder.write(
        "gateway.toml",
        &settings(
            &simulator,
            &folder,
            &("storage.sqlite = \"gateway.db\"".to_owned() + &key("acme", CLIENT_KEY, "")),
        ),
    );
    let gateway = Binary::serve(&[], &folder.path(""));
    let (http, url) = (client(), gateway.url("/v1/chat/completions"));
    let streams: Vec<_> = (0..STREAMS)
        .map(|_| {
            let request = post(&http, &url, CLIENT_KEY, &streamed("demo/model", 500));
            tokio::spawn(async move { Said::of(request).await })
        })
        .collect();
    simulator
        .wait_until(|seen| seen.chats().filter(|chat| chat.pieces > 2).count() == STREAMS)
        .await;
    assert!(!simulator.report().idle(), "they are in progress");
    gateway.signal("-TERM");
    for stream in streams {
        let said = stream.await.unwrap();
        assert_eq!(said.status, 200);
        assert!(said.text.ends_with("data: [DONE]\n\n"), "{}", said.text);
    }
    let (status, log) = gateway.ended();
    assert!(status.success(), "{log}");
    let ledger = LedgerOptions::sqlite(folder.path("gateway.db"))
        .open_to_read()
        .await
        .unwrap();
    let total = ledger.total(&Filter::new().tag("key", "acme")).await.unwrap();
    assert_eq!(total.attempts, STREAMS as u64, "{log}");
    assert_eq!(
        total.cost.to_string().trim_start_matches('$'),
        simulator.billed_total().to_string().trim_start_matches('$')
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_under_load_frees_what_was_reserved() {
    let Some(redis) = Redis::start() else { return };
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    simulator.plan("openai/gpt-4o-mini", "stall=100s@3").unwrap();
    let shared = format!(
        "shared = {{ redis = \"{}\", lease = \"1500ms\", decision_timeout = \"10s\" }}\n",
        redis.url()
    );
    let budget = key("acme", CLIENT_KEY, "budget = [{ usd = \"1.00\", per = \"month\" }]");
    let text = settings(&simulator, &folder, &(shared + &budget));
    folder.write("gateway.toml", &text);
    let (victim, other) = (
        Binary::serve(&[], &folder.path("")),
        Binary::serve(&[], &folder.path("")),
    );
    let (http, url) = (client(), victim.url("/v1/chat/completions"));
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(
            post(&http, &url, CLIENT_KEY, &streamed("openai/gpt-4o-mini", 500))
                .send()
                .await
                .unwrap(),
        );
    }
    let own = other.url("/v1/key");
    let reserved = async || {
        let said = Said::of(client().get(&own).bearer_auth(CLIENT_KEY)).await.json();
        said["data"]["budgets"][0]["reserved"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_ne!(
        reserved().await,
        "0.00",
        "the other gateway sees what this one has reserved"
    );
    victim.signal("-KILL");
    assert!(!victim.ended().0.success());
    until("nothing is reserved", async || reserved().await == "0.00").await;
    drop(streams);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_under_load_loses_no_entry_that_was_settled() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    simulator.plan("openai/gpt-4o-mini", "stall=100s@3").unwrap();
    let budget = key("acme", CLIENT_KEY, "budget = [{ usd = \"1.00\", per = \"month\" }]");
    let rest = "storage.sqlite = \"gateway.db\"\n".to_owned() + &budget;
    folder.write("gateway.toml", &settings(&simulator, &folder, &rest));
    let gateway = Binary::serve(&[], &folder.path(""));
    let (http, url) = (client(), gateway.url("/v1/chat/completions"));
    let mut streams = Vec::new();
    for _ in 0..10 {
        let stalled = post(&http, &url, CLIENT_KEY, &streamed("openai/gpt-4o-mini", 500));
        streams.push(stalled.send().await.unwrap());
        let whole = post(&http, &url, CLIENT_KEY, &streamed("anthropic/claude-sonnet-4.5", 100));
        let said = Said::of(whole).await;
        assert!(
            said.status == 200 && said.text.ends_with("data: [DONE]\n\n"),
            "{said:?}"
        );
    }
    let total = async || {
        let ledger = LedgerOptions::sqlite(folder.path("gateway.db")).open_to_read();
        let ledger = ledger.await.unwrap();
        ledger.total(&Filter::new().tag("key", "acme")).await.unwrap()
    };
    until("the ledger has them", async || total().await.attempts >= 10).await;
    // A stream is billed when it ends, and the others have not.
    let bill = i128::from(simulator.billed_total().pico());
    gateway.signal("-KILL");
    assert!(!gateway.ended().0.success());
    let kept = total().await;
    assert_eq!((kept.attempts, kept.cost.pico()), (10, bill));
    drop(streams);

    // A restart refills the budget from them.
    let again = Binary::serve(&[], &folder.path(""));
    let said = Said::of(http.get(again.url("/v1/key")).bearer_auth(CLIENT_KEY))
        .await
        .json();
    let budget = &said["data"]["budgets"][0];
    let spent: UsdAmount = budget["spent"].as_str().unwrap().parse().unwrap();
    assert_eq!((spent.pico(), &budget["reserved"]), (bill, &"0.00".into()), "{said}");
    assert!(bill > 0);
}
