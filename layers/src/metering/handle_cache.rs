//! Handles of the process's recorder, kept by each thread: to look one up copies all its labels, and threads that copy the same ones wait for each
//! other's memory.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::BuildHasher,
    ptr,
    sync::atomic::{AtomicUsize, Ordering},
};

use foldhash::fast::RandomState;
use metrics::{Counter, Gauge, Histogram, Label, Recorder};

/// Handles that one thread keeps of each kind. Further ones are looked up.
const MOST_HANDLES: usize = 4096;

/// The address of the recorder whose handles are kept.
static RECORDER: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static KEPT: RefCell<HandleCache> = RefCell::default();
}

/// Keeps the handles of the recorder that is installed, so that they are not looked up for each call. Call it once, after a recorder was installed for
/// the whole process that keeps each series for as long: without an idle timeout.
///
/// Else they are looked up each time: a recorder may be installed later, for one thread alone, or forget a series. One for a thread alone hears its
/// thread in any case.
pub fn keep_handles() {
    RECORDER.store(metrics::with_recorder(address), Ordering::Relaxed);
}

fn address(recorder: &dyn Recorder) -> usize {
    ptr::from_ref(recorder).addr()
}

/// What one thread keeps.
#[derive(Default)]
pub(super) struct HandleCache {
    pub(super) counters: Handles<Counter>,
    pub(super) gauges: Handles<Gauge>,
    pub(super) histograms: Handles<Histogram>,
    hasher: RandomState,
}

/// By the hash of name and labels.
type Handles<H> = HashMap<u64, Vec<Series<H>>, RandomState>;

pub(super) struct Series<H> {
    name: &'static str,
    labels: Box<[Label]>,
    handle: H,
}

/// Calls `then` with the handle of a series: the one that this thread keeps, or else the one that `look_up` finds.
pub(super) fn with_handle<H, T>(
    of: impl Fn(&mut HandleCache) -> &mut Handles<H>,
    (name, labels): (&'static str, &[Label]),
    look_up: impl Fn(&dyn Recorder) -> H,
    then: impl Fn(&H) -> T,
) -> T {
    metrics::with_recorder(|recorder| {
        let with_kept = |kept: &RefCell<HandleCache>| {
            let mut kept = kept.try_borrow_mut().ok()?;
            let hash = kept.hasher.hash_one((name, labels));
            let handles = of(&mut kept);
            let mut alike = handles.get(&hash).into_iter().flatten();
            if let Some(series) = alike.find(|series| series.name == name && *series.labels == *labels) {
                return Some(then(&series.handle));
            }
            if handles.len() >= MOST_HANDLES {
                return None;
            }
            let (labels, handle) = (labels.into(), look_up(recorder));
            let done = then(&handle);
            handles.entry(hash).or_default().push(Series { name, labels, handle });
            Some(done)
        };
        let is_kept = address(recorder) == RECORDER.load(Ordering::Relaxed);
        // Nothing is kept by a thread that ends, or while the recorder itself records.
        let done = is_kept.then(|| KEPT.try_with(with_kept).ok().flatten());
        done.flatten().unwrap_or_else(|| then(&look_up(recorder)))
    })
}

#[cfg(test)]
mod tests {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

    use super::*;
    use crate::metering::{Labels, count, label};

    fn counted(snapshotter: &Snapshotter) -> Vec<u64> {
        let told = snapshotter.snapshot().into_vec().into_iter();
        let counts = told.map(|(_, _, _, value)| match value {
            DebugValue::Counter(count) => count,
            _ => unreachable!("nothing else is recorded"),
        });
        counts.collect()
    }

    fn kept() -> usize {
        KEPT.with_borrow(|kept| kept.counters.len())
    }

    #[test]
    fn handles_of_the_recorder_are_kept_and_another_one_hears_its_thread() {
        // Never dropped, as one for the whole process: its address stays its own.
        let recorder: &DebuggingRecorder = Box::leak(Box::default());
        let labels: Labels = vec![label("model", "a/b")];
        metrics::with_local_recorder(recorder, || {
            count("calls", &labels, 1);
            assert_eq!(kept(), 0);
            keep_handles();
            count("calls", &labels, 2);
            count("calls", &labels, 3);
            assert_eq!(kept(), 1);
            count("calls", &Labels::new(), 4);
            count("attempts", &labels, 5);
            assert_eq!(kept(), 3);
        });
        let other = DebuggingRecorder::new();
        metrics::with_local_recorder(&other, || count("calls", &labels, 7));
        let mut counts = counted(&recorder.snapshotter());
        counts.sort_unstable();
        assert_eq!((counts, counted(&other.snapshotter())), (vec![4, 5, 6], vec![7]));
    }
}
