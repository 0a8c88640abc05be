//! The thread that writes.

use std::sync::{Arc, atomic::Ordering, mpsc::Receiver};

use super::{
    queue::{Counts, Message},
    record::{Lost, RecordingLine},
    sink::Sink,
};

/// Writes the header, if the sink has none yet, and what comes until all recorders are dropped.
pub(super) fn run(
    messages: &Receiver<Message>,
    mut sink: Sink,
    mut header: Option<RecordingLine>,
    counts: &Arc<Counts>,
) {
    let mut told = 0;
    while let Ok(message) = messages.recv() {
        match message {
            Message::Call(call) => {
                counts.left(&call);
                if let Some(line) = &header
                    && sink.write(line).is_ok()
                {
                    header = None;
                }
                record_lost(&mut sink, counts, &mut told);
                match sink.write(&RecordingLine::Call(call)) {
                    Ok(()) => counts.wrote(),
                    Err(error) => counts.lose(&error),
                }
            }
            Message::Written(done) => {
                record_lost(&mut sink, counts, &mut told);
                // The one that waited may have stopped.
                done.send(()).unwrap_or_default();
            }
        }
    }
    record_lost(&mut sink, counts, &mut told);
}

/// Writes how many calls are missing, unless that was written.
fn record_lost(sink: &mut Sink, counts: &Counts, told: &mut u64) {
    let lost = counts.lost.load(Ordering::Relaxed);
    let calls = lost.saturating_sub(*told);
    if calls > 0 && sink.write(&RecordingLine::Lost(Lost { calls })).is_ok() {
        *told = lost;
    }
}
