//! The bounds of a recording: a writer that hangs or fails, a file that is full, one that another run has left.

use std::{
    fs,
    io::{self, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use tower_openrouter::recording::{MIN_MAX_BYTES, Recorder, Recording};

use super::{Place, ask, builder, recorded, written};
use crate::support::{FIRST, World, call};

/// Hangs until the other side is dropped.
struct Hanging(Receiver<()>);

impl Write for Hanging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.recv().unwrap_or_default();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk that is full for a time.
#[derive(Clone, Default)]
struct Disk {
    is_full: Arc<AtomicBool>,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_hangs_delays_no_call() {
    let world = World::new("ok").await;
    let (release, held) = channel();
    let recorder = Recorder::to_writer(Hanging(held)).unwrap();
    let stack = recorded(builder(&world).chain([FIRST]), &recorder);
    let plain = builder(&world).chain([FIRST]).build().unwrap();
    for is_streamed in [true, false] {
        let with = call(&stack, is_streamed, ask()).await;
        let without = call(&plain, is_streamed, ask()).await;
        assert!(
            with.error.is_none() && with.took <= without.took + Duration::from_millis(50),
            "{with:?}"
        );
    }
    assert!(!recorder.close(Duration::from_millis(100)).await, "it is not written");
    drop(release);
    assert!(recorder.close(Duration::from_secs(20)).await);
    assert_eq!((recorder.written(), recorder.lost()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_full_loses_calls_and_says_so() {
    let world = World::new("ok").await;
    let (release, held) = channel::<()>();
    let recorder = Recorder::to_writer(Hanging(held)).unwrap();
    let stack = recorded(builder(&world).chain([FIRST]), &recorder);
    let calls = 4_200;
    for _ in 0..calls {
        // Dropped before it is sent: it counts as a call all the same.
        let future = tower::ServiceExt::oneshot(stack.clone(), tower_openrouter::ApiRequest::from(ask()).into_http());
        drop(tokio::time::timeout(Duration::ZERO, future).await);
    }
    let lost = recorder.lost();
    assert!(lost > 50, "{recorder:?}");
    drop(release);
    assert!(recorder.close(Duration::from_secs(20)).await);
    assert_eq!((recorder.written() + lost, recorder.lost()), (calls, lost));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_fails_no_call_and_the_file_says_how_many_are_missing() {
    let (world, disk) = (World::new("ok").await, Disk::default());
    let recorder = Recorder::to_writer(disk.clone()).unwrap();
    let stack = recorded(builder(&world).chain([FIRST]), &recorder);
    for is_full in [false, true, true, false] {
        disk.is_full.store(is_full, Ordering::SeqCst);
        assert!(call(&stack, true, ask()).await.error.is_none());
        assert!(recorder.close(Duration::from_secs(20)).await);
    }
    assert_eq!((recorder.written(), recorder.lost()), (2, 2));
    let recording = Recording::read(&disk.bytes.lock().unwrap()[..]).unwrap();
    assert_eq!(
        (recording.calls.len(), recording.lost, recording.unreadable_lines),
        (2, 2, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn the_file_is_bounded_and_keeps_the_latest() {
    let (world, place) = (World::new("ok").await, Place::new());
    let recorder = Recorder::builder(place.path()).max_bytes(1).open().unwrap();
    let stack = recorded(builder(&world).chain([FIRST]), &recorder);
    for _ in 0..150 {
        call(&stack, true, ask()).await;
    }
    let recording = written(&recorder, &place).await;
    let (now, before) = (
        fs::metadata(place.path()).unwrap().len(),
        fs::metadata(place.before()).unwrap().len(),
    );
    assert!(
        now + before <= MIN_MAX_BYTES && before > MIN_MAX_BYTES / 3,
        "{now} {before}"
    );
    let older = Recording::from_file(place.before()).unwrap();
    assert!(older.calls.last().unwrap().at_ms <= recording.calls[0].at_ms);
    assert_eq!(
        (recording.unreadable_lines, recorder.lost(), recorder.written()),
        (0, 0, 150)
    );
    assert!(
        recording.calls.len() + older.calls.len() < 150,
        "more were written than are kept"
    );
}

#[tokio::test(start_paused = true)]
async fn a_recording_is_continued_also_behind_a_line_that_was_cut() {
    let (world, place) = (World::new("ok").await, Place::new());
    for run in 0..3_usize {
        let recorder = Recorder::builder(place.path()).open().unwrap();
        let stack = recorded(builder(&world).chain([FIRST]), &recorder);
        call(&stack, false, ask()).await;
        let recording = written(&recorder, &place).await;
        assert_eq!(recording.calls.len(), run + 1);
        assert_eq!(
            recording.unreadable_lines, run as u64,
            "each cut line is named, and nothing else"
        );
        let mut file = fs::OpenOptions::new().append(true).open(place.path()).unwrap();
        file.write_all(b"{\"call\":{\"at_ms\":17,\"api\":\"ch").unwrap();
        assert!(Recording::from_file(place.path()).unwrap().is_truncated);
    }
}

#[test]
fn a_file_that_is_no_recording_is_left_alone() {
    let place = Place::new();
    fs::write(place.path(), "listen = \"127.0.0.1:1\"\n").unwrap();
    let error = Recorder::builder(place.path()).open().unwrap_err();
    assert!(error.to_string().contains("not a recording"), "{error}");
    assert_eq!(place.text(), "listen = \"127.0.0.1:1\"\n");
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    drop(Recorder::builder(place.path()).open().unwrap());
    assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o077, 0);
}
