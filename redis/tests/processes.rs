//! Four processes on one budget, in a real Redis started for the test.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use crate::support::{ask, budgets, line, usd};
use test_servers::Redis;
use tokio::time::{sleep, timeout};
use tower_llm_redis::Store;

const URL: &str = "REDIS_TEST_URL";
/// Short, so that the test need not wait long for the dead process's holds.
const LEASE: Duration = Duration::from_millis(1_500);

async fn connect(url: &str) -> Store {
    // The machine may be busy: what is measured here is no time.
    Store::builder(url)
        .lease(LEASE)
        .decision_timeout(Duration::from_secs(30))
        .connect()
        .await
        .unwrap()
}

/// Not a test by itself: one of the four processes. Makes 250 calls at once, says how many passed, and holds on to them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_four() {
    let Ok(url) = env::var(URL) else { return };
    let store = connect(&url).await;
    let shared = Arc::new(budgets(&store, "5.00"));
    let calls: Vec<_> = (0..250)
        .map(|_| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { ask(&shared.1, &shared.0, "0.10").await })
        })
        .collect();
    let mut held = Vec::new();
    for call in calls {
        held.extend(call.await.unwrap().ok());
    }
    println!("\nheld {}", held.len());
    std::future::pending::<()>().await;
    drop(held);
}

/// One of the four: killed with its handle, however the test ends.
struct Process(Child);

impl Process {
    fn kill(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(url: &str) -> (Process, usize) {
    let child = Command::new(env::current_exe().unwrap())
        .args(["processes::one_of_four", "--exact", "--nocapture"])
        .env(URL, url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Process(child);
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut said = lines
        .map(Result::unwrap)
        .filter_map(|line| line.strip_prefix("held ")?.parse().ok());
    (child, said.next().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_of_ten_cents_against_five_dollars_in_four_processes() {
    let Some(server) = Redis::start() else { return };
    let url = server.url();
    let starting: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || start(&url))
        })
        .collect();
    let mut processes: Vec<_> = starting.into_iter().map(|thread| thread.join().unwrap()).collect();
    let passed: usize = processes.iter().map(|(_, held)| held).sum();
    assert_eq!(passed, 50, "exactly what the budget carries");

    let store = connect(&url).await;
    let (budgets, shared) = budgets(&store, "5.00");
    assert!(ask(&shared, &budgets, "0.10").await.is_err(), "it is all held");
    // The others renew their leases; the one that is killed does not.
    sleep(LEASE * 2).await;
    assert!(ask(&shared, &budgets, "0.10").await.is_err());
    processes.sort_by_key(|(_, held)| *held);
    let (mut victim, freed) = processes.pop().unwrap();
    assert!(freed > 0);
    victim.kill();
    let mut held = Vec::new();
    let free = async {
        while held.len() < freed {
            match ask(&shared, &budgets, "0.10").await {
                Ok(reservation) => held.push(reservation),
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    };
    timeout(LEASE * 3, free)
        .await
        .expect("its holds are free within the lease");
    assert!(
        ask(&shared, &budgets, "0.10").await.is_err(),
        "and no more than its holds"
    );
    drop(processes);
    let line = line(&budgets);
    let state = shared.account(&line).await.unwrap().unwrap();
    assert_eq!((state.settled, state.free()), (usd("0"), usd("0")));
}
