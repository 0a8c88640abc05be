//! What happens to a file beneath an open ledger: locked, deleted, moved, opened twice, dropped too early.
#![cfg(feature = "sqlite")]

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    process::Command,
    time::Duration,
};

use tower_llm_layers::{
    UtcTime,
    budget::{Budget, Budgets, InMemoryBudgetStore, Window},
    ledger::{Entry, Ledger},
};
use tower_llm_ledger::{DatabaseLedger, Filter, LedgerError, LedgerOptions};

use crate::support::{
    Folder, entry,
    log::Log,
    sqlite::{connect, sql},
    until,
};

async fn open(folder: &Folder) -> DatabaseLedger {
    LedgerOptions::sqlite(folder.file())
        .flush_every(Duration::ZERO)
        .open()
        .await
        .unwrap()
}

async fn attempts(ledger: &DatabaseLedger) -> u64 {
    ledger.total(&Filter::new()).await.unwrap().attempts
}

async fn write(ledger: &DatabaseLedger, count: u64) {
    let before = ledger.written();
    for _ in 0..count {
        ledger.record(&entry("a/b", 1));
    }
    until(|| ledger.written() == before + count).await;
}

#[tokio::test]
async fn a_lock_of_another_program_is_waited_out_and_logged_at_each_doubling() {
    let folder = Folder::new();
    let (log, _listening) = Log::listen();
    let ledger = open(&folder).await;
    let mut other = connect(&folder.file()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    for _ in 0..50 {
        ledger.record(&entry("a/b", 1));
    }
    until(|| log.count("the ledger is not written: trying again") >= 2).await;
    assert_eq!((ledger.waiting(), ledger.written(), ledger.lost()), (50, 0, 0));
    assert_eq!(attempts(&ledger).await, 0, "questions are answered meanwhile");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    until(|| ledger.written() == 50).await;
    until(|| log.count("the ledger is written again") == 1).await;
    let said = log.text();
    assert!(
        said.contains("failures=1 ") && said.contains("failures=2 ") && !said.contains("failures=3 seconds"),
        "{said}"
    );
    assert_eq!(ledger.close().await.lost, 0);
}

#[tokio::test]
async fn a_lock_that_is_never_given_back_ends_a_close_in_its_time() {
    let folder = Folder::new();
    let (log, _listening) = Log::listen();
    let ledger = LedgerOptions::sqlite(folder.file())
        .close_timeout(Duration::from_millis(300))
        .open()
        .await
        .unwrap();
    let mut other = connect(&folder.file()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    for _ in 0..20 {
        ledger.record(&entry("a/b", 1));
    }
    let closed = ledger.close().await;
    assert_eq!((closed.written, closed.lost, ledger.waiting()), (0, 20, 0));
    assert!(log.text().contains("entries are lost"), "{}", log.text());
    assert!(log.text().contains("lost=20"), "{}", log.text());
}

#[tokio::test]
async fn a_file_that_is_deleted_is_noticed_and_created_again() {
    let folder = Folder::new();
    let (log, _listening) = Log::listen();
    let ledger = open(&folder).await;
    write(&ledger, 40).await;
    assert_eq!(attempts(&ledger).await, 40);
    fs::remove_file(folder.file()).unwrap();
    write(&ledger, 3).await;
    assert_eq!(attempts(&ledger).await, 3, "the question is about the new file");
    assert_eq!(
        log.count("the ledger's file was deleted or moved away"),
        1,
        "{}",
        log.text()
    );
    assert!(log.text().contains("written=40"), "{}", log.text());
    assert_eq!(ledger.close().await.lost, 0);
    let again = open(&folder).await;
    assert_eq!((attempts(&again).await, again.lost_before().runs), (3, 0));
}

#[tokio::test]
async fn a_file_that_is_moved_away_is_whole_and_a_new_one_begun() {
    let folder = Folder::new();
    let ledger = open(&folder).await;
    let mut moved = Vec::new();
    for number in 1..=3_u64 {
        write(&ledger, 10 * number).await;
        let away = folder.path().join(format!("old-{number}.sqlite"));
        fs::rename(folder.file(), &away).unwrap();
        moved.push(away);
    }
    write(&ledger, 5).await;
    assert_eq!(attempts(&ledger).await, 5);
    ledger.close().await;
    for (number, away) in (1..).zip(moved) {
        let old = LedgerOptions::sqlite(away).open().await.unwrap();
        assert_eq!(attempts(&old).await, 10 * number, "with what stood in its log");
    }
}

#[tokio::test]
async fn a_folder_that_is_away_for_a_while_keeps_entries_waiting() {
    let folder = Folder::new();
    let place = folder.path().join("place");
    fs::create_dir(&place).unwrap();
    let ledger = LedgerOptions::sqlite(place.join("spend.sqlite"))
        .flush_every(Duration::ZERO)
        .open()
        .await
        .unwrap();
    write(&ledger, 2).await;
    let (log, _listening) = Log::listen();
    fs::remove_dir_all(&place).unwrap();
    ledger.record(&entry("a/b", 1));
    assert!(ledger.total(&Filter::new()).await.is_err(), "{}", log.text());
    assert_eq!((ledger.written(), ledger.lost()), (2, 0));
    fs::create_dir(&place).unwrap();
    until(|| ledger.written() == 3).await;
    assert_eq!(attempts(&ledger).await, 1);
    assert_eq!(ledger.close().await.lost, 0);
}

#[tokio::test]
async fn a_second_one_on_the_same_file_is_refused_until_the_first_is_closed() {
    let folder = Folder::new();
    let first = open(&folder).await;
    let error = LedgerOptions::sqlite(folder.file()).open().await.unwrap_err();
    assert!(matches!(error, LedgerError::InUse { .. }), "{error:?}");
    assert!(
        error.to_string().contains("spend.sqlite is in use by another process"),
        "{error}"
    );
    write(&first, 1).await;
    first.close().await;
    let second = open(&folder).await;
    assert_eq!((attempts(&second).await, second.lost_before().runs), (1, 0));
    assert_eq!(attempts(&first).await, 1, "questions are still answered");
}

#[tokio::test]
async fn a_ledger_that_is_dropped_is_written_first() {
    let folder = Folder::new();
    let ledger = LedgerOptions::sqlite(folder.file())
        .flush_every(Duration::from_secs(3600))
        .open()
        .await
        .unwrap();
    for _ in 0..20 {
        ledger.record(&entry("a/b", 1));
    }
    let clone = ledger.clone();
    drop(ledger);
    assert_eq!(clone.written(), 0, "another handle has it still");
    drop(clone);
    let ledger = open(&folder).await;
    assert_eq!((attempts(&ledger).await, ledger.lost_before().runs), (20, 0));
}

#[tokio::test]
async fn a_ledger_that_is_dropped_and_cannot_be_written_says_what_is_lost() {
    let folder = Folder::new();
    let (log, _listening) = Log::listen();
    let ledger = open(&folder).await;
    let mut other = connect(&folder.file()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    for _ in 0..20 {
        ledger.record(&entry("a/b", 1));
    }
    drop(ledger);
    let said = log.text();
    assert!(
        said.contains("the ledger was dropped without `close()`") && said.contains("lost=20"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_of_the_callers_ends_nothing_early() {
    let folder = Folder::new();
    let ledger = LedgerOptions::sqlite(folder.file()).open().await.unwrap();
    for _ in 0..2_000 {
        ledger.record(&entry("a/b", 1));
    }
    assert_eq!(ledger.close().await.written, 2_000);
    assert_eq!(attempts(&ledger).await, 2_000);
}

#[tokio::test]
async fn budgets_remember_what_was_spent_in_their_windows() {
    let folder = Folder::new();
    let ledger = open(&folder).await;
    let now = UtcTime::now();
    let spent = |at: UtcTime, pico: i128| Entry {
        ended: at,
        ..entry("a/b", pico)
    };
    let long_ago = Window::Month.start(now).before(Duration::from_secs(1));
    for entry in [
        spent(now, 30),
        spent(Window::Month.start(now), 500),
        spent(long_ago, 7_000),
    ] {
        ledger.record(&entry);
    }
    ledger.close().await;
    let ledger = open(&folder).await;
    let rolling = Window::Rolling(Duration::from_secs(60 * 24 * 60 * 60));
    for (window, settled) in [(Window::Month, 530), (Window::Ever, 7_530), (rolling, 7_530)] {
        let book = InMemoryBudgetStore::new();
        let budget = Budget::usd("all", "1").unwrap().per(window);
        let budgets = Budgets::in_store([budget], std::sync::Arc::new(book.clone())).unwrap();
        let restored = ledger.restore(&budgets).await.unwrap();
        assert_eq!(restored.recorded, if settled == 530 { 2 } else { 3 });
        assert_eq!(book.accounts()[0].settled.pico(), settled, "{window}");
    }
    sql(&folder.file(), "DELETE FROM entries").await;
    let none = Budgets::new([Budget::usd("all", "1").unwrap()]).unwrap();
    assert_eq!(ledger.restore(&none).await.unwrap().recorded, 0);
}

/// A file system of its own, in memory, that is unmounted with this.
struct SmallDisk(Folder);

impl SmallDisk {
    /// One of 16 MiB; `None` without the right to mount one.
    fn mount() -> Option<Self> {
        let folder = Folder::new();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs"]);
        let mounted = mount.arg(folder.path()).output();
        let is_mounted = mounted.is_ok_and(|output| output.status.success());
        is_mounted.then(|| Self(folder))
    }

    /// Takes all that is left, to the last page, until the file is removed.
    fn fill(&self) -> PathBuf {
        let path = self.0.path().join("filler");
        let mut filler = File::create(&path).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).output());
    }
}

/// It is the disk's trouble, and not the rows': no call waits, none is given up, and all are written once there is room. A process that ends
/// meanwhile says in its time what it has not written.
#[tokio::test]
async fn a_full_disk_holds_nothing_up_and_loses_nothing_but_what_a_close_says() {
    let Some(disk) = SmallDisk::mount() else { return };
    let (log, _listening) = Log::listen();
    let ledger = open(&disk.0).await;
    write(&ledger, 10).await;
    let filler = disk.fill();
    let begun = tokio::time::Instant::now();
    for _ in 0..2_000 {
        ledger.record(&entry("a/b", 1));
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "no call waits for it");
    until(|| log.count("the ledger is not written: trying again") >= 2).await;
    assert!(log.text().contains("full"), "{}", log.text());
    assert!(ledger.written() < 2_010, "{} written", ledger.written());
    assert_eq!((ledger.lost(), ledger.rejected()), (0, 0));
    fs::remove_file(filler).unwrap();
    until(|| ledger.written() == 2_010).await;
    until(|| log.count("the ledger is written again") >= 1).await;
    let closed = ledger.close().await;
    assert_eq!((closed.written, closed.lost), (2_010, 0));
    // The same, and no room is made.
    let ledger = LedgerOptions::sqlite(disk.0.file())
        .close_timeout(Duration::from_millis(300))
        .open()
        .await
        .unwrap();
    let filler = disk.fill();
    for _ in 0..20_000 {
        ledger.record(&entry("a/b", 1));
    }
    let begun = tokio::time::Instant::now();
    let closed = ledger.close().await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(closed.lost > 0, "{closed:?}");
    assert_eq!((closed.written + closed.lost, ledger.waiting()), (20_000, 0));
    let said = log.text();
    assert!(
        said.contains("entries are lost") && said.contains(&format!("lost={}", closed.lost)),
        "{said}"
    );
    fs::remove_file(filler).unwrap();
    let again = open(&disk.0).await;
    assert_eq!(attempts(&again).await, 2_010 + closed.written, "none twice");
    again.close().await;
}
