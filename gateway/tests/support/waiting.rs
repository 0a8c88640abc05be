//! Waiting for what a gateway does by itself, with a bound: a test of a gateway that never does it fails, and says what was waited for.

use tokio::time::{Duration, sleep, timeout};

/// How long a gateway may take: long, since the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How soon it is looked at again.
const AGAIN: Duration = Duration::from_millis(20);

/// Waits until it is so.
pub(crate) async fn until(what: &str, is_so: impl AsyncFnMut() -> bool) {
    within(PATIENCE, what, is_so).await;
}

/// The same, within this time.
pub(crate) async fn within(limit: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let looked = async {
        while !is_so().await {
            sleep(AGAIN).await;
        }
    };
    assert!(timeout(limit, looked).await.is_ok(), "not within {limit:?}: {what}");
}
