//! The gauge of reserved money.

#[cfg(feature = "metrics")]
use super::{
    facade::{Labels, change},
    names,
};
use crate::UsdAmount;

/// The gauge counts in parts of a dollar of 2^-32, about a quarter of a nano-dollar: sums of these are exact up to two million dollars, in whichever
/// order they are added and taken away. Sums of other fractions are not, and would leave a rest.
#[cfg(feature = "metrics")]
const PARTS: f64 = 4_294_967_296.0;

/// Money that is reserved, until this is dropped.
pub(crate) struct ReservedGauge(#[cfg(feature = "metrics")] f64);

impl ReservedGauge {
    pub(crate) fn new(amount: UsdAmount) -> Self {
        #[cfg(feature = "metrics")]
        {
            let dollars = (amount.in_dollars() * PARTS).round() / PARTS;
            change(names::RESERVED, &Labels::new(), dollars);
            Self(dollars)
        }
        #[cfg(not(feature = "metrics"))]
        {
            let _ = amount;
            Self()
        }
    }
}

#[cfg(feature = "metrics")]
impl Drop for ReservedGauge {
    fn drop(&mut self) {
        change(names::RESERVED, &Labels::new(), -self.0);
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::*;

    #[test]
    fn nothing_is_left_when_all_is_settled() {
        let recorder = DebuggingRecorder::new();
        metrics::with_local_recorder(&recorder, || {
            let amounts = (1..1000_i128).map(|nth| UsdAmount::from_pico(nth * 123_456_789 + nth % 7));
            let held: Vec<_> = amounts.map(ReservedGauge::new).collect();
            // In another order.
            let (later, sooner): (Vec<_>, Vec<_>) = held.into_iter().enumerate().partition(|(nth, _)| nth % 3 == 0);
            drop(sooner);
            drop(later);
        });
        let told = recorder.snapshotter().snapshot().into_vec().into_iter();
        let left = told.map(|(.., value)| match value {
            DebugValue::Gauge(left) => left.0,
            _ => unreachable!("nothing else is recorded"),
        });
        assert_eq!(left.collect::<Vec<_>>(), [0.0]);
    }
}
