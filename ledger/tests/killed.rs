//! A process that is killed loses no more than its last batch, and the next start says how much. One that ends loses nothing.
#![cfg(feature = "sqlite")]

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use crate::support::{Folder, entry};
use tokio::runtime::Builder;
use tower_llm_layers::ledger::Ledger;
use tower_llm_ledger::{Filter, LedgerError, LedgerOptions};

/// Names the file to the process that is going to be killed.
const FILE: &str = "LEDGER_TEST_FILE";

/// Not a test by itself: what the killed process does. Records 300 entries, a hundred of them written for sure, then waits for its end.
#[tokio::test]
async fn victim() {
    let Some(file) = env::var_os(FILE).map(PathBuf::from) else {
        return;
    };
    let ledger = LedgerOptions::sqlite(file)
        .batch(100)
        .flush_every(Duration::from_secs(3600))
        .open()
        .await
        .unwrap();
    for _ in 0..100 {
        ledger.record(&entry("a/b", 1));
    }
    while ledger.written() < 100 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..99 {
        ledger.record(&entry("a/b", 1));
    }
    println!("\nready");
    std::future::pending::<()>().await;
}

/// Not a test by itself: a `main` that ends without `close()`, in either kind of runtime.
#[test]
fn forgetful() {
    let Some(file) = env::var_os(FILE).map(PathBuf::from) else {
        return;
    };
    for (number, builder) in [Builder::new_current_thread(), Builder::new_multi_thread()]
        .iter_mut()
        .enumerate()
    {
        let runtime = builder.enable_all().build().unwrap();
        runtime.block_on(async {
            let options = LedgerOptions::sqlite(file.join(format!("{number}.sqlite")));
            let ledger = options.open().await.unwrap();
            for _ in 0..20 {
                ledger.record(&entry("a/b", 1));
            }
        });
    }
}

#[tokio::test]
async fn a_process_that_ends_without_a_close_has_written_everything() {
    let folder = Folder::new();
    let ended = Command::new(env::current_exe().unwrap())
        .args(["killed::forgetful", "--exact"])
        .env(FILE, folder.path())
        .output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    for number in 0..2 {
        let options = LedgerOptions::sqlite(folder.path().join(format!("{number}.sqlite")));
        let ledger = options.open().await.unwrap();
        assert_eq!(ledger.total(&Filter::new()).await.unwrap().attempts, 20);
        assert_eq!(ledger.lost_before().runs, 0, "a clean stop");
    }
}

/// Not a test by itself: records for as long as it lives, and says how much.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_victim() {
    let Some(file) = env::var_os(FILE).map(PathBuf::from) else {
        return;
    };
    let ledger = LedgerOptions::sqlite(file).batch(100).open().await.unwrap();
    for number in 1_u64.. {
        ledger.record(&entry("a/b", 1));
        if number % 50 == 0 {
            println!("\nrecorded {number}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn a_kill_under_load_loses_nothing_that_is_not_counted() {
    for kill_at in [50, 1_000, 3_000] {
        let folder = Folder::new();
        let mut victim = Command::new(env::current_exe().unwrap())
            .args(["killed::busy_victim", "--exact", "--nocapture"])
            .env(FILE, folder.file())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut recorded = 0;
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line
                .strip_prefix("recorded ")
                .and_then(|number| number.parse::<u64>().ok())
            {
                recorded = number;
                if number == kill_at {
                    victim.kill().unwrap();
                }
            }
        }
        victim.wait().unwrap();
        let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
        let written = ledger.total(&Filter::new()).await.unwrap().attempts;
        let before = ledger.lost_before();
        assert_eq!(before.runs, 1);
        let known = written + before.items;
        assert!(
            (recorded..=recorded + 50).contains(&known),
            "{written} and {before:?} of {recorded}"
        );
        ledger.close().await;
    }
}

#[tokio::test]
async fn a_kill_loses_the_last_batch_and_it_is_counted() {
    let folder = Folder::new();
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["killed::victim", "--exact", "--nocapture"])
        .env(FILE, folder.file())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ready"));
    let second = LedgerOptions::sqlite(folder.file()).open().await.unwrap_err();
    assert!(matches!(second, LedgerError::InUse { .. }), "{second:?}");
    victim.kill().unwrap();
    victim.wait().unwrap();

    let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
    assert_eq!(ledger.total(&Filter::new()).await.unwrap().attempts, 100);
    let before = ledger.lost_before();
    assert_eq!((before.runs, before.items), (1, 99));
    ledger.close().await;
    let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
    assert_eq!(ledger.lost_before().runs, 0, "said once");
    ledger.close().await;
}
