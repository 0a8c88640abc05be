//! Renews the leases of what is alive, three times as often as they end, and sooner again after a failure.

use std::sync::Arc;

use tokio::time::sleep;

use crate::server::Server;

/// Holds that are renewed by one call at most, so that no call is long.
const AT_ONCE: usize = 500;

pub(crate) async fn renew(server: Arc<Server>) {
    let mut wait = server.lease / 3;
    loop {
        sleep(wait).await;
        wait = match renew_all(&server).await {
            Ok(()) => server.lease / 3,
            Err(error) => {
                tracing::warn!(target: "llm::store", %error, "leases could not be renewed");
                server.lease / 12
            }
        };
    }
}

async fn renew_all(server: &Server) -> Result<(), redis::RedisError> {
    for ((key, what), holds) in server.live.by_key() {
        for some in holds.chunks(AT_ONCE) {
            let mut call = server.scripts.renew.prepare_invoke();
            call.key(&key).arg(server.lease_millis()).arg(what.as_str());
            for hold in some {
                call.arg(hold);
            }
            let _: i64 = server.link.tell(&call).await?;
        }
    }
    Ok(())
}
