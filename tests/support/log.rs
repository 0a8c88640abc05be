//! Everything that is logged while a test listens.

use std::{
    io::Write,
    sync::{Arc, Mutex, Once},
};

use tracing::subscriber::{DefaultGuard, set_default};
use tracing_log::LogTracer;

/// Where everything that is logged goes.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Listens to what passes this filter, until the guard goes: also to what crates say through `log`.
    pub(crate) fn listen(filter: &str) -> (Self, DefaultGuard) {
        static BRIDGE: Once = Once::new();
        // Of the process; a test that needs it asserts that something came through.
        BRIDGE.call_once(|| drop(LogTracer::init()));
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}
