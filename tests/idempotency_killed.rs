//! A hundred clients with one key in two processes, one of which is killed in the middle of the call: one answer, one bill. The same for plain calls. A
//! real Redis.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use http::Request;
use openrouter_simulator::{Outcome, Report, Simulator};
use test_servers::Redis;
use tower_openrouter::{
    Answer, ApiKey, ApiRequest, ChatServiceExt, Completion, Stack,
    layers::{
        Replayed,
        cache::{KeySecret, idempotency::IdempotencyKey},
        ledger::MemoryLedger,
    },
    redis::Store,
    stack::{ChatIdempotency, StackBuilder, TenantKey},
    transport::{Dialect, OPENROUTER, Upstream},
};

use crate::support::{FIRST, GOOD, TEXT, ask, ledger::bill};

const REDIS: &str = "IDEMPOTENCY_TEST_REDIS";
const UPSTREAM: &str = "IDEMPOTENCY_TEST_UPSTREAM";
/// Short, so that the test need not wait long for the end of the dead process's.
const LEASE: Duration = Duration::from_millis(1_500);
const HALF: usize = 50;

async fn builder(redis: &str, base_url: &str) -> StackBuilder {
    let store = Store::builder(redis).lease(LEASE);
    // The machine may be busy: what is measured here is no time.
    let store = store.decision_timeout(Duration::from_secs(30)).connect().await.unwrap();
    let keys = ChatIdempotency::new(store.idempotency(), TenantKey::global()).key_secret(KeySecret::new([7; 32]));
    Stack::builder()
        .upstream(
            Upstream::new(OPENROUTER, base_url, Dialect::OpenRouter).unwrap(),
            ApiKey::new("sk-or-v1-0123456789abcdef0123456789abtest").unwrap(),
        )
        .chain([FIRST])
        .idempotency(keys)
}

fn keyed() -> Request<ApiRequest> {
    let mut request = ApiRequest::from(ask()).into_http();
    request
        .extensions_mut()
        .insert(IdempotencyKey::new("order-17").unwrap());
    request
}

async fn call(stack: &Stack) -> Answer {
    stack.stream(keyed()).await.unwrap()
}

async fn plain(stack: &Stack) -> Completion {
    stack.complete(keyed()).await.unwrap()
}

/// Not a test by itself: the process that is killed. Its clients share one call; it says when the answer has begun, and stops reading.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() {
    let (Ok(redis), Ok(base_url)) = (env::var(REDIS), env::var(UPSTREAM)) else {
        return;
    };
    let stack = builder(&redis, &base_url).await.build().unwrap();
    let answers = join_all((0..HALF).map(|_| call(&stack))).await;
    println!("\nbegun {}", answers.len());
    std::future::pending::<()>().await;
    drop(answers);
}

/// Killed with its handle, however the test ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(redis: &str, base_url: &str) -> Process {
    let child = Command::new(env::current_exe().unwrap())
        .args([
            "idempotency_killed::the_process_that_is_killed",
            "--exact",
            "--nocapture",
        ])
        .env(REDIS, redis)
        .env(UPSTREAM, base_url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut process = Process(child);
    let lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    let mut begun = lines.map(Result::unwrap).filter(|line| line.starts_with("begun"));
    assert_eq!(begun.next().as_deref(), Some("begun 50"));
    process
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_clients_and_a_process_that_is_killed_in_the_middle_are_one_bill() {
    let Some(redis) = Redis::start() else { return };
    let simulator = Simulator::start().await.unwrap();
    // The first answer falls silent after its first words; the next ones are well.
    let good = GOOD.replace(',', "%2C");
    simulator.plan(FIRST, &format!("1x{good};stall=600s@2,{good}")).unwrap();
    let (url, base_url) = (redis.url(), simulator.base_url());
    let starting = std::thread::spawn({
        let (url, base_url) = (url.clone(), base_url.clone());
        move || start(&url, &base_url)
    });
    let process = tokio::task::spawn_blocking(move || starting.join().unwrap())
        .await
        .unwrap();
    assert_eq!(simulator.report().of(FIRST).count(), 1);

    let ledger = MemoryLedger::new();
    let stack = builder(&url, &base_url)
        .await
        .ledger(Arc::new(ledger.clone()))
        .build()
        .unwrap();
    // They wait for the other process, and no call of theirs is made while it lives: its lease is renewed.
    let waiting = tokio::spawn({
        let stack = stack.clone();
        async move { join_all((0..HALF).map(|_| async { call(&stack).await })).await }
    });
    tokio::time::sleep(LEASE * 2).await;
    assert!(!waiting.is_finished());
    assert_eq!(simulator.report().of(FIRST).count(), 1, "one call in two processes");
    drop(process);

    let answers = tokio::time::timeout(LEASE * 20, waiting)
        .await
        .expect("the lease ends")
        .unwrap();
    let pays = answers
        .iter()
        .filter(|answer| answer.parts().extensions.get::<Replayed>().is_none());
    assert_eq!(pays.count(), 1);
    for answer in answers {
        assert_eq!(answer.text().await.unwrap(), TEXT);
    }
    let again = call(&stack).await;
    assert!(again.parts().extensions.get::<Replayed>().is_some());
    assert_eq!(again.text().await.unwrap(), TEXT);

    let seen = tokio::time::timeout(LEASE * 20, simulator.wait_until(Report::idle))
        .await
        .expect("the killed process's connection ends");
    let attempts: Vec<_> = seen
        .of(FIRST)
        .map(|attempt| (attempt.outcome, attempt.billed))
        .collect();
    let [(Outcome::ClosedByClient, begun), (Outcome::Answered, whole)] = attempts[..] else {
        panic!("the one that was killed, and the one that took over: {attempts:?}");
    };
    // The upstream charges the killed one for the words it had sent; a process that is killed writes no entry for them.
    assert!(begun.pico() < whole.pico(), "{attempts:?}");
    let paid = ledger.recent(200).into_iter().filter(|entry| entry.attempt > 0);
    let paid: Vec<i128> = paid.map(|entry| entry.cost().pico()).collect();
    assert_eq!(paid, [i128::from(whole.pico())], "one bill");
    assert_eq!(cost_of_all(&ledger), i128::from(whole.pico()));
    assert_eq!(ledger.recent(200).len(), HALF + 1, "and the others for nothing");
}

/// What all entries cost together, replays included.
fn cost_of_all(ledger: &MemoryLedger) -> i128 {
    ledger.recent(200).iter().map(|entry| entry.cost().pico()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_calls_of_two_processes_are_one_attempt_and_one_bill() {
    let Some(redis) = Redis::start() else { return };
    let simulator = Simulator::start().await.unwrap();
    let good = GOOD.replace(',', "%2C");
    // Long enough for all to come while the first is in flight.
    simulator.plan(FIRST, &format!("{good};slow-headers=300ms")).unwrap();
    let ledger = MemoryLedger::new();
    let mut stacks = Vec::new();
    for _ in 0..2 {
        let builder = builder(&redis.url(), &simulator.base_url()).await;
        stacks.push(builder.ledger(Arc::new(ledger.clone())).build().unwrap());
    }
    let answers = join_all((0..HALF).map(|at| plain(&stacks[at % 2]))).await;
    let pays = answers
        .iter()
        .filter(|answer| answer.parts.extensions.get::<Replayed>().is_none());
    assert_eq!(pays.count(), 1);
    assert!(answers.iter().all(|answer| answer.response.text() == Some(TEXT)));
    // Later, too, and in the process that made no call.
    for stack in &stacks {
        assert!(plain(stack).await.parts.extensions.get::<Replayed>().is_some());
    }
    assert_eq!(simulator.report().of(FIRST).count(), 1, "one attempt");
    assert!(bill(&simulator) > 0);
    assert_eq!(cost_of_all(&ledger), bill(&simulator), "one bill");
    let paid = ledger.recent(200).into_iter().filter(|entry| entry.attempt > 0);
    assert_eq!(paid.count(), 1);
}
