//! What one thread tells the `metrics` facade.

use std::collections::BTreeMap;

use metrics::LocalRecorderGuard;
use metrics_util::{
    MetricKind,
    debugging::{DebugValue, DebuggingRecorder, Snapshotter},
};

/// Listens until it is dropped. Only this thread is heard: each test has its own.
pub(super) struct Recorded {
    snapshotter: Snapshotter,
    _guard: LocalRecorderGuard<'static>,
}

/// One series: its name with its labels, its unit, and its values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) kind: MetricKind,
    pub(super) unit: Option<metrics::Unit>,
    pub(super) values: Vec<f64>,
}

pub(super) fn record() -> Recorded {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let guard = metrics::set_default_local_recorder(Box::leak(Box::new(recorder)));
    Recorded {
        snapshotter,
        _guard: guard,
    }
}

impl Recorded {
    /// All that was recorded since the last look, by `name{label=value,…}`, labels sorted.
    pub(super) fn take(&self) -> BTreeMap<String, Series> {
        let told = self.snapshotter.snapshot().into_vec().into_iter();
        told.map(|(key, unit, _, value)| {
            let (kind, key) = key.into_parts();
            let mut labels: Vec<String> = key
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            labels.sort();
            let values = match value {
                DebugValue::Counter(count) => vec![f64::from(u32::try_from(count).unwrap())],
                DebugValue::Gauge(value) => vec![value.0],
                DebugValue::Histogram(values) => values.into_iter().map(|value| value.0).collect(),
            };
            let name = format!("{}{{{}}}", key.name(), labels.join(","));
            (name, Series { kind, unit, values })
        })
        // A series that was there before, and of which nothing new was recorded.
        .filter(|(_, series)| match series.kind {
            MetricKind::Counter => series.values.iter().sum::<f64>() > 0.0,
            MetricKind::Histogram => !series.values.is_empty(),
            MetricKind::Gauge => true,
        })
        .collect()
    }

    /// The same, a line each: for those whose name begins so.
    pub(super) fn lines(&self, prefix: &str) -> Vec<String> {
        let told = self.take().into_iter();
        told.filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, series)| format!("{name} {:?}", series.values))
            .collect()
    }
}
