//! What the crates below log, alone in its process: a subscriber is seen by all threads' callsites.
#![expect(clippy::unwrap_used, reason = "a test that fails here should say so")]

mod support;

use std::{
    io::Write,
    sync::{Arc, Mutex, atomic::Ordering},
};

use support::{
    ask, call,
    raw::{Raw, chunk, done, echoes, events},
};

/// Where everything that is logged goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// With every crate below logging all it can.
#[tokio::test(start_paused = true)]
async fn no_crate_below_logs_the_key() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("trace")
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let mut scripts = echoes();
    scripts.push(vec![events(), chunk("Sky", "\"stop\""), done()]);
    let count = scripts.len();
    let (raw, turn) = Raw::in_turn(scripts).await;
    let stack = raw.alone();
    for number in 0..count {
        turn.store(number, Ordering::Relaxed);
        let got = call(&stack, true, ask()).await;
        assert_eq!(got.error.is_none(), number + 1 == count);
    }
    drop(guard);
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("attempt failed") && logged.contains("hyper"),
        "{logged}"
    );
    let leak = logged
        .lines()
        .find(|line| line.contains("s3cr3") || line.contains("Why is the sky"));
    assert_eq!(leak, None);
}
