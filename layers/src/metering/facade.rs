//! The calls of the facade. Its handles are looked up each time, unless they are kept: see [`keep_handles`](super::keep_handles).

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, SharedString};

use super::handle_cache::with_handle;

pub(crate) type Labels = Vec<Label>;

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

pub(crate) fn label(name: impl Into<SharedString>, value: impl Into<SharedString>) -> Label {
    Label::new(name, value)
}

/// A label whose value is shared by its copies: each metric takes one.
pub(crate) fn shared(name: &'static str, value: &str) -> Label {
    Label::new(name, SharedString::from(Arc::<str>::from(value)))
}

fn key(name: &'static str, labels: &Labels) -> Key {
    Key::from_parts(name, labels.iter())
}

pub(crate) fn count(name: &'static str, labels: &Labels, by: u64) {
    if by > 0 {
        with_handle(
            |kept| &mut kept.counters,
            (name, labels),
            |recorder| recorder.register_counter(&key(name, labels), &METADATA),
            |counter: &Counter| counter.increment(by),
        );
    }
}

pub(crate) fn sample(name: &'static str, labels: &Labels, value: f64) {
    with_histogram(name, labels, |histogram| histogram.record(value));
}

/// For samples that come one after another.
pub(crate) fn histogram(name: &'static str, labels: &Labels) -> Histogram {
    with_histogram(name, labels, Histogram::clone)
}

fn with_histogram<T>(name: &'static str, labels: &Labels, then: impl Fn(&Histogram) -> T) -> T {
    with_handle(
        |kept| &mut kept.histograms,
        (name, labels),
        |recorder| recorder.register_histogram(&key(name, labels), &METADATA),
        then,
    )
}

pub(crate) fn set(name: &'static str, labels: &Labels, value: f64) {
    with_gauge(name, labels, |gauge| gauge.set(value));
}

pub(crate) fn change(name: &'static str, labels: &Labels, by: f64) {
    with_gauge(name, labels, |gauge| gauge.increment(by));
}

fn with_gauge(name: &'static str, labels: &Labels, then: impl Fn(&Gauge)) {
    with_handle(
        |kept| &mut kept.gauges,
        (name, labels),
        |recorder| recorder.register_gauge(&key(name, labels), &METADATA),
        then,
    );
}
