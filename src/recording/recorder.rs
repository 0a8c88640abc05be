//! The handle of a recording: what a stack is given, and what waits for the end.

use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use tokio::time::Instant;
use tower_llm_layers::UtcTime;

use super::{
    attempt::{AttemptWatch, CallSlot},
    call::RecordLayer,
    queue::Queue,
    record::{Header, RecordedCall, RecordingLine, VERSION},
    sink::{FileSink, Sink},
    writer,
};
use crate::{
    stack::StackBuilder,
    transport::{Exchange, ExchangeObserver, ExchangeWatch},
};

/// How many bytes a recording takes at most, by default.
pub const DEFAULT_MAX_BYTES: u64 = 256 << 20;

/// The smallest bound of a recording, in bytes.
pub const MIN_MAX_BYTES: u64 = 64 << 10;

/// Records the calls of the stacks that it is [attached](Self::attach) to. Cheap to clone; clones write one recording.
///
/// # Bounds
///
/// A call is handed to a thread of its own through a bounded queue. A writer that is slow or fails delays no call: what it cannot take is
/// [counted](Self::lost), logged, and written as a line of the file once that is possible. Of one answer 512 pieces are kept: of a longer
/// one neighbours are put together, so that their time and size stay.
///
/// # Cancellation
///
/// A call that is dropped is recorded as one whose caller left, with the attempts that it had made.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    began: Instant,
    queue: Queue,
}

/// Sets up a [`Recorder`].
#[derive(Debug, Clone)]
pub struct RecorderBuilder {
    path: PathBuf,
    max_bytes: u64,
}

impl RecorderBuilder {
    /// How many bytes the recording takes at most, [`DEFAULT_MAX_BYTES`] by default and [`MIN_MAX_BYTES`] at least. When half of them are
    /// written, the file becomes `FILE.1`, in the place of one before, and a new one begins: the latest calls are kept.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes.max(MIN_MAX_BYTES);
        self
    }

    /// Opens the file, and begins to record. Waits for the disk. A recording that is there is continued.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or is not a recording; if no thread can be started.
    pub fn open(self) -> io::Result<Recorder> {
        let sink = FileSink::open(&self.path, header(), self.max_bytes)?;
        Recorder::begin(Sink::File(Box::new(sink)), None)
    }
}

impl Recorder {
    /// Records to this file.
    pub fn builder(path: impl AsRef<Path>) -> RecorderBuilder {
        RecorderBuilder {
            path: path.as_ref().to_owned(),
            max_bytes: DEFAULT_MAX_BYTES,
        }
    }

    /// Records to a writer of your own, which gets whole lines. It may block: it has a thread of its own.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub fn to_writer(writer: impl Write + Send + 'static) -> io::Result<Self> {
        Self::begin(Sink::Writer(Box::new(writer)), Some(RecordingLine::Recording(header())))
    }

    fn begin(sink: Sink, header: Option<RecordingLine>) -> io::Result<Self> {
        let (queue, messages) = Queue::new();
        let counts = Arc::clone(&queue.counts);
        let named = thread::Builder::new().name("recording".to_owned());
        named.spawn(move || writer::run(&messages, sink, header, &counts))?;
        Ok(Self(Arc::new(Inner {
            began: Instant::now(),
            queue,
        })))
    }

    /// Adds to a stack what records its calls: those that are sent upstream, below the cache and the tenants' limits. Calls that are refused
    /// or answered above are not in the recording.
    #[must_use]
    pub fn attach(&self, builder: StackBuilder) -> StackBuilder {
        let observer: Arc<dyn ExchangeObserver> = Arc::<Inner>::clone(&self.0);
        builder
            .around_call(RecordLayer(self.clone()))
            .connections(|transport| transport.observer(observer))
    }

    /// Calls that are missing in the recording, since the writer was behind or has failed.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.queue.counts.lost.load(Ordering::Relaxed)
    }

    /// Calls that were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.0.queue.counts.written.load(Ordering::Relaxed)
    }

    /// Waits until the calls that have ended are written, for so long at most. Returns whether they are.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost: they are written all the same.
    pub async fn close(&self, limit: Duration) -> bool {
        self.0.queue.written(limit).await
    }

    pub(super) fn began(&self) -> Instant {
        self.0.began
    }

    pub(super) fn write(&self, call: Box<RecordedCall>) {
        self.0.queue.put(call);
    }
}

impl ExchangeObserver for Inner {
    fn begin(&self, exchange: &Exchange<'_>) -> Option<Box<dyn ExchangeWatch>> {
        let slot = exchange.extensions.get::<CallSlot>()?.clone();
        Some(Box::new(AttemptWatch::new(slot, exchange, self.began)))
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("written", &self.written())
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}

fn header() -> Header {
    Header {
        version: VERSION,
        began_ms: UtcTime::now().millis(),
    }
}
