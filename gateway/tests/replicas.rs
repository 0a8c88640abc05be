//! Two gateways, each a process of its own, on one Redis and one PostgreSQL: one limit, one budget, one answer, also if one is killed.

use std::time::Duration;

use futures_util::future::join_all;
use openrouter_simulator::{Report, Simulator};
use serde_json::Value;
use test_servers::{Postgres, Redis};
use tower_openrouter::{
    UsdAmount,
    layers::ledger::Spend,
    ledger::{Filter, LedgerOptions},
};

use crate::support::{
    Binary, CLIENT_KEY, Folder, OTHER_KEY, Said, client, command, key, post, settings, streamed, until, within,
};

/// Short, so that the tests need not wait long for the end of the dead process's.
const LEASE: Duration = Duration::from_millis(1_500);
/// How much later than its lease a reservation may be freed: the machine may be busy.
const SLACK: Duration = Duration::from_secs(10);
/// In how long a revoked key must be refused: a second is promised, and the machine may be busy.
const REVOKED: Duration = Duration::from_secs(2);

const THIRD_KEY: &str = "sk-gw-3d07THIRDSECRET52c1";
const CHAT: &str = "/v1/chat/completions";
/// A model that answers, and one that stalls.
const WELL: &str = "anthropic/claude-sonnet-4.5";
const STALLED: &str = "openai/gpt-4o-mini";

/// What both gateways stand on.
struct World {
    simulator: Simulator,
    folder: Folder,
    postgres: Postgres,
    _redis: Redis,
    http: reqwest::Client,
}

/// Starts all of it; `None` if a server is missing.
async fn start(rest: &str) -> Option<(World, Binary, Binary)> {
    let (redis, postgres) = (Redis::start()?, Postgres::start()?);
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    simulator.plan(STALLED, "stall=100s@3").unwrap();
    let url = folder.write("database-url", &postgres.url());
    let both = format!(
        "storage.postgres = \"file:{}\"\nshared = {{ redis = \"{}\", lease = \"{}ms\", decision_timeout = \"10s\" }}\n\
         idempotency = {{ bytes = 1048576, tenant = \"tag:key\" }}\n{rest}",
        url.display(),
        redis.url(),
        LEASE.as_millis()
    );
    folder.write("gateway.toml", &settings(&simulator, &folder, &both));
    let one = Binary::serve(&[], &folder.path(""));
    let two = Binary::serve(&[], &folder.path(""));
    let world = World {
        simulator,
        folder,
        postgres,
        _redis: redis,
        http: client(),
    };
    Some((world, one, two))
}

impl World {
    async fn call(&self, gateway: &Binary, key: &str) -> u16 {
        let request = post(&self.http, &gateway.url(CHAT), key, &streamed(WELL, 100));
        let said = Said::of(request).await;
        let is_whole = said.text.ends_with("data: [DONE]\n\n");
        assert_eq!(is_whole, said.status == 200, "{said:?}");
        said.status
    }

    /// Begins a call whose answer stalls.
    async fn stall(&self, gateway: &Binary, key: &str) -> reqwest::Response {
        let request = post(&self.http, &gateway.url(CHAT), key, &streamed(STALLED, 500));
        request.send().await.unwrap()
    }

    /// The first budget of a key, as a gateway shows it.
    async fn budget(&self, gateway: &Binary, key: &str) -> Value {
        let request = self.http.get(gateway.url("/v1/key")).bearer_auth(key);
        Said::of(request).await.json()["data"]["budgets"][0].take()
    }

    /// Makes a call that is answered. A refused one takes nothing: the place of the call before is free a little later than its end.
    async fn answered(&self, gateway: &Binary, key: &str) {
        within(LEASE + SLACK, "a call is answered", async || {
            self.call(gateway, key).await == 200
        })
        .await;
    }

    async fn ledger(&self, key: &str) -> Spend {
        let ledger = LedgerOptions::postgres(&self.postgres.url()).open_to_read();
        let ledger = ledger.await.unwrap();
        ledger.total(&Filter::new().tag("key", key)).await.unwrap()
    }
}

fn pico(amount: &Value) -> i128 {
    let amount: UsdAmount = amount.as_str().unwrap().parse().unwrap();
    amount.pico()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_are_one_limit_and_one_budget() {
    let ten = "requests = { amount = 10, per = \"1h\", burst = 10 }\n";
    let keys = key(
        "acme",
        CLIENT_KEY,
        &format!("{ten}concurrency = 10\nbudget = [{{ usd = \"1.00\", per = \"month\" }}]"),
    ) + &key("other", OTHER_KEY, ten)
        + &key("third", THIRD_KEY, "concurrency = 3");
    let Some((world, one, two)) = start(&keys).await else {
        return;
    };
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(world.call(&one, CLIENT_KEY).await);
        statuses.push(world.call(&two, CLIENT_KEY).await);
    }
    let wanted: Vec<u16> = [[200_u16; 10], [429_u16; 10]].concat();
    assert_eq!(statuses, wanted, "one after the other");
    let bill = i128::from(world.simulator.wait_until(Report::idle).await.billed.pico());
    for gateway in [&one, &two] {
        until("all of it is settled", async || {
            let budget = world.budget(gateway, CLIENT_KEY).await;
            budget["reserved"] == "0.00" && pico(&budget["spent"]) == bill
        })
        .await;
    }
    assert!(bill > 0);

    let at_once = (0..20).map(|number| world.call(if number % 2 == 0 { &one } else { &two }, OTHER_KEY));
    let answered = join_all(at_once).await.into_iter().filter(|status| *status == 200);
    assert_eq!(answered.count(), 10, "at once");

    let mut streams = Vec::new();
    for gateway in [&one, &two, &one, &two, &one, &two] {
        streams.push(world.stall(gateway, THIRD_KEY).await);
    }
    let statuses: Vec<_> = streams.iter().map(|stream| stream.status().as_u16()).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429, 429], "calls in progress");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_killed_loses_no_settled_entry_and_frees_what_it_had_reserved() {
    let rules = "requests = { amount = 12, per = \"1h\", burst = 12 }\nconcurrency = 4\n\
                 budget = [{ usd = \"1.00\", per = \"month\" }]";
    const SMALL: i128 = 5_000_000_000;
    let small = "budget = [{ usd = \"0.005\", per = \"month\" }]";
    let keys = key("acme", CLIENT_KEY, rules) + &key("other", OTHER_KEY, small);
    let Some((world, victim, survivor)) = start(&keys).await else {
        return;
    };
    for _ in 0..6 {
        world.answered(&victim, CLIENT_KEY).await;
    }
    let bill = i128::from(world.simulator.wait_until(Report::idle).await.billed.pico());
    world.answered(&victim, OTHER_KEY).await;
    let mut streams = Vec::new();
    until("four stall", async || {
        let stream = world.stall(&victim, CLIENT_KEY).await;
        if stream.status() == 200 {
            streams.push(stream);
        }
        streams.len() == 4
    })
    .await;
    let spent = async |key: &str| pico(&world.budget(&survivor, key).await["spent"]);
    assert_eq!(world.call(&survivor, CLIENT_KEY).await, 429, "four are in progress");
    let reserved = async || world.budget(&survivor, CLIENT_KEY).await["reserved"].take();
    assert_ne!(reserved().await, "0.00", "the other gateway's are seen");
    // What was settled in the last tenth of a second may be missing.
    until(
        "the ledger has the entries, and the budget what they cost",
        async || {
            world.ledger("acme").await.attempts >= 6 && spent(CLIENT_KEY).await == bill && spent(OTHER_KEY).await > 0
        },
    )
    .await;

    victim.signal("-KILL");
    assert!(!victim.ended().0.success());
    within(LEASE + SLACK, "the dead gateway's reservations are freed", async || {
        reserved().await == "0.00"
    })
    .await;
    drop(streams);
    let entries = world.ledger("acme").await;
    assert_eq!((entries.attempts, entries.cost.pico()), (6, bill));
    assert_eq!(spent(CLIENT_KEY).await, bill);

    // The survivor answers, and the limit is that of both: ten of twelve requests were the dead one's.
    world.answered(&survivor, CLIENT_KEY).await;
    world.answered(&survivor, CLIENT_KEY).await;
    assert_eq!(world.call(&survivor, CLIENT_KEY).await, 429);
    let before = spent(OTHER_KEY).await;
    let mut statuses = Vec::new();
    for _ in 0..100 {
        statuses.push(world.call(&survivor, OTHER_KEY).await);
    }
    assert!(
        statuses.starts_with(&[200]) && statuses.ends_with(&[402]),
        "{statuses:?}"
    );
    let after = spent(OTHER_KEY).await;
    assert!(before < after && after <= SMALL, "{after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_is_refused_by_both() {
    let Some((world, one, two)) = start(&key("other", OTHER_KEY, "")).await else {
        return;
    };
    let run = |arguments: &[&str]| {
        let output = command(arguments, &world.folder.path(""));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = run(&["keys", "new", "acme"]);
    let made = shown.lines().find(|line| line.starts_with("sk-gw-")).unwrap();
    let both = async |wanted: u16| world.call(&one, made).await == wanted && world.call(&two, made).await == wanted;
    until("both take it", async || both(200).await).await;
    run(&["keys", "revoke", "acme"]);
    within(REVOKED, "both refuse it", async || both(401).await).await;
    assert_eq!(world.call(&one, OTHER_KEY).await, 200);
    assert_eq!(world.call(&two, OTHER_KEY).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_with_one_idempotency_key_over_both_is_made_once() {
    let keys = key("acme", CLIENT_KEY, "") + &key("other", OTHER_KEY, "");
    let Some((world, one, two)) = start(&keys).await else {
        return;
    };
    world.simulator.plan("demo/model", "delay=20ms;words=30").unwrap();
    let call = async |gateway: &Binary, key: &str, max_tokens: u32| {
        let body = streamed("demo/model", max_tokens);
        let request = post(&world.http, &gateway.url(CHAT), key, &body);
        Said::of(request.header("idempotency-key", "order-17")).await
    };
    let calls = || world.simulator.report().chats().count();
    let (first, second) = tokio::join!(call(&one, CLIENT_KEY, 200), call(&two, CLIENT_KEY, 200));
    assert!(
        first.status == 200 && first.text.ends_with("data: [DONE]\n\n"),
        "{first:?}"
    );
    assert_eq!((second.status, &second.text), (200, &first.text), "the same bytes");
    let replayed = |said: &Said| said.headers.contains_key("idempotent-replayed");
    assert_ne!(replayed(&first), replayed(&second), "one of them pays");
    for gateway in [&one, &two] {
        let again = call(gateway, CLIENT_KEY, 200).await;
        assert_eq!((again.status, &again.text), (200, &first.text));
        assert!(replayed(&again), "{again:?}");
        assert_eq!(call(gateway, CLIENT_KEY, 100).await.status, 422, "another request");
    }
    assert_eq!(calls(), 1, "one bill");
    let others = call(&two, OTHER_KEY, 200).await;
    assert!(others.status == 200 && !replayed(&others), "{others:?}");
    assert_eq!(calls(), 2, "each client's keys are its own");
}
