//! What all servers share: finding the program, a port, a folder, and the end.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "for tests alone, and a server lives in real time"
)]

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program of this name on `PATH`, or in one of these folders.
pub(crate) fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let all = env::split_paths(&path).chain(folders.iter().cloned());
    all.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Says that a program is missing; under CI that fails.
pub(crate) fn missing(what: &str, package: &str) {
    assert!(
        env::var_os("CI").is_none(),
        "{what} is missing, and CI skips nothing: install {package}"
    );
    eprintln!("\n!!! NOT TESTED: {what} is missing. Run scripts/test, or install {package}.\n");
}

/// Says that a test was skipped for want of a right that only some machines give.
pub(crate) fn no_right(what: &str) {
    eprintln!("\n!!! NOT TESTED: {what}.\n");
}

/// A port that no process listens on now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A new folder for a server's files.
pub(crate) fn folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("{name}-{}-{number}", std::process::id()));
    // What an earlier process of the same number left behind.
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Waits until a server says in its log that it is ready.
pub(crate) fn wait_for(log: &Path, word: &str, child: &mut Child) {
    let begun = Instant::now();
    loop {
        let said = fs::read_to_string(log).unwrap_or_default();
        if said.contains(word) {
            return;
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("the server ended with {status}:\n{said}");
        }
        assert!(begun.elapsed() < PATIENCE, "the server does not come up:\n{said}");
        sleep(Duration::from_millis(20));
    }
}

/// Sends a signal to a process and to those that it has started.
pub(crate) fn signal(child: &Child, signal: &str) {
    let parent = child.id().to_string();
    let told = Command::new("kill").args([signal, &parent]).status().unwrap();
    assert!(told.success(), "kill {signal} {parent}");
    let mut children = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        // The name in brackets may hold anything; the state and the parent follow it.
        let of = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1));
        if of == Some(&parent) {
            children.push(process.file_name().to_string_lossy().into_owned());
        }
    }
    // One of them may have ended by itself meanwhile: that is printed, and does no harm.
    if !children.is_empty() {
        let told = Command::new("kill")
            .arg(signal)
            .args(&children)
            .stderr(Stdio::null())
            .status();
        told.unwrap();
    }
}

/// Asks a server to end by this signal, and waits for it.
pub(crate) fn end(child: &mut Child, signal: &str) {
    let told = Command::new("kill").arg(signal).arg(child.id().to_string()).status();
    let begun = Instant::now();
    if told.is_ok_and(|status| status.success()) {
        while begun.elapsed() < PATIENCE {
            if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
    drop(child.kill());
    drop(child.wait());
}
