//! The calls of the facade. Its handles are looked up each time: a recorder may be installed later, or for one thread alone.

use std::sync::Arc;

use metrics::{Label, SharedString, counter, gauge, histogram};

pub(crate) type Labels = Vec<Label>;

pub(crate) fn label(name: impl Into<SharedString>, value: impl Into<SharedString>) -> Label {
    Label::new(name, value)
}

/// A label whose value is shared by its copies: each metric takes one.
pub(crate) fn shared(name: &'static str, value: &str) -> Label {
    Label::new(name, SharedString::from(Arc::<str>::from(value)))
}

pub(crate) fn count(name: &'static str, labels: &Labels, by: u64) {
    if by > 0 {
        counter!(name, labels.iter()).increment(by);
    }
}

pub(crate) fn sample(name: &'static str, labels: &Labels, value: f64) {
    histogram!(name, labels.iter()).record(value);
}

pub(crate) fn set(name: &'static str, labels: &Labels, value: f64) {
    gauge!(name, labels.iter()).set(value);
}

pub(crate) fn change(name: &'static str, labels: &Labels, by: f64) {
    gauge!(name, labels.iter()).increment(by);
}
